"""The score against each hyperparameter, side by side."""

import math
from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.reports.kit.canvas import MARKS, Drawn, Layout, Trace, draw, plane_axis
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.marks import drawn, outcome, score_axis, shown_of, spread_out, states_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.importance import leading, mappable
from hpsearch.reports.summary.numbers import Findings, Summary

_COLUMNS = 2
_GAP, _BETWEEN = 0.06, 0.25  # between columns in shares of the width, between rows of a row
_ROW = 260  # pixels
MOST_SLICED = 600  # points in each


def figure(found: Findings) -> Drawn | None:
    """Return the score against each hyperparameter side by side, where there are points enough to see a pattern."""
    summary = found.summary
    if not mappable(summary, found.importance):
        return None
    aid = "A slope or hump that stands out against the scatter is an effect; crosses have no score."
    aid += shown_of(MOST_SLICED, len(summary.points), "points")
    return "slices", "Slices", aid, slices_figure(summary, leading(summary, found.importance))


def slices_figure(summary: Summary, axes: Sequence[Axis]) -> Figure:
    """Draw one panel per hyperparameter with every point's score, the best ringed.

    Args:
        summary: the study's result.
        axes: the hyperparameters, in the order of the panels.

    Returns:
        The figure; points without a score stand beyond the worst one.
    """
    scores = [value for p in summary.points for value in (p.mean, p.partial) if value is not None]
    rows, columns = math.ceil(len(axes) / _COLUMNS), min(_COLUMNS, len(axes))
    layout: Layout = {"height": 90 + _ROW * rows, "margin": {"l": 64, "r": 20, "t": 40, "b": 54}}
    width, height = (1 - _GAP * (columns - 1)) / columns, (1 - _BETWEEN * (rows - 1) / rows) / rows
    traces = []
    for i, axis in enumerate(axes):
        row, column = divmod(i, _COLUMNS)
        name = str(i + 1) if i else ""
        left, top = column * (width + _GAP), 1 - row * (height + _BETWEEN / rows)
        layout[f"xaxis{name}"] = {**plane_axis(axis), "domain": [left, left + width], "anchor": f"y{name}"}
        y = score_axis(summary, scores, domain=[max(0.0, top - height), top], anchor=f"x{name}")
        layout[f"yaxis{name}"] = y if column == 0 else {**y, "title": {"text": ""}, "showticklabels": False}
        layout[f"yaxis{name}"] |= {"matches": "y"} if i else {}
        traces += _panel(summary, axis, name, scores, legend=i == 0)
    names = ", ".join(axis.name for axis in axes)
    alt = f"Scatter charts of {summary.objective.metric} against each of {names}, for {len(summary.points)} points."
    return draw(traces, layout, alt, min_width=280 * min(_COLUMNS, len(axes)))


def _panel(summary: Summary, axis: Axis, name: str, scores: Sequence[float], *, legend: bool) -> list[Trace]:
    points = drawn(summary, [p for p in summary.points if axis.key in p.params], MOST_SLICED)
    foot = _foot(summary, scores)
    traces: list[Trace] = []
    for group, (state, members) in states_of(points).items():
        colour, symbol = theme.STATES[state]
        heights = [_height(p, foot) for p in members]
        traces.append({
            **{**MARKS, "name": group, "legendgroup": group, "showlegend": legend},
            **{"xaxis": f"x{name}", "yaxis": f"y{name}", "x": spread_out(axis, members), "y": heights},
            "marker": {"color": colour, "symbol": symbol, "size": 7 if len(points) < 200 else 4, "opacity": 0.75},
            "hovertext": [outcome(summary, p) for p in members],
        })
    best = summary.best
    if best is not None and axis.key in best.params:
        ring = {"color": "rgba(0,0,0,0)", "size": 15, "line": {"color": theme.INK, "width": 2}}
        traces.append({
            **{"type": "scatter", "mode": "markers", "name": "best", "legendgroup": "best", "showlegend": legend},
            **{"xaxis": f"x{name}", "yaxis": f"y{name}", "x": spread_out(axis, [best]), "y": [best.mean]},
            **{"marker": ring, "hoverinfo": "skip"},
        })
    return traces


def _foot(summary: Summary, scores: Sequence[float]) -> float:
    """Return a place beyond the worst score for points without one."""
    low, high = min(scores, default=0.0), max(scores, default=1.0)
    beyond = 0.08 * (high - low) or 0.05
    return low - beyond if summary.objective.maximize else high + beyond


def _height(p: Point, foot: float) -> float:
    return next((value for value in (p.mean, p.partial) if value is not None), foot)
