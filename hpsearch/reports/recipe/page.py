"""The page of a recipe: it reads top to bottom like a laboratory notebook."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpsearch.base.files import REPORT, replace_text
from hpsearch.base.markdown import markdown_text
from hpsearch.base.words import capitalized, number
from hpsearch.reports.kit.canvas import Drawn, FigureWithAid
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.markdown import markdown_table, shell_block
from hpsearch.reports.kit.page import Panel, panel, render_page
from hpsearch.reports.kit.setup import why_ended
from hpsearch.reports.kit.tables import Table, as_table, flat

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
    replace_text(folder / "README.md", _markdown(study, stage_table(study, views), replay))
    return replace_text(folder / REPORT, render_notebook(study, views, replay, folder))


def render_notebook(
    study: Mapping[str, Any],
    views: Mapping[str, StageView],
    replay: str | None,
    folder: Path,
    printed: bool = False,
) -> str:
    """Return the page of a recipe.

    Args:
        study: what the recipe recorded of itself, its stages among it.
        views: how each of its stages is shown.
        replay: the command that trains the winner again, if there is one.
        folder: of the recipe, beside which those of its searches lie.
        printed: whether it is for paper.

    Returns:
        HTML that makes no request.
    """
    panels = {drawn[0]: panel(*drawn, printed) for drawn in stage_figures(views)}
    known = study.get("stages", {})
    return render_page(
        "recipe/page.html.j2",
        printed,
        name=study["name"],
        question=study["question"],
        answer=capitalized(study.get("state", {}).get("answer", "")),
        failed=study.get("state", {}).get("why", ""),
        entries=[_entry(name, fields, views[name], panels, folder) for name, fields in known.items()],
        stages=stage_table(study, views),
        missing=[views[name].title for name in study.get("recipe", ()) if name not in known],
        replay=replay,
        again=study["command"],
        config=flat(dict(study["config"])),
        environment=flat({name: study[name] for name in ("git", "environment") if study.get(name)}),
        ended=_ended(study),
    )


def stage_table(study: Mapping[str, Any], views: Mapping[str, StageView]) -> Table:
    """Return one row per stage that was run: its title, verdict, what it found, what to do."""
    rows = [
        (
            views[name].title,
            f"{_MARKS[fields['verdict']]} {fields['verdict']}",
            capitalized(fields["sentence"]),
            fields["action"],
        )
        for name, fields in study.get("stages", {}).items()
    ]
    return as_table(("stage", "verdict", "found", "do"), [tuple(map(Cell, row)) for row in rows])


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


def _markdown(study: Mapping[str, Any], table: Table, replay: str | None) -> str:
    said = (study["question"], study.get("state", {}).get("answer", ""))
    question, answer = (markdown_text(str(text or "")) for text in said)
    commands = [("run or continue the recipe", str(study["command"]))]
    commands += [("train the winner again, with the test set", replay)] if replay else []
    parts = [f"# {markdown_text(str(study['name']))}", question, f"**{answer}**" if answer else ""]
    why = why_ended(study)
    parts += [markdown_table(table.headings, table.rows), f"It ended because {markdown_text(why)}." if why else ""]
    parts += ["## Commands", shell_block(commands)]
    return "\n\n".join(part for part in parts if part) + "\n"
