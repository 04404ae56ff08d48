"""Two objectives against each other, with the points that no other beats in both."""

import hpsearch.reports.kit.theme as theme
from hpsearch.base import words
from hpsearch.base.types import Objective
from hpsearch.base.words import number
from hpsearch.reports.kit.canvas import (
    MARKS,
    Drawn,
    Layout,
    Trace,
    axis_style,
    draw,
    escape,
    log_axis,
    positive_span,
    switched,
)
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.marks import MOST_POINTS, drawn, hover, shown_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.summary.numbers import Findings, Summary
from hpsearch.reports.summary.pareto import Front

LOG_SPAN = 30  # positive values that span this factor are drawn on a log scale


def figure(found: Findings) -> Drawn | None:
    """Return the Pareto front of a study with several objectives."""
    front = found.summary.front
    if front is None or not front.front:
        return None
    aim = " and ".join(f"{o.metric} ({'larger' if o.maximize else 'smaller'} is better)" for o in front.objectives)
    aid = f"Diamonds: no other point is better in one of {aim} without being worse in another."
    aid += f" {words.count(front.left_out, 'point')} without a full result are left out." if front.left_out else ""
    aid += shown_of(MOST_POINTS, len(front.values), "points")
    return "pareto", "Pareto front", aid, pareto_figure(found.summary, front)


def pareto_figure(summary: Summary, front: Front) -> Figure:
    """Draw every point's objectives, the front as a step line; with three or more a menu chooses the second one.

    Args:
        summary: the study's result.
        front: its Pareto front, not empty.

    Returns:
        The figure: the primary objective upwards, the other to the right.
    """
    views = [
        (escape(front.objectives[other].metric), _view(summary, front, other), _axes(front, other))
        for other in range(1, len(front.objectives))
    ]
    traces, layout = switched("Against", views)
    names = ", ".join(f"{o.metric} ({'larger' if o.maximize else 'smaller'} is better)" for o in front.objectives)
    alt = f"Scatter chart of {len(front.values)} points over {names}; {len(front.front)} are on the Pareto front."
    return draw(traces, layout, alt)


def _view(summary: Summary, front: Front, other: int) -> list[Trace]:
    inside = set(front.front)
    points = drawn(summary, [p for p in summary.points if p.point in front.values])
    beaten = [p for p in points if p.point not in inside]
    by_number = {p.point: p for p in summary.points}
    best = sorted((by_number[n] for n in front.front), key=lambda p: front.values[p.point][other])
    faint = {"color": theme.MUTED, "size": 7 if len(points) < 400 else 4, "opacity": 0.5}
    strong = {"color": theme.BLUE, "size": 10, "symbol": "diamond"}
    shape = "vh" if front.objectives[other].maximize else "hv"
    line = {"color": theme.BLUE, "width": 1.6, "shape": shape, "dash": "dot"}
    joined = len(front.objectives) == 2
    return [
        {**MARKS, **_at(summary, front, beaten, other), "name": "dominated", "marker": faint},
        {
            **{**MARKS, **_at(summary, front, best, other), "name": "Pareto front"},
            **{"mode": "lines+markers" if joined else "markers", "marker": strong, "line": line},
        },
    ]


def _at(summary: Summary, front: Front, points: "list[Point]", other: int) -> Trace:
    values = [front.values[p.point] for p in points]
    digits = front.digits
    texts = [
        "<br>".join(
            f"{escape(o.metric)} {number(v, each)}" for o, v, each in zip(front.objectives, row, digits, strict=True)
        )
        for row in values
    ]
    return {
        "x": [row[other] for row in values],
        "y": [row[0] for row in values],
        "hovertext": [hover(summary, p, text) for p, text in zip(points, texts, strict=True)],
    }


def _axes(front: Front, other: int) -> Layout:
    return {"xaxis": _axis(front, other), "yaxis": _axis(front, 0)}


def _axis(front: Front, index: int) -> Layout:
    objective: Objective = front.objectives[index]
    values = [row[index] for row in front.values.values()]
    log = positive_span(values) > LOG_SPAN and (index > 0 or not objective.maximize)
    title = f"{objective.metric} ({'max' if objective.maximize else 'min'})"
    return log_axis(title, values) if log else axis_style(title)
