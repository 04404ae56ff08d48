"""Which nuisance values an arm is given: the best of its search by a mean that is smoothed over its neighbours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.costs import Training, time_to_target
from hpsearch.reports.kit.points import Point, ranked
from hpsearch.reports.kit.space import Axis
from hpsearch.statistics.comparisons import least_significant_difference
from hpsearch.statistics.smoothing import local_quadratic, steps


def smoothed_means(points: Sequence[Point], axes: Sequence[Axis], stable: Mapping[int, bool]) -> dict[int, float]:
    """Smooth the means of an arm's settings over their neighbours; see `hpsearch.statistics.smoothing`.

    Settings are neighbours along numbers, in the space in which they were searched. Those that differ in a category, in
    null or in which keys are active are none. The steps are those of all settings that were tried, so that one that is
    left out is missing and its neighbours do not move together.

    Args:
        points: all settings of one arm.
        axes: the nuisance hyperparameters.
        stable: by point, whether every seed trains; of those that are not in it this is not known.

    Returns:
        By point, of those whose every trial is complete and trains; of all complete ones where none trains.
    """
    complete = [point for point in points if point.mean is not None]
    trained = [point for point in complete if stable.get(point.point, True)] or complete
    found: dict[int, float] = {}
    for group in _comparable(points, axes):
        kept = [place for place, point in enumerate(group) if point in trained]
        keys = [axis.key for axis in axes if axis.numeric and axis.key in group[0].params]
        places = steps([[point.params[key] for point in group] for key in keys])
        if kept:
            values = local_quadratic(places[kept], [_mean(group[place]) for place in kept])
            found |= {group[place].point: value for place, value in zip(kept, values, strict=True)}
    return found


def chosen(points: Sequence[Point], smoothed: Mapping[int, float], objective: Objective) -> Point | None:
    """Return the setting of the best smoothed mean, of those whose own mean is not clearly worse than the best mean.

    Clearly worse is by more than Fisher's `least_significant_difference` at 5 %, the spread over seeds pooled over the
    settings: where they are so far apart that a parabola does not fit, it does not decide. One seed says nothing of the
    spread, and none is left out. Of equal ones the one of the better mean is returned.

    Args:
        points: all settings of one arm.
        smoothed: from `smoothed_means`.
        objective: says what is better.

    Returns:
        The setting; None where none trained to the end.
    """
    sign = 1.0 if objective.maximize else -1.0
    trained = [point for point in ranked(points, objective) if point.point in smoothed]
    if not trained:
        return None
    fewest = min(point.n for point in trained)
    noise = least_significant_difference([point.scores for point in trained], fewest) if fewest > 1 else math.inf
    least = sign * _mean(trained[0]) - noise
    candidates = [point for point in trained if sign * _mean(point) >= least]
    return max(candidates, key=lambda point: sign * float(f"{smoothed[point.point]:.12g}"))


def judged_by_updates(
    points: Sequence[Point], trainings: Mapping[int, Sequence[Training]], objective: Objective, target: float
) -> list[Point]:
    """Return settings whose mean is that of the logarithm of the updates to a target, in place of the score.

    Args:
        points: all settings of one arm.
        trainings: of their trials, by point.
        objective: says what is better.
        target: value to reach.

    Returns:
        The settings; one of which a trial did not reach the target has no mean.
    """
    judged = []
    for point in points:
        times = time_to_target(trainings.get(point.point, ()), objective, target, "updates")
        there = point.mean is not None and all(times.reached) and times.n >= point.n
        logs = tuple(math.log(value) for value in times.values) if there else ()
        mean = (math.fsum(logs) / len(logs),) if logs else ()
        judged.append(replace(point, scores=logs, replicates=times.replicates if logs else (), values=mean, sd=None))
    return judged


def _comparable(points: Sequence[Point], axes: Sequence[Axis]) -> list[list[Point]]:
    """Return settings in groups that differ in numbers alone."""
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        active = [axis for axis in axes if axis.key in point.params]
        kind = [axis.key if axis.numeric else f"{axis.key} = {point.params[axis.key]!r}" for axis in active]
        groups.setdefault(tuple(kind), []).append(point)
    return list(groups.values())


def _mean(point: Point) -> float:
    assert point.mean is not None
    return point.mean
