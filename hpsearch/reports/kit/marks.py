"""How the points of a study are drawn: which of very many, their texts, ranks and places, bands of curves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpsearch.base.types import TrialState
from hpsearch.base.words import bare, number, score
from hpsearch.reports.kit.canvas import Layout, Trace, axis_style, coordinate, escape, positive_span, shorten
from hpsearch.reports.kit.curves import Curve, thin
from hpsearch.reports.kit.points import Point, Results
from hpsearch.reports.kit.space import Axis
from hpsearch.statistics.ranks import ranks_of

_GOLDEN = 0.6180339887  # multiples of it fill an interval evenly
MANY_POINTS = 400  # beyond, single seeds are not drawn and hover texts are short
MOST_POINTS = 1500  # drawn in one figure


def band_traces(curves: Sequence[Curve], name: str, colour: str, wash: str, dash: str = "solid") -> list[Trace]:
    """Return the mean of curves and, of two or more, a band of one sample sd around it.

    Args:
        curves: one metric of trials that belong together.
        name: of the group.
        colour: of the line.
        wash: of the band.
        dash: of the line.

    Returns:
        Traces that share a legend group; each epoch is over the trials that got that far.
    """
    x = np.unique(np.concatenate([c.x for c in curves]))
    known = [[float(c.y[i]) for c in curves if (i := np.searchsorted(c.x, at)) < len(c.x) and c.x[i] == at] for at in x]
    mean = np.array([np.mean(values) for values in known])
    sd = np.array([np.std(values, ddof=1) if len(values) > 1 else 0.0 for values in known])
    around = band(x.tolist(), (mean - sd).tolist(), (mean + sd).tolist(), wash, name)
    label = escape(shorten(name, 40))
    line = {
        **{"type": "scatter", "mode": "lines", "x": x.tolist(), "y": mean.tolist()},
        **{"name": label, "legendgroup": name},
        "line": {"color": colour, "dash": dash, "width": 2.2},
        "hovertemplate": f"<b>{label}</b><br>%{{y:.4g}} at %{{x}}, mean of {len(curves)}<extra></extra>",
    }
    return [*(around if len(curves) > 1 else []), line]


def band(x: Any, low: Any, high: Any, wash: str, group: str, name: str | None = None) -> list[Trace]:
    """Return the area between two lines.

    Args:
        x: of both.
        low: the lower one.
        high: the upper one.
        wash: colour of the area.
        group: what a legend shows and hides it with.
        name: in the legend; None: it is not in it.

    Returns:
        Both lines, unseen, the second filled down to the first.
    """
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": group}
    told = {"showlegend": False} if name is None else {"name": name}
    return [
        {**edge, "y": low, "showlegend": False},
        {**edge, "y": high, "fill": "tonexty", "fillcolor": wash, **told},
    ]


def curve_axes(metric: str, traces: Sequence[Trace], along: str = "epoch") -> Layout:
    """Return the axes of learning curves: logarithmic where the lines span more than a factor of 50."""
    values = [value for trace in traces if "name" in trace for value in trace["y"]]
    kind = "log" if positive_span(values) > 50 else "linear"
    y = axis_style(metric, type=kind, exponentformat="power")
    return {"xaxis": axis_style(along, rangemode="tozero"), "yaxis": y}


def hover(results: Results, p: Point, head: str) -> str:
    """Return a hover text: the head in bold, the point and its hyperparameters; of very many points the head alone.

    Args:
        results: the study's result.
        p: the point.
        head: what is shown first, already escaped.

    Returns:
        Lines as plotly takes them.
    """
    head = f"<b>{head}</b><br>point {p.point}"
    return head if len(results.points) > MANY_POINTS else f"{head}<br>{_params(p.params)}"


def outcome(results: Results, p: Point) -> str:
    """Return a hover text that says what became of a point."""
    if p.mean is not None:
        return hover(results, p, f"{escape(results.objective.metric)} {score(p.mean, p.sd)}")
    if p.state is TrialState.PRUNED:
        return hover(results, p, f"pruned at {score(p.partial)}")
    return hover(results, p, "diverged" if p.diverged else p.state.lower())


def drawn(results: Results, points: Sequence[Point], most: int = MOST_POINTS) -> tuple[Point, ...]:
    """Return the points to draw when there are very many: the best third of `most`, and of the others every so many.

    Args:
        results: the study's result.
        points: what there is to draw.
        most: how many to draw.

    Returns:
        The points by number, all of them when they are few.
    """
    if len(points) <= most:
        return tuple(points)
    scored = sorted((p for p in points if p.mean is not None), key=lambda p: loss(results, p))
    kept = {p.point for p in scored[: most // 3]}
    others = [p for p in points if p.point not in kept]
    kept |= {others[i].point for i in thin(len(others), most - len(kept))}
    return tuple(p for p in points if p.point in kept)


def shown_of(shown: int, total: int, noun: str) -> str:
    """Return a sentence that says how much is drawn; empty when it is all."""
    return "" if shown >= total else f" Shown: {shown:,} of {total:,} {noun}, the best among them."


def loss(results: Results, p: Point) -> float:
    """Return a point's mean score turned so that smaller is better; infinite without one."""
    if p.mean is None:
        return math.inf
    return -p.mean if results.objective.maximize else p.mean


def ranks(results: Results, points: Sequence[Point]) -> list[float]:
    """Return each point's rank among the scores, 1 the best and 0 the worst, equal ones the better; NaN without one."""
    losses = np.array([loss(results, p) for p in points], dtype=float)
    known = np.isfinite(losses)
    shares = np.full(len(losses), math.nan)
    if known.any():
        shares[known] = (ranks_of(-losses[known], highest=True) - 1) / max(known.sum() - 1, 1)
    return [float(share) for share in shares]


def score_axis(results: Results, scores: Sequence[float], **changes: Any) -> Layout:
    """Return the axis of the objective: logarithmic where a loss spans more than a factor of 50."""
    log = not results.objective.maximize and positive_span(scores) > 50
    return axis_style(results.objective.metric, type="log" if log else "linear", **changes)


def states_of(points: Sequence[Point]) -> dict[str, tuple[TrialState, list[Point]]]:
    """Return points by what a legend calls them, without those that have not ended."""
    lost = [p for p in points if p.state is TrialState.INFEASIBLE]
    groups = {
        "complete": (TrialState.COMPLETE, [p for p in points if p.mean is not None]),
        "pruned": (TrialState.PRUNED, [p for p in points if p.state is TrialState.PRUNED]),
        "diverged": (TrialState.INFEASIBLE, [p for p in lost if p.diverged]),
        "out of memory": (TrialState.FAILED, [p for p in lost if not p.diverged]),
    }
    return {name: group for name, group in groups.items() if group[1]}


def spread_out(axis: Axis, points: Sequence[Point]) -> list[float]:
    """Return the data coordinates of points along an axis; those of a category are spread so that they can be seen."""
    if axis.numeric:
        return [coordinate(axis, p.params[axis.key]) for p in points]
    return [round(coordinate(axis, p.params[axis.key]) + 0.5 * ((p.point * _GOLDEN) % 1 - 0.5), 3) for p in points]


def _params(params: Mapping[str, Any]) -> str:
    return "<br>".join(f"{escape(bare(key))} = {escape(shorten(number(value), 60))}" for key, value in params.items())
