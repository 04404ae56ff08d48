"""What trials logged beside numbers: that of the best, the median and the worst point, side by side.

A record may come from a stranger, so media stay data: a picture is shown only if it is a PNG, a plotly figure keeps
what loads nothing and no more, and whatever is text is shown as text.
"""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base import words
from hpsearch.base.intake import json_value
from hpsearch.base.media import FIGURE, IMAGE, TABLE, Medium
from hpsearch.base.types import TrialId, TrialTable
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.page import Panel, panel
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.tables import Table, as_table
from hpsearch.reports.summary.numbers import Summary

PNG = b"\x89PNG\r\n\x1a\n"
MOST_NAMES, MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS, MOST_CELL = 8, 20, 8, 4000, 60
FLAT = ("bar", "box", "contour", "heatmap", "histogram", "histogram2d", "pie", "scatter", "scattergl", "violin")
TRACES = frozenset((*FLAT, "scatter3d", "surface"))
"""Traces of plotly that load nothing from elsewhere."""
AXES = ("title", "xaxis", "yaxis", "scene", "legend", "showlegend", "barmode", "bargap", "shapes", "annotations")


@dataclass(frozen=True, slots=True)
class Shown:
    """One medium as a page shows it; of `image`, `table`, `figure` and `text` one is there.

    Attributes:
        title: whose it is, and of which epoch.
        image: a picture as an address that holds it.
        table: its first rows.
        figure: a figure of plotly.
        text: its beginning.
        alt: what a picture is of.
    """

    title: str
    image: str = ""
    table: Table | None = None
    figure: Panel | None = None
    text: str = ""
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """What was logged under a name, of the points that are shown."""

    name: str
    shown: tuple[Shown, ...]


def logged_media(table: TrialTable, summary: Summary, printed: bool = False) -> tuple[Logged, ...]:
    """Return what the best, the median and the worst point logged last under each name.

    Args:
        table: the study.
        summary: its result.
        printed: whether it is for paper, where a figure of plotly is named in place of shown.

    Returns:
        By name, up to 8 of them; of each point its first complete trial.
    """
    chosen = [(role, point, trial) for role, point in _chosen(summary) if (trial := _trial(point)) in table.media]
    names = sorted({medium.name for _, _, trial in chosen for medium in table.media[trial]})
    found = []
    for name in names[:MOST_NAMES]:
        shown = [_shown(role, point, name, table.media[trial], printed) for role, point, trial in chosen]
        found.append(Logged(name, tuple(each for each in shown if each is not None)))
    return tuple(each for each in found if each.shown)


def _chosen(summary: Summary) -> list[tuple[str, Point]]:
    """Return the best, the median and the worst complete point, fewer where there are fewer."""
    if summary.best is None:
        return []
    sign = -1 if summary.objective.maximize else 1
    others = sorted(
        (p for p in summary.eligible if p is not summary.best), key=lambda p: (sign * (p.mean or 0), p.point)
    )
    ranked = [summary.best, *others]
    roles = {0: "Best", (len(ranked) - 1) // 2: "Median", len(ranked) - 1: "Worst"}
    return [(role if place else "Best", ranked[place]) for place, role in sorted(roles.items())]


def _trial(point: Point) -> TrialId:
    return TrialId(point.point, *point.replicates[0])


def _shown(role: str, point: Point, name: str, media: Mapping[Medium, bytes], printed: bool) -> Shown | None:
    last = max((medium for medium in media if medium.name == name), key=lambda medium: medium.epoch, default=None)
    if last is None:
        return None
    title = f"{role}, point {point.point}: {words.score(point.mean, point.sd)}; epoch {last.epoch}"
    if printed and last.kind == FIGURE:
        return Shown(title, text=f"(an interactive figure: {last.path}; report.html shows it)")
    return _read(title, last, media[last], f"media-{role.lower()}-{name}".replace(" ", "-").replace(".", "-"))


def _read(title: str, medium: Medium, content: bytes, name: str) -> Shown:
    """Return a medium as it is shown; what is not what its ending says is named so."""
    unreadable = Shown(title, text=f"({medium.path} cannot be shown)")
    if medium.kind == IMAGE:
        if not content.startswith(PNG):
            return unreadable
        address = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        return Shown(title, image=address, alt=f"{medium.name}. {title}")
    text = content.decode("utf-8", errors="replace")
    if medium.kind == TABLE:
        rows = list(csv.reader(io.StringIO(text)))
        return Shown(title, table=_table(rows)) if rows and rows[0] else unreadable
    if medium.kind == FIGURE:
        figure = _figure(text, f"{medium.name}. {title}")
        return unreadable if figure is None else Shown(title, figure=panel(name, medium.name, "", figure))
    return Shown(title, text=text[:MOST_CHARACTERS] + ("\n…" if len(text) > MOST_CHARACTERS else ""))


def _table(rows: Sequence[Sequence[str]]) -> Table:
    headings, *body = [[cell[:MOST_CELL] for cell in row[:MOST_COLUMNS]] for row in rows]
    padded = [(row + [""] * len(headings))[: len(headings)] for row in body[:MOST_ROWS]]
    return as_table(headings, [tuple(map(_cell, row)) for row in padded])


def _cell(text: str) -> Cell:
    try:
        return Cell(text, float(text))
    except ValueError:
        return Cell(text)


def _figure(text: str, alt: str) -> Figure | None:
    """Return a figure of plotly with what loads nothing; None for what is none."""
    from plotly.graph_objects import Figure as Plotly  # it says whether a text is a figure

    try:
        read = json_value(text)
        traces = [trace for trace in read["data"] if trace.get("type", "scatter") in TRACES]
        layout = {key: value for key, value in read.get("layout", {}).items() if key in AXES}
        figure = Plotly({"data": traces, "layout": layout})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    look: dict[str, Any] = {"margin": {"l": 50, "r": 20, "t": 40, "b": 40}, "font": {"size": 12}, "height": 300}
    figure.update_layout(**look, template="plotly_white", meta={"alt": alt, "min_width": 240})
    return Figure(figure.to_plotly_json())
