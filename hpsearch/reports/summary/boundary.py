"""Where training is stable along a hyperparameter, and where it diverges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.points import Point, halved
from hpsearch.reports.kit.space import Axis

_FEWEST = 3  # points on either side, fewer say nothing of an edge between them
_TOLD_APART = 0.75  # balanced accuracy from which on one key explains what diverges


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
    """

    axis: Axis
    side: Literal["above", "below"]
    edge: float
    low: float
    high: float
    accuracy: float
    diverged: int


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
    ``(P(beyond t | diverged) + P(not beyond t | trained)) / 2``; of equal ones the middle one.

    Args:
        axes: the searched hyperparameters.
        points: all points; COMPLETE and PRUNED ones trained.

    Returns:
        The edge; None with fewer than 3 points of either kind, or when no single hyperparameter tells them apart.
    """
    away = [p for p in points if p.diverged]
    trained = [p for p in points if p.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    sides: tuple[Literal["above", "below"], ...] = ("above", "below")
    edges = [e for axis in axes if axis.numeric for side in sides if (e := _frontier(axis, side, away, trained))]
    best = max(edges, key=lambda edge: edge.accuracy, default=None)
    return best if best is not None and best.accuracy >= _TOLD_APART else None


def _frontier(
    axis: Axis, side: Literal["above", "below"], away: Sequence[Point], trained: Sequence[Point]
) -> Frontier | None:
    sign = 1.0 if side == "above" else -1.0
    lost, kept = (
        np.sort([sign * axis.place(p.params[axis.key]) for p in points if axis.key in p.params])
        for points in (away, trained)
    )
    if len(lost) < _FEWEST or len(kept) < _FEWEST:
        return None
    places = np.unique(np.concatenate([lost, kept]))
    cuts = (places[1:] + places[:-1]) / 2
    if not len(cuts):
        return None
    beyond = 1 - np.searchsorted(lost, cuts) / len(lost)
    accuracy = (beyond + np.searchsorted(kept, cuts) / len(kept)) / 2
    best = np.flatnonzero(accuracy == accuracy.max())
    at = best[len(best) // 2]
    first, last = lost[0], kept[-1]
    zone = (first, last) if first <= last else (last, first)
    low, edge, high = (axis.unplace(float(sign * place)) for place in (zone[0], cuts[at], zone[1]))
    return Frontier(axis, side, edge, min(low, high), max(low, high), float(accuracy[at]), len(away))


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
