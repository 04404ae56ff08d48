"""Which points may be as good as the one of the best mean, all of them compared at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.base import words
from hpsearch.base.types import Objective
from hpsearch.reports.kit.evidence import by_seed, margin_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.statistics.best import set_of_best
from hpsearch.statistics.optimism import expected_optimism

NAMED = 3
"""So many values of one hyperparameter are named one by one where they are no neighbours of the best."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the seeds say of the points beside the best mean.

    Attributes:
        rivals: points that may be as good, the nearest first.
        variable: points that scatter too much over the seeds to be ranked.
        compared: how many points were compared, the best one and the variable ones included.
        freedom: degrees of freedom of the pooled standard deviation.
        optimism: by how much the best mean is too good for having been picked, on average; see `expected_optimism`.
        margin: a smaller difference counts as none.
        equal: those of the rivals that are worse by less than the margin, chance considered.
    """

    rivals: tuple[Point, ...]
    variable: tuple[Point, ...]
    compared: int
    freedom: int
    optimism: float
    margin: float = 0.0
    equal: tuple[Point, ...] = ()


def stand(best: Point | None, eligible: Sequence[Point], objective: Objective, pruned: int = 0) -> Standing | None:
    """Compare all complete points of the same seeds and folds; see `set_of_best`.

    Over folds the means of three seeds or more are compared; of fewer, all trainings, corrected for what folds share,
    as splits of each seed's own are.

    Args:
        best: the point of the best mean.
        eligible: the complete points, `best` among them.
        objective: whose scores they have.
        pruned: how many other points were stopped before their end.

    Returns:
        What is known of them; None for one seed, one point or points whose seeds are not the same.
    """
    if best is None:
        return None
    points = [point for point in eligible if point.replicates == best.replicates]
    if len(points) < 2 or best.n < 2:
        return None
    sign = 1.0 if objective.maximize else -1.0
    values = sign * np.asarray([point.scores for point in points], dtype=np.float64)
    scores, shared = by_seed(best.replicates, values, best.intervals.splits if best.intervals is not None else 0.0)
    margin = margin_of(objective, best.samples)
    found = set_of_best(scores, margin, shared)
    error = found.sd * math.sqrt(1 / scores.shape[1] + shared)
    optimism = expected_optimism(scores.mean(axis=1), error, pruned)
    known = list(zip(points, found.standing, found.loss, strict=True))
    rivals = [(abs(loss), point) for point, standing, loss in known
              if standing not in ("worse", "too variable") and point is not best]  # fmt: skip
    variable = tuple(point for point, standing, _ in known if standing == "too variable")
    nearest = tuple(point for _, point in sorted(rivals, key=lambda rival: rival[0]))
    equal = tuple(point for point, standing, _ in known if standing == "equal")
    return Standing(nearest, variable, len(points), found.freedom, optimism, margin, equal)


def allow_for_picking(best: Point | None, standing: Standing | None, objective: Objective) -> None:
    """Let the interval of a point that was picked reach as much further as its picking adds on average.

    Args:
        best: the point; its interval moves.
        standing: of the points that it was picked from; None where nothing is known of them.
        objective: whose scores they have.
    """
    if standing is not None and best is not None and best.intervals is not None:
        best.intervals.allow_for(standing.optimism if objective.maximize else -standing.optimism)


def as_good(standing: Standing | None, best: Point, axes: Sequence[Axis], among: int | None = None) -> str:
    """Write the clause of the answer that names what may be as good as its point.

    Args:
        standing: of the study's points.
        best: the point of the best mean.
        axes: the searched hyperparameters.
        among: how many points were compared, where these are the best of a search over fresh seeds; else all were.

    Returns:
        ``; 0.1 to 0.464 may be as good`` where the values are neighbours of the best, their names or number where they
        are not, ``are equally good within 0.01`` where all are, or that every other one is worse; empty where nothing
        was compared.
    """
    if standing is None:
        return ""
    if best in standing.variable:
        return "; it scatters too much over the seeds to be ranked"
    alone = axes[0] if len(axes) == 1 else None
    noun = "value" if alone else "point"
    if not standing.rivals:
        every = "every other" if among is None else f"every other of the {among} so trained"
        noun = noun if among is None else ""
        return f"; {' '.join(filter(None, (every, noun)))}{' that can be ranked' if standing.variable else ''} is worse"
    one = len(standing.rivals) == 1
    verb = "may be as good"
    if len(standing.equal) == len(standing.rivals):
        verb = f"{'is' if one else 'are'} equally good within {standing.margin:.3g}"
    of = "" if among is None else f"of the {among} so trained "
    return f"; {of}{_named(standing.rivals, best, alone) or words.count(len(standing.rivals), f'other {noun}')} {verb}"


def _named(rivals: Sequence[Point], best: Point, alone: Axis | None) -> str:
    """Name points by the values of one hyperparameter; empty where there are several, or too many values."""
    if alone is None:
        return ""
    if alone.numeric:
        places = sorted(alone.values.index(p.params[alone.key]) for p in (best, *rivals))
        if len(places) > 2 and places == list(range(places[0], places[-1] + 1)):
            low, high = alone.values[places[0]], alone.values[places[-1]]
            return f"{alone.write(low)} to {alone.write(high)}"
    order = sorted(rivals, key=lambda p: alone.values.index(p.params[alone.key])) if alone.numeric else rivals
    names = [alone.write(p.params[alone.key]) for p in order]
    return words.listed(names) if len(names) <= NAMED else ""
