"""Updates to a target over batch sizes, as the claims about them read them."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.words import count, number
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.claims.claim import BATCH, Evidence
from hpsearch.reports.ablation.claims.common import Replicate, along_factor, one_level_only
from hpsearch.reports.ablation.costs import Cost, TimeToTarget

Group: TypeAlias = list[tuple[float, tuple[Arm, Cost]]]
"""Arms with their costs by batch size, ascending."""
MISFIT = 0.2
"""Largest relative deviation (root mean square) from a curve that is still said to describe the points."""


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
    """Return the largest part of the updates to the target that one epoch makes up: so many are counted too many."""
    medians = [cost.to_target["epochs"].median for _, (_, cost) in group]
    return max((1 / median for median in medians if median is not None), default=0.0)


def coarseness_text(coarse: float) -> str:
    """Say how coarsely updates are counted, where that decides."""
    if coarse <= MISFIT:
        return ""
    epochs = count(round(1 / coarse), "epoch")
    return f" (one size needs {epochs}: counted to the end of one, its updates are up to {100 * coarse:.0f} % too many)"
