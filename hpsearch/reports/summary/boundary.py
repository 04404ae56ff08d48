"""Where training is stable along a hyperparameter, and where it diverges."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.halved import halved
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.statistics.comparisons import ALPHA

_FEWEST = 3  # points on either side, fewer say nothing of an edge between them
_TOLD_APART = 0.75  # balanced accuracy from which on one key explains what diverges
_SHUFFLES = 999


@dataclass(frozen=True, slots=True)
class StableRange:
    """The smallest and the largest value of a contiguous run of tried values."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Edge:
    """The bracket in which training starts to diverge.

    Attributes:
        side: whether divergence lies above or below the stable values.
        inside: the outermost stable value on that side.
        outside: the first value that diverged.
        estimate: halfway between the two, on the axis's scale.
        onset: halfway between the first value that diverged and the last before it that did not, stable or not.
    """

    side: Literal["above", "below"]
    inside: float
    outside: float
    estimate: float
    onset: float


@dataclass(frozen=True, slots=True)
class Stability:
    """Which values of one hyperparameter train, the others held at the best point's.

    Attributes:
        axis: the hyperparameter.
        stable: the stable range around the best point, if the best point itself is stable.
        diverged: values at which at least one replicate diverged, ascending.
        edges: at most one above and one below.
    """

    axis: Axis
    stable: StableRange | None
    diverged: tuple[float, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The value of one hyperparameter that best tells diverged points from trained ones, whatever the others are.

    Attributes:
        axis: the hyperparameter.
        side: whether the points beyond the edge lie above or below it.
        edge: the estimated edge of stability.
        low: lower end of the zone around it in which points of both kinds lie.
        high: upper end; the zone is the gap between the two kinds when they do not mix.
        accuracy: mean of the shares of diverged and of trained points that lie on their side.
        diverged: how many points diverged.
        p: how often points that diverge by chance would be told apart as well along any hyperparameter.
    """

    axis: Axis
    side: Literal["above", "below"]
    edge: float
    low: float
    high: float
    accuracy: float
    diverged: int
    p: float


def stability(table: TrialTable, axis: Axis, params: Mapping[int, Mapping[str, Any]], best: int) -> Stability | None:
    """Return where training is stable and where it diverges along one numeric hyperparameter.

    Only points that share every other hyperparameter with the best point are read; the stable range is the run of
    stable values around the best one. Source: the practice of a learning-rate sweep, https://arxiv.org/abs/1506.01186.

    Args:
        table: the study.
        axis: a numeric hyperparameter.
        params: the hyperparameters of each point.
        best: the best point.

    Returns:
        The stable range, the diverged values and the edges between them; None when no other value was tried there.
    """
    line = {p: float(v[axis.key]) for p, v in params.items() if _same_line(v, params[best], axis.key)}
    if len(set(line.values())) < 2:
        return None
    verdicts = {p: ok for p, ok in halved(table).items() if p in line}
    stable = _around(line[best], _by_value(line, verdicts))
    rows = table.trials[table.trials["point"].isin(list(line))]
    away = {line[p] for p, s, r in zip(rows["point"], rows["state"], rows["reason"], strict=True) if diverged(s, r)}
    tried = sorted(set(line.values()) - away)
    return Stability(axis, stable, tuple(sorted(away)), _edges(axis, line[best], stable, sorted(away), tried))


def frontier_of(axes: Sequence[Axis], points: Sequence[Point]) -> Frontier | None:
    """Estimate the edge of stability from scattered points, along the numeric hyperparameter that tells most.

    Among all thresholds t, each halfway between neighbours, the one with the largest balanced accuracy
    ``(P(beyond t | diverged) + P(not beyond t | trained)) / 2``; of equal ones the middle one. The largest of so many
    is large by chance too: it is compared with the largest over all hyperparameters, thresholds and sides after which
    points diverge was shuffled, ``p = (1 + times it is reached) / (1 + shuffles)``.

    Args:
        axes: the searched hyperparameters.
        points: all points; COMPLETE and PRUNED ones trained.

    Returns:
        The edge; None with fewer than 3 points of either kind, when no single hyperparameter tells them apart, or when
        one would as well by chance in more than 5 % of the shuffles.
    """
    known = [p for p in points if p.diverged or p.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    away = np.asarray([p.diverged > 0 for p in known])
    lines = [line for axis in axes if axis.numeric and len((line := _line(axis, known)).below)]
    found = [edge for line in lines if (edge := _frontier(line, away))]
    best = max(found, key=lambda edge: edge.accuracy, default=None)
    if best is None or best.accuracy < _TOLD_APART:
        return None
    shuffled = np.random.default_rng(0).permuted(np.tile(away, (_SHUFFLES, 1)), axis=1)
    largest = np.max([_told_apart(line, shuffled).max(axis=1) for line in lines], axis=0)
    p = (1 + int(np.sum(largest >= best.accuracy - 1e-12))) / (1 + _SHUFFLES)
    return replace(best, p=p) if p <= ALPHA else None


@dataclass(frozen=True, slots=True)
class _Line:
    """Points along one hyperparameter.

    Attributes:
        axis: the hyperparameter.
        order: numbers of the points that have it, ascending in it.
        places: where they lie, in this order.
        below: of each threshold how many of them lie below it.
    """

    axis: Axis
    order: NDArray[np.intp]
    places: NDArray[np.float64]
    below: NDArray[np.intp]


def _line(axis: Axis, points: Sequence[Point]) -> _Line:
    places = np.asarray([axis.place_in(p.params) for p in points], dtype=np.float64)
    order = np.argsort(places, kind="stable")[: int(np.isfinite(places).sum())]
    return _Line(axis, order, places[order], np.flatnonzero(np.diff(places[order]) > 0) + 1)


def _told_apart(line: _Line, away: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the balanced accuracy ``[shuffle, threshold]`` of the better side, 0 with too few points of a kind."""
    lost = np.cumsum(away[:, line.order], axis=1, dtype=np.int64)
    of_lost = lost[:, -1:]
    of_kept = len(line.order) - of_lost
    lost = lost[:, line.below - 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        above = (1 - lost / of_lost + (line.below - lost) / of_kept) / 2
    few = np.minimum(of_lost, of_kept) < _FEWEST
    return np.where(few, 0.0, np.maximum(above, 1 - above))


def _frontier(line: _Line, away: NDArray[np.bool_]) -> Frontier | None:
    accuracy = _told_apart(line, away[None, :])[0]
    if accuracy.max() <= 0:
        return None
    ties = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    at = line.below[ties[len(ties) // 2]]
    lost, kept = (line.places[away[line.order] == diverges] for diverges in (True, False))
    above = np.mean(lost >= line.places[at]) >= np.mean(kept >= line.places[at])
    zone = sorted((lost.min(), kept.max()) if above else (lost.max(), kept.min()))
    edge = (line.places[at - 1] + line.places[at]) / 2
    low, edge, high = (line.axis.unplace(float(place)) for place in (zone[0], edge, zone[1]))
    side: Literal["above", "below"] = "above" if above else "below"
    return Frontier(line.axis, side, edge, low, high, float(accuracy.max()), int(away.sum()), math.nan)


def _same_line(a: Mapping[str, Any], b: Mapping[str, Any], key: str) -> bool:
    return key in a and key in b and {**a, key: None} == {**b, key: None}


def _by_value(line: Mapping[int, float], verdicts: Mapping[int, bool]) -> dict[float, bool]:
    merged: dict[float, bool] = {}
    for point, ok in verdicts.items():
        merged[line[point]] = merged.get(line[point], True) and ok
    return merged


def _around(best: float, verdicts: Mapping[float, bool]) -> StableRange | None:
    if not verdicts.get(best, False):
        return None
    below = [value for value in sorted(verdicts, reverse=True) if value < best]
    above = [value for value in sorted(verdicts) if value > best]
    return StableRange(_reach(best, below, verdicts), _reach(best, above, verdicts))


def _reach(start: float, outward: Sequence[float], verdicts: Mapping[float, bool]) -> float:
    reached = start
    for value in outward:
        if not verdicts[value]:
            break
        reached = value
    return reached


def _edges(
    axis: Axis, best: float, stable: StableRange | None, away: Sequence[float], tried: Sequence[float]
) -> tuple[Edge, ...]:
    edges = []
    above, below = [v for v in away if v > best], [v for v in away if v < best]
    if above:
        reached = max(v for v in tried if v < above[0])
        edges.append(_edge(axis, "above", stable.high if stable else reached, reached, above[0]))
    if below:
        reached = min(v for v in tried if v > below[-1])
        edges.append(_edge(axis, "below", stable.low if stable else reached, reached, below[-1]))
    return tuple(edges)


def _edge(axis: Axis, side: Literal["above", "below"], inside: float, reached: float, outside: float) -> Edge:
    return Edge(side, inside, outside, _halfway(axis, inside, outside), _halfway(axis, reached, outside))


def _halfway(axis: Axis, a: float, b: float) -> float:
    return axis.unplace((axis.place(a) + axis.place(b)) / 2)
