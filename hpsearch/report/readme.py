"""What a study leaves beside its report: README.md, two SVG figures and ``trials.csv``, all fit to be committed."""

from pathlib import Path

from hpsearch.analysis.answer import answer, caveats, fixed_settings
from hpsearch.analysis.sweep import Summary, summarize
from hpsearch.report.files import replace_text
from hpsearch.report.static import curves_svg, score_svg
from hpsearch.report.tables import Table, best_command, point_table, trials_csv
from hpsearch.types import TrialTable

_ROWS = 40
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;"}
_ESCAPES = str.maketrans({**_ENTITIES, **{character: f"\\{character}" for character in "\\*_[]$"}})


def write_readme(table: TrialTable, folder: Path) -> Path:
    """Write ``README.md``, ``score.svg``, ``curves.svg`` and ``trials.csv`` of a study, each in one move.

    Args:
        table: the study.
        folder: where to write; made when it is missing.

    Returns:
        The path of ``README.md``.
    """
    summary = summarize(table)
    replace_text(folder / "trials.csv", trials_csv(table))
    replace_text(folder / "score.svg", score_svg(summary))
    replace_text(folder / "curves.svg", curves_svg(table, summary))
    return replace_text(folder / "README.md", readme(table, summary))


def readme(table: TrialTable, summary: Summary) -> str:
    """Return the README of a study.

    Args:
        table: the study.
        summary: its result.

    Returns:
        Markdown: question, answer, figures, table of points, caveats, commands.
    """
    metric = summary.objective.metric
    parts = [f"# {_text(summary.name)}", f"**{_text(summary.question)}**", _text(answer(summary))]
    parts += [f"![{_text(metric)} against {_text(summary.main.name if summary.main else 'point')}](score.svg)"]
    parts += [_points(summary), f"![{_text(metric)} over epochs, one line per trial](curves.svg)"]
    lines = caveats(summary, fixed_settings(table))
    parts += ["## Before you believe it", "\n".join(f"- {_text(line)}" for line in lines)] if lines else []
    return "\n\n".join([*parts, "## Commands", _commands(table, summary), _FILES]) + "\n"


_FILES = "`report.html` shows the same with interactive figures; `trials.csv` holds every trial, one row each."


def _points(summary: Summary) -> str:
    table = point_table(summary)
    rows = table.rows
    note = ""
    if len(rows) > _ROWS:
        sign = -1 if summary.objective.maximize else 1
        means = {p.point: p.mean for p in summary.points if p.mean is not None}
        ranked = sorted(means, key=lambda point: sign * means[point])[:_ROWS]
        by_point = {row.cells[0].text: row for row in rows}
        rows = tuple(by_point[str(point)] for point in ranked)
        note = f"\n\nThe {len(rows)} best of {len(table.rows)} points; all are in `trials.csv`."
    return _markdown(Table(table.headings, rows)) + note


def _markdown(table: Table) -> str:
    head = [[_text(heading) for heading in table.headings], ["---"] * len(table.headings)]
    body = [[_bold(_text(cell.text), row.best) for cell in row.cells] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*head, *body])


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best and text else text


def _commands(table: TrialTable, summary: Summary) -> str:
    known = (
        ("run or continue the study", str(table.study.get("command") or "")),
        ("train the best trial again", best_command(table, summary)),
        ("open its trials in MLflow", "python -m hpsearch ui"),
    )
    lines = [f"# {what}\n{command}" for what, command in known if command]
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return f"{fence}sh\n{chr(10).join(lines)}\n{fence}"


def _text(text: str) -> str:
    """Escape what Markdown or HTML would read as more than text."""
    return " ".join(text.translate(_ESCAPES).split())
