"""Where the best points lie in the ranges that were searched."""

from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.base import words
from hpsearch.base.labels import labels, shorten
from hpsearch.reports.kit.canvas import MARKS, Drawn, Layout, Trace, axis_style, draw, escape
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.importance import leading
from hpsearch.reports.summary.numbers import EDGE, Findings, Summary
from hpsearch.reports.summary.ranges import Near, ranged

_ROW = 46
_MOST = 300  # points near the best that are drawn


def figure(found: Findings) -> Drawn | None:
    """Return where the best lies, of a search over several hyperparameters or one whose range was extended."""
    summary, axes = found.summary, leading(found.summary, found.importance)
    lanes = [a for a in ranged(axes, found.table.study) if a.numeric and len(a.values) >= _LANE]
    if not lanes or summary.near is None or (len(axes) < 2 and not summary.extensions):
        return None
    return (
        "ranges",
        "Where the best lies in its range",
        _ranges_aid(summary, summary.near),
        ranges_figure(summary, lanes),
    )


def ranges_figure(summary: Summary, axes: Sequence[Axis]) -> Figure:
    """Draw one lane per numeric hyperparameter: the range tried, its outer tenths, the best and the points near it.

    Args:
        summary: the study's result.
        axes: numeric hyperparameters with at least three values.

    Returns:
        The figure; a range that was extended shows where it ended first.
    """
    lanes = {axis.key: i for i, axis in enumerate(axes)}
    near = set(summary.near.points[:_MOST]) if summary.near else set()
    points = [p for p in summary.points if p.point in near]
    at = [(axis, p) for axis in axes for p in points if axis.key in p.params]
    traces: list[Trace] = [
        {
            **{**MARKS, "name": "near the best"},
            **{"x": [round(a.relative(p.params[a.key]), 4) for a, p in at], "y": [lanes[a.key] for a, _ in at]},
            "marker": {
                "color": theme.BLUE,
                "symbol": "line-ns-open",
                "size": 15,
                "opacity": 0.6,
                "line": {"width": 1.6},
            },
            "hovertext": [f"point {p.point}: {escape(a.name)} {escape(a.write(p.params[a.key]))}" for a, p in at],
        },
        *_best(summary, axes, lanes),
    ]
    y = axis_style("", range=[len(axes) - 0.4, -0.6], tickvals=list(range(len(axes))), showgrid=False, ticks="")
    y |= {"ticktext": list(map(escape, labels([axis.name for axis in axes], 26))), "tickfont": {"color": theme.INK}}
    ticks = {"tickvals": [0, EDGE, 0.5, 1 - EDGE, 1], "ticktext": ["lowest", "10 %", "middle", "90 %", "highest"]}
    layout = {
        "xaxis": axis_style("value tried, on the scale of its range", range=[-0.04, 1.04], **ticks),
        "yaxis": y,
        "shapes": _outer(len(axes)) + _first_ends(summary, axes, lanes),
        "annotations": _ends(axes),
        "height": 140 + _ROW * max(2, len(axes)),
    }
    alt = f"Where the best value lies in the range of {', '.join(axis.name for axis in axes)}."
    sides = [f"{axis.name} at the {summary.at_edge[axis.key]} edge" for axis in axes if axis.key in summary.at_edge]
    return draw(traces, layout, f"{alt} {'; '.join(sides) or 'none at an edge'}.")


def _best(summary: Summary, axes: Sequence[Axis], lanes: dict[str, int]) -> list[Trace]:
    best = summary.best
    if best is None:
        return []
    active = [axis for axis in axes if axis.key in best.params]
    return [
        {
            **{"type": "scatter", "mode": "markers+text", "name": "best"},
            **{"x": [round(a.relative(best.params[a.key]), 4) for a in active], "y": [lanes[a.key] for a in active]},
            "marker": {"color": theme.INK, "symbol": "diamond", "size": 11},
            "text": [escape(shorten(a.write(best.params[a.key]))) for a in active],
            "textposition": "top center",
            "cliponaxis": False,
            "hoverinfo": "skip",
        }
    ]


def _outer(lanes: int) -> list[Layout]:
    zone = {"type": "rect", "y0": -0.6, "y1": lanes - 0.4, "layer": "below", "line": {"width": 0}}
    return [{**zone, "x0": low, "x1": high, "fillcolor": theme.RED_WASH} for low, high in ((0, EDGE), (1 - EDGE, 1))]


def _first_ends(summary: Summary, axes: Sequence[Axis], lanes: dict[str, int]) -> list[Layout]:
    """Return a mark at each end that a range had before it was extended."""
    by_key = {axis.key: axis for axis in axes}
    mark = {"type": "line", "line": {"color": theme.GREEN, "width": 2.5, "dash": "dot"}}
    shapes = []
    for e in summary.extensions:
        if e.key in by_key and not e.failed:
            x = by_key[e.key].relative(e.old[1] if e.side == "high" else e.old[0])
            shapes.append({**mark, "x0": x, "x1": x, "y0": lanes[e.key] - 0.34, "y1": lanes[e.key] + 0.34})
    return shapes


def _ends(axes: Sequence[Axis]) -> list[Layout]:
    style: Layout = {"showarrow": False, "font": {"size": 11, "color": theme.MUTED}, "yshift": -15}
    return [
        {**style, "x": x, "y": i, "text": escape(shorten(axis.write(axis.values[end]))), "xanchor": anchor}
        for i, axis in enumerate(axes)
        for x, end, anchor in ((0, 0, "left"), (1, -1, "right"))
    ]


def _ranges_aid(summary: Summary, near: Near) -> str:
    text = (
        f"Ticks: {words.count(len(near.points), 'point')} of {near.of} within {near.tolerance:.2g} of the best "
        f"{summary.objective.metric} ({near.rule}). Red: the outer tenths, where a best value asks for a wider range."
    )
    return text + (" Dotted green: where a range ended before it was extended." if summary.extensions else "")


_LANE = 3  # values from which on a range has an inside
