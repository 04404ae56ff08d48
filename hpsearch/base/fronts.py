"""Ranks of points by several objectives."""

from collections.abc import Sequence

import numpy as np


def front_numbers(scores: Sequence[Sequence[float]]) -> list[int]:
    """Sort points into fronts: 0 for those that no other dominates, 1 for those that only these dominate, and so on.

    A point dominates another that it equals or beats in every objective and beats in one (non-dominated sorting; Deb et
    al. 2002, A fast and elitist multiobjective genetic algorithm: NSGA-II).

    Args:
        scores: one row per point, one number per objective, larger is better.

    Returns:
        The number of every point's front; equal points share one.
    """
    if not scores:
        return []
    values = np.asarray(scores, float)
    numbers = np.zeros(len(values), int)
    at_least = np.all(values[:, None] >= values[None], axis=2)
    dominates = at_least & ~at_least.T
    left, front = np.ones(len(values), bool), 0
    while left.any():
        first = left & ~dominates[left].any(axis=0)
        numbers[first] = front
        left &= ~first
        front += 1
    return [int(number) for number in numbers]
