"""Updates to a target over batch sizes, as the claims about them read them."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.words import number
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.claims.claim import BATCH, Evidence
from hpsearch.reports.ablation.claims.common import Replicate, along_factor, one_level_only
from hpsearch.reports.ablation.costs import Cost, TimeToTarget

Group: TypeAlias = list[tuple[float, tuple[Arm, Cost]]]
"""Arms with their costs by batch size, ascending."""
COARSE = 0.2
"""Largest part of the updates to the target that may lie between two evaluations."""


def groups_at_target(evidence: Evidence) -> dict[str, Group]:
    """Return, by the other factors, arms over batch sizes of which three or more reached the target with one trial."""
    pairs = [(arm, cost) for arm, cost in evidence.pairs if cost.to_target]
    groups = along_factor(pairs, BATCH, lambda pair: pair[0].levels)
    return {name: group for name, group in groups.items() if len(sizes_at_target(group)) > 2}


def too_few_at_target(evidence: Evidence) -> str:
    """Return why updates to a target cannot be compared."""
    few = one_level_only((arm.levels for arm in evidence.arms), BATCH)
    target = next((times.target for cost in evidence.costs for times in cost.to_target.values()), None)
    if few or target is None:
        return few or "no target is set (ablation.target)"
    return f"fewer than three batch sizes reached the target {number(target)}"


def sizes_at_target(group: Group) -> list[tuple[float, TimeToTarget]]:
    """Return the batch sizes with a trial that reached the target, each with its updates."""
    return [(size, times) for size, (_, cost) in group if any((times := cost.to_target["updates"]).reached)]


def reached(group: Group) -> Group:
    """Return the batch sizes of a group that have a trial which reached the target."""
    return [(size, pair) for size, pair in group if any(pair[1].to_target["updates"].reached)]


def updates_by_seed(group: Group) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Replicate]]:
    """Return batch sizes `[B]`, updates to the target `[seed, B]`, nan where not reached, and the seeds all have."""
    reached = sizes_at_target(group)
    rows = [
        {seed: v if there else math.nan for seed, v, there in zip(t.replicates, t.values, t.reached, strict=True)}
        for _, t in reached
    ]
    common = sorted(set.intersection(*(set(row) for row in rows)))
    updates = np.array([[row[seed] for row in rows] for seed in common]).reshape(len(common), len(rows))
    return np.array([size for size, _ in reached]), updates, common


def coarseness(group: Group) -> float:
    """Return the largest part of the updates to the target that lies between two evaluations: so many may be too many.

    Of each size it is the median over the trials that got there.
    """
    shares = []
    for _, times in sizes_at_target(group):
        found = [gap / value for gap, value in zip(times.gaps, times.values, strict=True) if not math.isnan(gap)]
        shares.append(float(np.median(found)))
    return max(shares, default=0.0)


def coarseness_text(coarse: float, limit: float = COARSE) -> str:
    """Say how coarsely updates are counted, where that decides."""
    if coarse <= limit:
        return ""
    return (
        f" (evaluated too rarely: of one size up to {100 * coarse:.0f} % of the updates lie between two evaluations; "
        "trainer.eval_steps)"
    )
