"""The best points of a study with several objectives: those that no other point beats in all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.digits import Digits
from hpsearch.base.types import Objective
from hpsearch.reports.kit.points import Results, ranked


@dataclass(frozen=True, slots=True)
class Front:
    """The points that count, and which of them are on the Pareto front.

    Attributes:
        objectives: what is optimized, the primary one first.
        values: mean over replicates of each objective, by point; of every point that has them all.
        front: the points that no other dominates, in the order of the primary objective, the best first.
        left_out: how many points have no value of some objective: unfinished, pruned, infeasible or failed.
    """

    objectives: tuple[Objective, ...]
    values: Mapping[int, tuple[float, ...]]
    front: tuple[int, ...]
    left_out: int

    @property
    def digits(self) -> list[Digits]:
        """How the values of each objective are written, each told from those of other points."""
        return [Digits.of(column) for column in zip(*self.values.values(), strict=True)]


def front_of(results: Results) -> Front | None:
    """Return the Pareto front over the means of replicates.

    Args:
        results: of the study; only a point with every replicate COMPLETE dominates another.

    Returns:
        The front; None with fewer than two objectives.
    """
    objectives = results.objective.each
    if len(objectives) < 2:
        return None
    points = ranked(results.eligible, results.objective)
    signs = [-1.0 if objective.maximize else 1.0 for objective in objectives]
    losses = np.array([p.values for p in points]).reshape(len(points), len(signs)) * signs
    front = [p.point for p, kept in zip(points, non_dominated(losses), strict=True) if kept]
    values = {p.point: p.values for p in points}
    return Front(objectives, values, tuple(front), len(results.points) - len(values))


def non_dominated(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows no other row dominates: at most as large everywhere and smaller somewhere.

    Args:
        losses: one row per point, one column per objective, smaller is better; equal rows do not dominate each other.

    Returns:
        A flag per row.
    """
    kept = np.zeros(len(losses), dtype=bool)
    front = np.empty((0, losses.shape[1]))
    for i in np.lexsort(losses.T[::-1]):  # whoever dominates a row stands before it
        row = losses[i]
        if not np.any(np.all(front <= row, axis=1) & np.any(front < row, axis=1)):
            kept[i] = True
            front = np.vstack([front, row])
    return kept
