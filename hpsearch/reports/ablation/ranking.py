"""How sure the order of the arms is: the same ranking over resampled seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import Arm, replicates_in_common, scores
from hpsearch.statistics.comparisons import resampled_ranks


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
        arms: of the study; those without a score, or of which a trial diverged, are left out.
        objective: says what is better.

    Returns:
        The arms with a score, the best first; empty with fewer than two of them, or fewer than two shared replicates.
    """
    ranked = [arm for arm in arms if arm.finished and not arm.diverged]
    common = replicates_in_common(ranked)
    if len(ranked) < 2 or len(common) < 2:
        return ()
    sign = -1.0 if objective.maximize else 1.0
    ranks = resampled_ranks(sign * np.array([scores(arm, common) for arm in ranked]))
    rows = zip((arm.name for arm in ranked), ranks.rank, ranks.first, ranks.low, ranks.high, strict=True)
    return tuple(sorted((Rank(*row) for row in rows), key=lambda rank: rank.place))
