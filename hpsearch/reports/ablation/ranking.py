"""Which arms may be the best, and how sure their order is: the same ranking over resampled seeds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import Arm, replicates_in_common, scores
from hpsearch.reports.ablation.comparisons import Difference
from hpsearch.reports.kit.evidence import by_seed, margin_of
from hpsearch.statistics.best import Standing, set_of_best
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
        standing: what all arms compared at once say of it, see `hpsearch.statistics.best.set_of_best`; "worse" too
            where another arm is better than it after Holm's adjustment, for then it is not the best.
    """

    arm: str
    place: float
    best: float
    low: float
    high: float
    standing: Standing

    @property
    def rival(self) -> bool:
        """Whether it has the best mean or may be as good as the one that has."""
        return self.standing in ("highest", "equal", "may be as good")


def ranking_of(
    arms: Sequence[Arm], objective: Objective, samples: int | None = None, beaten: Collection[str] = ()
) -> tuple[Rank, ...]:
    """Rank the arms by their means, and again over resampled replicates, the same ones for every arm.

    Args:
        arms: of the study; those without a score, or of which a trial does not train, are left out.
        objective: says what is better, and which difference counts as none.
        samples: of which the scores are shares; None where they are none.
        beaten: names of arms of which another is known to be better, see `beaten_of`.

    Returns:
        The arms with a score, the best first; empty with fewer than two of them, or fewer than two shared replicates.
    """
    ranked = [arm for arm in arms if arm.finished and not arm.lost]
    common = replicates_in_common(ranked)
    if len(ranked) < 2 or len(common) < 2:
        return ()
    sign = 1.0 if objective.maximize else -1.0
    values = sign * np.array([scores(arm, common) for arm in ranked])
    ranks, (seeds, shared) = resampled_ranks(-values), by_seed(common, values)
    standings = set_of_best(seeds, margin_of(objective, samples), shared).standing
    said = ["worse" if arm.name in beaten and each == "may be as good" else each
            for arm, each in zip(ranked, standings, strict=True)]  # fmt: skip
    rows = zip((arm.name for arm in ranked), ranks.rank, ranks.first, ranks.low, ranks.high, said, strict=True)
    return tuple(sorted((Rank(*row) for row in rows), key=lambda rank: rank.place))


def beaten_of(compared: Sequence[Difference], reference: Arm | None) -> frozenset[str]:
    """Return the arms that are not the best: those worse than the reference, and it where another one is better."""
    found = [each.arm for each in compared if each.verdict == "worse"]
    if reference is not None and any(each.verdict == "better" for each in compared):
        found.append(reference.name)
    return frozenset(found)
