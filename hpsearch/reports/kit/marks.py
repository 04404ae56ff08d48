"""How the points of a study are drawn: which of very many, their texts, ranks and places."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpsearch.base.labels import shorten
from hpsearch.base.types import TrialState
from hpsearch.base.words import bare, score, written
from hpsearch.reports.kit.canvas import Layout, axis_style, coordinate, escape, positive_span
from hpsearch.reports.kit.curves import extremes, thin
from hpsearch.reports.kit.points import Point, Results
from hpsearch.reports.kit.space import Axis
from hpsearch.statistics.ranks import ranks_of

_GOLDEN = 0.6180339887  # multiples of it fill an interval evenly
MANY_POINTS = 400  # beyond, single seeds are not drawn and hover texts are short
MOST_POINTS = 1500  # drawn in one figure


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
    """Return the points to draw when there are very many.

    Args:
        results: the study's result.
        points: what there is to draw.
        most: how many to draw.

    Returns:
        The points by number, all of them when they are few; else the best third of `most`, of the others with a score
        the best and the worst of each stretch, and of those without one every so many.
    """
    if len(points) <= most:
        return tuple(points)
    scored = sorted((p for p in points if p.mean is not None), key=lambda p: loss(results, p))
    kept = {p.point for p in scored[: most // 3]}
    others = [p for p in points if p.point not in kept]
    with_score, without = ([p for p in others if (p.mean is None) is lacks] for lacks in (False, True))
    share = round((most - len(kept)) * len(with_score) / len(others))
    kept |= {with_score[i].point for i in extremes(np.array([loss(results, p) for p in with_score]), share)}
    kept |= {without[i].point for i in thin(len(without), max(most - len(kept), 0))}
    return tuple(p for p in points if p.point in kept)


def shown_of(shown: int, total: int, noun: str) -> str:
    """Return a sentence that says how much is drawn; empty when it is all."""
    return "" if shown >= total else f" Shown: {shown:,} of {total:,} {noun}, the best and the worst among them."


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
    return "<br>".join(f"{escape(bare(key))} = {escape(shorten(text, 60))}" for key, text in written(params).items())
