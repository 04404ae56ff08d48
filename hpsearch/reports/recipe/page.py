"""The page of a recipe: it reads top to bottom like a laboratory notebook."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpsearch.base.files import REPORT, replace_text
from hpsearch.base.words import capitalized, number
from hpsearch.reports.kit.canvas import Drawn, FigureWithAid
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.markdown import markdown_table, markdown_text, shell_block
from hpsearch.reports.kit.page import Panel, panel, render_page
from hpsearch.reports.kit.setup import why_ended
from hpsearch.reports.kit.tables import as_table, flat

_MARKS = {"pass": "✓", "warn": "!", "fail": "✗"}


@dataclass(frozen=True, slots=True)
class StageView:
    """How a stage of a recipe is shown, beside what it found.

    Attributes:
        title: its heading.
        question: what it asks; empty for none.
        figure: how to read its figure, and the figure; None without one.
    """

    title: str
    question: str
    figure: FigureWithAid | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One stage on the page."""

    name: str
    title: str
    question: str
    verdict: str
    mark: str
    sentence: str
    cause: str
    action: str
    numbers: tuple[tuple[str, str], ...]
    panel: Panel | None
    report: str | None


def write_notebook(study: Mapping[str, Any], views: Mapping[str, StageView], replay: str | None, folder: Path) -> Path:
    """Write ``report.html`` and ``README.md`` of a recipe, each in one move.

    Args:
        study: what the recipe recorded of itself, its stages among it.
        views: how each of its stages is shown.
        replay: the command that trains the winner again, if there is one.
        folder: of the recipe.

    Returns:
        The path of the page.
    """
    panels = {name: panel(name, *parts) for name, *parts in stage_figures(views)}
    entries = [_entry(name, fields, views[name], panels, folder) for name, fields in study.get("stages", {}).items()]
    replace_text(folder / "README.md", _markdown(study, entries, replay))
    text = render_page(
        "recipe/page.html.j2",
        name=study["name"],
        question=study["question"],
        answer=capitalized(study.get("state", {}).get("answer", "")),
        failed=study.get("state", {}).get("why", ""),
        entries=entries,
        missing=[views[name].title for name in study.get("recipe", ()) if name not in study.get("stages", {})],
        replay=replay,
        again=study["command"],
        config=flat(dict(study["config"])),
        ended=_ended(study),
    )
    return replace_text(folder / REPORT, text)


def _entry(name: str, fields: Mapping[str, Any], view: StageView, panels: Mapping[str, Panel], folder: Path) -> Entry:
    beside = folder.with_name(f"{folder.name}.{name}") / REPORT
    return Entry(
        name=name,
        title=view.title,
        question=view.question,
        verdict=fields["verdict"],
        mark=_MARKS[fields["verdict"]],
        sentence=capitalized(fields["sentence"]),
        cause=fields["cause"],
        action=fields["action"],
        numbers=tuple((key, number(value)) for key, value in fields["numbers"].items()),
        panel=panels.get(name),
        report=f"../{beside.parent.name}/{REPORT}" if beside.exists() else None,
    )


def stage_figures(views: Mapping[str, StageView]) -> Iterator[Drawn]:
    """Yield the figures of a recipe's stages, in their order.

    Args:
        views: how each stage is shown.

    Yields:
        Those of the stages that have one.
    """
    for name, view in views.items():
        if view.figure is not None:
            yield name, view.title, *view.figure


def _ended(study: Mapping[str, Any]) -> str:
    time, why = study.get("state", {}).get("time"), why_ended(study)
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC{why and ': '}{why}" if time else ""


def _markdown(study: Mapping[str, Any], entries: list[Entry], replay: str | None) -> str:
    said = (study["question"], study.get("state", {}).get("answer", ""))
    question, answer = (markdown_text(str(text or "")) for text in said)
    headings = ("stage", "verdict", "found", "do")
    rows = [(each.title, f"{each.mark} {each.verdict}", each.sentence, each.action) for each in entries]
    table = as_table(headings, [tuple(map(Cell, row)) for row in rows])
    commands = [("run or continue the recipe", str(study["command"]))]
    commands += [("train the winner again, with the test set", replay)] if replay else []
    parts = [f"# {markdown_text(str(study['name']))}", question, f"**{answer}**" if answer else ""]
    why = why_ended(study)
    parts += [markdown_table(table.headings, table.rows), f"It ended because {markdown_text(why)}." if why else ""]
    parts += ["## Commands", shell_block(commands)]
    return "\n\n".join(part for part in parts if part) + "\n"
