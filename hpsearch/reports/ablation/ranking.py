"""How sure the order of the arms is: the same ranking over resampled seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import Arm, replicates_in_common, scores
from hpsearch.statistics.estimates import RESAMPLES, draws


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of an arm.

    Attributes:
        arm: its name.
        place: by the mean over the shared replicates; 1 is the best, ties share the middle place.
        best: share of the resamples in which it has the best mean, ties shared out.
        low: place that it reaches or betters in 2.5 % of the resamples.
        high: place that it does not fall behind in 97.5 % of them.
    """

    arm: str
    place: float
    best: float
    low: float
    high: float


def ranking_of(arms: Sequence[Arm], objective: Objective) -> tuple[Rank, ...]:
    """Rank the arms by their means, and again over resampled replicates, the same ones for every arm.

    Args:
        arms: of the study; those without a score are left out.
        objective: says what is better.

    Returns:
        The arms with a score, the best first; empty with fewer than two of them, or fewer than two shared replicates.
    """
    ranked = [arm for arm in arms if arm.finished]
    common = replicates_in_common(ranked)
    if len(ranked) < 2 or len(common) < 2:
        return ()
    sign = -1.0 if objective.maximize else 1.0
    values = sign * np.array([scores(arm, common) for arm in ranked])
    places = _places(values.mean(axis=1)[:, None])[:, 0]
    means = np.stack([row[draws(len(common), RESAMPLES)].mean(axis=1) for row in values])
    resampled = _places(means)
    first = means == means.min(axis=0)
    best = (first / first.sum(axis=0)).mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975], axis=1)
    order = np.argsort(places, kind="stable")
    return tuple(Rank(ranked[i].name, *(float(x[i]) for x in (places, best, low, high))) for i in order)


def _places(means: "np.typing.NDArray[np.float64]") -> "np.typing.NDArray[np.float64]":
    """Return the place `[arm, resample]` of every arm, ties in the middle of theirs."""
    smaller = (means[None, :, :] < means[:, None, :]).sum(axis=1)
    equal = (means[None, :, :] == means[:, None, :]).sum(axis=1)
    return np.asarray(smaller + (equal + 1) / 2)
