"""What an ablation leaves for people to read: a page, README.md with its figures, and the tables behind them."""

from collections.abc import Sequence
from pathlib import Path

from hpsearch.base.files import REPORT, replace_text
from hpsearch.base.markdown import markdown_text
from hpsearch.reports.ablation.answers import AID, TITLE, answers_of
from hpsearch.reports.ablation.method import method
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.page import (
    PARTS,
    ablation_stills,
    commands_of,
    figure_part,
    render_ablation,
    sections,
    table_part,
)
from hpsearch.reports.ablation.sentences import answer, caveats
from hpsearch.reports.kit.markdown import markdown_table, shell_block
from hpsearch.reports.kit.readme import replace_readme
from hpsearch.reports.kit.spreadsheet import as_csv
from hpsearch.reports.kit.tables import trials_csv


def write_ablation(found: Ablation, command: str, folder: Path) -> Path:
    """Write ``report.html``, ``README.md``, its SVG figures and its tables as CSV, each in one move.

    Figures that only the ``README.md`` before showed are removed.

    Args:
        found: what it found.
        command: runs or continues it.
        folder: where to write; made when it is missing.

    Returns:
        The path of the page.
    """
    stills = ablation_stills(found)
    page = render_ablation(found, command)
    replace_text(folder / "trials.csv", trials_csv(found.table))
    replace_text(folder / "curves.csv", as_csv(found.table.curves))
    if found.tuning is not None:
        replace_text(folder / "tuning.csv", trials_csv(found.tuning))
    images = stills()
    text = readme(found, commands_of(found, command), [(name, title) for name, title, _ in images])
    replace_readme(folder, text, {name: svg for name, _, svg in images})
    return replace_text(folder / REPORT, page)


def readme(found: Ablation, commands: Sequence[tuple[str, str]], images: Sequence[tuple[str, str]]) -> str:
    """Return the README of an ablation, in the order of its page: answers, results, method, caveats, commands.

    Args:
        found: what it found.
        commands: what to do next, each with its command.
        images: file and title of each figure, the main one first.
    """
    shown = [(figure_part(Path(name).stem), f"![{markdown_text(title)}]({name})") for name, title in images]
    parts = [f"# {markdown_text(found.name)}", f"**{markdown_text(found.question)}**", markdown_text(answer(found))]
    parts += [image for _, image in shown[:1]]
    if told := answers_of(found):
        parts += [f"## {TITLE}", AID, "  \n".join(f"**{each.topic}.** {markdown_text(each.text)}" for each in told)]
    for part in PARTS:
        parts += ["## Method", markdown_text(method(found)), markdown_text(found.took)] if part == "method" else []
        for section in sections(found):
            if table_part(section.title) == part:
                parts += [
                    f"## {section.title}",
                    section.aid,
                    markdown_table(section.table.headings, section.table.rows),
                ]
        parts += [image for of, image in shown[1:] if of == part]
    parts += ["## Before you believe it", "\n".join(f"- {markdown_text(line)}" for line in caveats(found))]
    return "\n\n".join([*parts, "## Commands", shell_block(commands), _files(found)]) + "\n"


def _files(found: Ablation) -> str:
    tuning = ", `tuning.csv` every trial of the search before them" if found.nuisance.searches else ""
    return (
        f"`trials.csv` holds every trial of the arms, one row each, `curves.csv` every epoch of theirs{tuning}. "
        "In `report.html`, which the command writes, the figures are interactive."
    )
