"""What figures of points over two hyperparameters share."""

from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialState
from hpsearch.reports.kit.canvas import MARKS, Layout, Trace, plane_axis
from hpsearch.reports.kit.marks import outcome, spread_out, states_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.numbers import Summary

MOST_PAIRED = 800  # points drawn per pair


def marks_at(name: str, points: Sequence[Point], x: Axis, y: Axis) -> Trace:
    """Return points as marks over two hyperparameters, without their colour."""
    return {**MARKS, "name": name, "x": spread_out(x, points), "y": spread_out(y, points)}


def lost_marks(summary: Summary, points: Sequence[Point], x: Axis, y: Axis) -> list[Trace]:
    """Return the marks of points without a full score, a trace per state."""
    traces = []
    for name, (state, members) in states_of(points).items():
        if state is not TrialState.COMPLETE:
            colour, symbol = theme.STATES[state]
            mark = {"color": colour, "symbol": symbol, "size": 8, "line": {"color": theme.PAPER, "width": 1}}
            texts = [outcome(summary, p) for p in members]
            traces.append({**marks_at(name, members, x, y), "marker": mark, "hovertext": texts})
    return traces


def ring_mark(summary: Summary, x: Axis, y: Axis) -> list[Trace]:
    """Return a ring around the best point; nothing without one."""
    best = summary.best
    if best is None or x.key not in best.params or y.key not in best.params:
        return []
    ring = {"color": "rgba(0,0,0,0)", "size": 17, "line": {"color": theme.RED, "width": 2.5}}
    return [{**marks_at("best", [best], x, y), "marker": ring, "hoverinfo": "skip", "hovertemplate": None}]


def plane_axes(x: Axis, y: Axis) -> Layout:
    """Return the axes of a plane of two hyperparameters."""
    return {"xaxis": plane_axis(x), "yaxis": plane_axis(y)}
