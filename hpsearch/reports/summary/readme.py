"""What a study leaves beside its report: README.md, two SVG figures and ``trials.csv``, all fit to be committed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.base.commands import ui_command
from hpsearch.base.files import replace_text
from hpsearch.base.markdown import markdown_text
from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.canvas import Drawn
from hpsearch.reports.kit.markdown import markdown_table, shell_block, text_block
from hpsearch.reports.kit.points import ranked
from hpsearch.reports.kit.readme import replace_readme
from hpsearch.reports.kit.setup import fixed_settings, took
from hpsearch.reports.kit.tables import best_command, trials_csv
from hpsearch.reports.summary.confirmed import fresh_table
from hpsearch.reports.summary.failed import failed_trials
from hpsearch.reports.summary.numbers import Findings, Summary
from hpsearch.reports.summary.sentences import answer, caveats
from hpsearch.reports.summary.tables import front_table, point_table

if TYPE_CHECKING:
    from hpsearch.reports.kit.figure import Figure

PICTURES = ("pareto", "score", "curves", "importance")
"""The figures that a README shows."""
_ROWS = 40


def readme_figures(drawn: Sequence[Drawn]) -> "dict[str, Figure]":
    """Return the figures of a search that its README shows, by name."""
    return {name: figure for name, _, _, figure in drawn if name in PICTURES}


def write_readme(found: Findings, pictures: Mapping[str, str], folder: Path) -> Path:
    """Write ``README.md``, its figures and ``trials.csv`` of a search, each in one move.

    Figures that only the ``README.md`` before showed are removed.

    Args:
        found: what the study supports.
        pictures: the figures that it shows as SVG, by name.
        folder: where to write; made when it is missing.

    Returns:
        The path of ``README.md``.
    """
    replace_text(folder / "trials.csv", trials_csv(found.table))
    return replace_readme(folder, readme(found, list(pictures)), {f"{name}.svg": svg for name, svg in pictures.items()})


def readme(found: Findings, pictures: Sequence[str]) -> str:
    """Return the README of a search.

    Args:
        found: what the study supports.
        pictures: the figures that lie beside it as SVG.

    Returns:
        Markdown: question, answer, figures, table of points, caveats, commands.
    """
    table, summary, importance = found.table, found.summary, found.importance
    metric = summary.objective.metric
    parts = [
        f"# {markdown_text(summary.name)}",
        f"**{markdown_text(summary.question)}**",
        markdown_text(answer(summary, importance)),
    ]
    parts += _fresh(summary)
    parts += _front(found)
    parts += [
        f"![{markdown_text(metric)} against {markdown_text(summary.main.name if summary.main else 'point')}](score.svg)"
    ]
    parts += [_points(summary), f"![{markdown_text(metric)} over epochs, one line per trial](curves.svg)"]
    if "importance" in pictures:
        parts.append("![Importance of each hyperparameter, with 95 % intervals](importance.svg)")
    lines = caveats(summary, fixed_settings(table), importance)
    parts += ["## Before you believe it", "\n".join(f"- {markdown_text(line)}" for line in lines)] if lines else []
    parts += _failed(table)
    parts += ["## What it took", markdown_text(took({"": table}))]
    return "\n\n".join([*parts, "## Commands", _commands(table, summary), _FILES]) + "\n"


_FILES = "`report.html` shows the same with interactive figures; `trials.csv` holds every trial, one row each."


def _fresh(summary: Summary) -> list[str]:
    table = fresh_table(summary)
    return [] if table is None else ["Over fresh seeds:", markdown_table(table.headings, table.rows)]


def _front(found: Findings) -> list[str]:
    table, front = front_table(found.table, found.summary), found.summary.front
    if table is None or front is None:
        return []
    names = markdown_text(" and ".join(o.metric for o in front.objectives))
    return [f"![Pareto front of {names}](pareto.svg)", markdown_table(table.headings, table.rows[:_ROWS])]


def _failed(table: TrialTable) -> list[str]:
    """Return the failures of each kind: what was raised, and the lines that led to it."""
    parts = ["## What failed"] if table.failures else []
    for title, text in failed_trials(table):
        parts += [markdown_text(title), text_block(text)] if text else [markdown_text(title)]
    return parts


def _points(summary: Summary) -> str:
    table = point_table(summary)
    if table.total <= _ROWS:
        return markdown_table(table.headings, table.rows)
    rows = {row.cells[0].text: row for row in table.rows}
    best = ranked(summary.points, summary.objective)[:_ROWS]
    note = f"The {len(best)} best of {table.total} points; all are in `trials.csv`."
    return f"{markdown_table(table.headings, [rows[str(p.point)] for p in best])}\n\n{note}"


def _commands(table: TrialTable, summary: Summary) -> str:
    known = (
        ("run or continue the study", str(table.study.get("command") or "")),
        ("train the best trial again", best_command(table, summary)),
        ("open its trials in MLflow", ui_command(table.study.get("config", {}))),
    )
    return shell_block([(what, command) for what, command in known if command])
