"""The report of studies that exist on paper, and its tables to be pasted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.base.files import PRINT, TABLES, replace_text
from hpsearch.study.existing import comparison, views_of
from hpsearch.study.folder import folder_of
from hpsearch.study.tables import ablation_tables, is_ablation, known_as, table_of

if TYPE_CHECKING:
    from hpsearch.reports.kit.tables import Section


@dataclass(frozen=True, slots=True)
class Paper:
    """A report for paper.

    Attributes:
        name: of the study.
        page: makes the printed page.
        sections: makes its tables, whole.
    """

    name: str
    page: Callable[[], str]
    sections: Callable[[], "list[Section]"]


def print_report(
    name: str, other: str | None = None, words: Sequence[str] = (), *, config_dirs: Sequence[str | Path] = ()
) -> Path:
    """Write the report of an existing study for paper: A4, figures as numbered still pictures, tables whole.

    Args:
        name: of the study; where it is looked for and which errors there are, see `rebuild_report`.
        other: of a second study: both side by side, see `compare_studies`.
        words: as for `rebuild_report`.
        config_dirs: folders with configuration of your own.

    Returns:
        The path of ``print.html``, beside the report; a browser prints it or saves it as PDF.

    Example:
        >>> print(print_report("rates").name)
        print.html
    """
    paper = _paper(name, other, words, config_dirs)
    return replace_text(folder_of(paper.name) / PRINT, paper.page())


def export_tables(
    name: str, other: str | None = None, words: Sequence[str] = (), *, config_dirs: Sequence[str | Path] = ()
) -> tuple[Path, Path]:
    """Write every table of the report of an existing study in LaTeX and in Markdown, to be pasted into a text.

    Args:
        name: of the study; where it is looked for and which errors there are, see `rebuild_report`.
        other: of a second study: both side by side, see `compare_studies`.
        words: as for `rebuild_report`.
        config_dirs: folders with configuration of your own.

    Returns:
        The paths of ``tables.tex``, which names the packages that it needs, and of ``tables.md``, beside the
        report.

    Example:
        >>> [path.name for path in export_tables("rates")]
        ['tables.tex', 'tables.md']
    """
    from hpsearch.reports.kit.latex import latex_file
    from hpsearch.reports.kit.markdown import markdown_file

    paper = _paper(name, other, words, config_dirs)
    folder, sections = folder_of(paper.name), paper.sections()
    latex, markdown = (folder / each for each in TABLES)
    return (
        replace_text(latex, latex_file(paper.name, sections)),
        replace_text(markdown, markdown_file(paper.name, sections)),
    )


def _paper(name: str, other: str | None, words: Sequence[str], config_dirs: Sequence[str | Path]) -> Paper:
    name = known_as(name)
    if other is not None:
        return _two(name, known_as(other))
    table = table_of(name)
    if is_ablation(table.study):
        return _ablation(name, str(table.study["command"]))
    if "recipe" not in table.study:
        from hpsearch.reports.diagnosis.table import diagnosis_table
        from hpsearch.reports.summary.figures import figures
        from hpsearch.reports.summary.numbers import find
        from hpsearch.reports.summary.page import render, search_sections

        found = find(table)
        diagnosis = diagnosis_table(table, found.summary)
        return Paper(
            name,
            lambda: render(found, list(figures(found)), diagnosis, printed=True),
            lambda: search_sections(found, diagnosis),
        )
    from hpsearch.reports.kit.tables import Section
    from hpsearch.reports.recipe.page import render_notebook, stage_table

    study = {"name": table.name, **table.study}
    views, replay = views_of(study, words, config_dirs), table.study.get("state", {}).get("replay")
    return Paper(
        name,
        lambda: render_notebook(study, views, replay, folder_of(name), printed=True),
        lambda: [Section("Stages", "", stage_table(study, views))],
    )


def _ablation(name: str, command: str) -> Paper:
    from hpsearch.reports.ablation.numbers import ablation_of
    from hpsearch.reports.ablation.page import render_ablation, sections

    found = ablation_of(*ablation_tables(name))
    return Paper(name, lambda: render_ablation(found, command, printed=True), lambda: sections(found))


def _two(first: str, second: str) -> Paper:
    from hpsearch.reports.comparison.page import comparison_sections, render_comparison

    tables, answers, added = comparison(first, second)
    return Paper(
        f"{first}_vs_{second}",
        lambda: render_comparison(tables, answers, added, printed=True),
        lambda: comparison_sections(tables, added),
    )
