"""How the search went: each point's score in the order asked, and the best so far."""

from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialState
from hpsearch.base.words import score
from hpsearch.reports.kit.canvas import MARKS, Drawn, Trace, axis_style, draw, lost_strip
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.marks import MOST_POINTS, drawn, hover, score_axis, shown_of
from hpsearch.reports.kit.points import Point, ranked
from hpsearch.reports.summary.numbers import Findings, Summary


def figure(found: Findings) -> Drawn:
    """Return the course of the search."""
    summary = found.summary
    aid = (
        "Points in the order in which they were asked; the line is the best "
        f"{summary.objective.metric} so far, the bars one sd."
    )
    aid += shown_of(MOST_POINTS, len(summary.points), "points")
    return "history", "Course of the search", aid, history_figure(summary)


def history_figure(summary: Summary) -> Figure:
    """Draw every point's score in the order in which it was asked, the best so far, and the points without a score.

    Args:
        summary: the study's result.

    Returns:
        The figure; only points whose replicates are all COMPLETE move the best so far.
    """
    lost = any(p.mean is None and p.partial is None for p in summary.points)
    axes = dict(lost_strip(lost))
    scores = [s for p in summary.points for s in (*p.scores, p.partial) if s is not None]
    axes["yaxis"] = score_axis(summary, scores, **axes["yaxis"])
    last = max((p.point for p in summary.points), default=0)
    pad = max(0.5, 0.02 * last)
    whole = {"tickmode": "linear", "dtick": 1} if last <= 20 else {}
    x = axis_style("point, in the order asked", range=[-pad, last + pad], anchor="y2" if lost else "y", **whole)
    shown = drawn(summary, summary.points)
    traces = [_best_so_far(summary), *(_state(summary, shown, state) for state in theme.STATES)]
    return draw([t for t in traces if t["x"]], {**axes, "xaxis": x, "height": 380}, _alt(summary))


def _best_so_far(summary: Summary) -> Trace:
    x: list[int] = []
    y: list[float] = []
    every = len(summary.eligible) <= MOST_POINTS
    for p in summary.eligible:
        if p.mean is not None and (every or not y or summary.objective.better(p.mean, y[-1])):
            x.append(p.point)
            y.append(p.mean if not y or summary.objective.better(p.mean, y[-1]) else y[-1])
    if x and summary.points[-1].point > x[-1]:
        x, y = [*x, summary.points[-1].point], [*y, y[-1]]
    return {
        **{"type": "scatter", "mode": "lines", "name": "best so far", "x": x, "y": y},
        "line": {"color": theme.INK, "width": 2, "shape": "hv"},
        "hovertemplate": "best up to point %{x}: %{y:.4g}<extra></extra>",
    }


def _state(summary: Summary, shown: Sequence[Point], state: TrialState) -> Trace:
    points = [p for p in shown if p.state is state]
    colour, symbol = theme.STATES[state]
    y = [p.mean if state is TrialState.COMPLETE else p.partial for p in points]
    scored = any(value is not None for value in y)
    spread = [p.sd or 0.0 for p in points] if state is TrialState.COMPLETE else None
    heads = [f"{p.state.lower()}, {score(p.mean, p.sd)}" if scored else p.state.lower() for p in points]
    return {
        **{**MARKS, "name": state.lower(), "x": [p.point for p in points]},
        "y": y if scored else [0] * len(points),
        "yaxis": "y" if scored else "y2",
        "error_y": {"type": "data", "array": spread, "thickness": 1, "width": 0} if spread else {"visible": False},
        "hovertext": [hover(summary, p, head) for p, head in zip(points, heads, strict=True)],
        "marker": {"color": colour, "symbol": symbol, "size": 8 if len(points) < 200 else 5, "opacity": 0.85},
    }


def _alt(summary: Summary) -> str:
    text = f"Scatter chart of {summary.objective.metric} for {len(summary.points)} points in the order asked"
    top = next(iter(ranked(summary.eligible, summary.objective)), None)
    if top is None:
        return f"{text}."
    end = f"{score(top.mean)}, found by point {top.point}"
    return f"{text}, with a step line of the best so far; it ends at {end}."
