"""Where trainings of scattered points fail."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.types import TrialState
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.statistics.comparisons import ALPHA

_FEWEST = 3  # points on either side, fewer say nothing of an edge between them
_TOLD_APART = 0.75  # balanced accuracy from which on one key explains what fails
_SHUFFLES = 999
_PARTS = 100  # of the shuffles: few enough at a time that they stay in the cache


@dataclass(frozen=True, slots=True)
class Frontier:
    """The value of one hyperparameter that best tells points that failed from trained ones, whatever the others are.

    Attributes:
        axis: the hyperparameter.
        side: whether the points beyond the edge lie above or below it.
        edge: the estimate.
        low: lower end of the zone around it in which points of both kinds lie.
        high: upper end; the zone is the gap between the two kinds when they do not mix.
        accuracy: mean of the shares of failed and of trained points that lie on their side.
        failed: how many points failed.
        p: how often points that fail by chance would be told apart as well along any hyperparameter.
    """

    axis: Axis
    side: Literal["above", "below"]
    edge: float
    low: float
    high: float
    accuracy: float
    failed: int
    p: float


def frontier_of(axes: Sequence[Axis], points: Sequence[Point], failed: Collection[int]) -> Frontier | None:
    """Estimate where trainings of scattered points fail, along the numeric hyperparameter that tells most.

    Among all thresholds t, each halfway between neighbours, the one with the largest balanced accuracy
    ``(P(beyond t | failed) + P(not beyond t | trained)) / 2``; of equal ones the middle one. The largest of so many
    is large by chance too: it is compared with the largest over all hyperparameters, thresholds and sides after which
    points fail was shuffled, ``p = (1 + times it is reached) / (1 + shuffles)``.

    Args:
        axes: the searched hyperparameters.
        points: all points; COMPLETE and PRUNED ones that did not fail trained.
        failed: those of which a trial failed, see `hpsearch.reports.kit.training.failed_points`.

    Returns:
        The edge; None with fewer than 3 points of either kind, when no single hyperparameter tells them apart, or when
        one would as well by chance in more than 5 % of the shuffles.
    """
    known = [p for p in points if p.point in failed or p.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    away = np.asarray([p.point in failed for p in known])
    lines = [line for axis in axes if axis.numeric and len((line := _line(axis, known)).below)]
    found = [edge for line in lines if (edge := _frontier(line, away))]
    best = max(found, key=lambda edge: edge.accuracy, default=None)
    if best is None or best.accuracy < _TOLD_APART:
        return None
    shuffled = np.random.default_rng(0).permuted(np.tile(away, (_SHUFFLES, 1)), axis=1)
    parts = np.array_split(shuffled, _PARTS)
    largest = np.concatenate([np.max([_told_apart(line, p).max(axis=1) for line in lines], axis=0) for p in parts])
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
    lost = np.cumsum(away[:, line.order], axis=1, dtype=np.int32)
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
    lost, kept = (line.places[away[line.order] == fails] for fails in (True, False))
    above = np.mean(lost >= line.places[at]) >= np.mean(kept >= line.places[at])
    zone = sorted((lost.min(), kept.max()) if above else (lost.max(), kept.min()))
    edge = (line.places[at - 1] + line.places[at]) / 2
    low, edge, high = (line.axis.unplace(float(place)) for place in (zone[0], edge, zone[1]))
    side: Literal["above", "below"] = "above" if above else "below"
    return Frontier(line.axis, side, edge, low, high, float(accuracy.max()), int(away.sum()), math.nan)
