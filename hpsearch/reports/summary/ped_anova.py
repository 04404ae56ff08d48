"""PED-ANOVA: what sets the best points apart from all, along each hyperparameter.

Source: Watanabe, Bansal and Hutter 2023, https://arxiv.org/abs/2304.10255; for a hyperparameter that is active only
under a condition https://arxiv.org/abs/2601.20800. The estimate is that of Optuna 5.0.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hpsearch.reports.kit.curves import Array

Indices: TypeAlias = NDArray[np.intp]

CELLS = 50
"""Cells of equal width that the range of a number is divided into."""
_NARROWEST = 0.5 / 1.64  # standard deviation of a kernel, in cells: nine tenths of it lie in its own cell
_LEAST = 1e-12  # density added everywhere


def best_of_all(losses: Array, quantile: float) -> NDArray[np.bool_]:
    """Return which losses are at most their quantile, an order statistic."""
    place = math.ceil(quantile * len(losses)) - 1
    return np.asarray(losses <= np.partition(losses, place)[place])


def importance_along(cells: Indices, size: int, best: NDArray[np.bool_], *, listed: bool) -> float:
    """Return how much the best points are set apart from all along one hyperparameter.

    With p the density of the active points over the cells, q that of the best ones among them, a the share of the best
    points that are active and b that of all points, it is ``a^2 / b * sum_c p(c) (q(c) / p(c) - 1)^2``: Pearson's
    divergence, which a constant factor turns into the variance that the hyperparameter explains.

    Args:
        cells: the cell that each point lies in `[N]`; -1 where the hyperparameter is not active.
        size: how many cells there are.
        best: which points are the best `[N]`.
        listed: whether cells are values without an order; numbers are smoothed over neighbouring cells.

    Returns:
        A number that is comparable between the hyperparameters of the same points; 0 with fewer than two active ones.
    """
    active = cells >= 0
    above = active & best
    if active.sum() < 2 or not above.any():
        return 0.0
    density = listed_density if listed else numeric_density
    p, q = (density(np.bincount(cells[which], minlength=size)) + _LEAST for which in (active, above))
    a, b = above.sum() / best.sum(), active.mean()
    return float(a**2 / b * (p @ (q / p - 1) ** 2))


def listed_density(counts: Indices) -> Array:
    """Return the Parzen density of values without an order, from how often each was seen.

    Every value that was seen has a kernel with 1 + w at itself and w at the others, w = 1 / (kernels + 1), and the
    weight of its count; one point more is spread evenly.
    """
    seen = np.flatnonzero(counts)
    kernels = np.full((len(seen), len(counts)), 1.0 / (len(seen) + 1))
    kernels[np.arange(len(seen)), seen] += 1
    kernels /= kernels.sum(axis=1, keepdims=True)
    return np.asarray((counts[seen] @ kernels + 1.0 / len(counts)) / (counts.sum() + 1))


def numeric_density(counts: Indices) -> Array:
    """Return the Parzen density over cells of equal width, from how many points lie in each.

    Kernels are Gaussians, integrated over each cell and cut off at both ends, of Scott's width
    ``1.059 min(sd, IQR / 1.34) n^(-1/5)``; one point more has a kernel over the whole range.
    """
    seen = np.flatnonzero(counts)
    weights, n, last = counts[seen], counts.sum(), len(counts) - 1
    deviation = math.sqrt((seen - seen @ weights / n) ** 2 @ weights / max(1, n - 1))
    below = np.cumsum(weights)
    low, high = np.searchsorted(below, n // 4, side="left"), np.searchsorted(below, n * 3 // 4, side="right")
    quartiles = seen[min(len(seen) - 1, high)] - seen[low]
    width = max(1.059 * min(quartiles / 1.34, deviation) * n**-0.2, _NARROWEST)
    centres, widths = np.append(seen, last / 2), np.append(np.full(len(seen), width), last + 1)
    ends = (np.arange(len(counts) + 1) - 0.5 - centres[:, None]) / widths[:, None]
    masses = np.where(
        ends[:, :-1] > 0, ndtr(-ends[:, :-1]) - ndtr(-ends[:, 1:]), ndtr(ends[:, 1:]) - ndtr(ends[:, :-1])
    )
    return np.asarray(np.append(weights, 1) @ (masses / masses.sum(axis=1, keepdims=True)) / (n + 1))


def cells_of(values: Sequence[float | None], low: float, high: float) -> Indices:
    """Return the cell of each number between `low` and `high`, a boundary with the lower one; -1 for None."""
    numbers = np.array([low if value is None else value for value in values], dtype=float)
    cells = np.ceil((numbers - low) / ((high - low) / (CELLS - 1)) - 0.5).astype(np.intp).clip(0, CELLS - 1)
    return np.where([value is None for value in values], -1, cells)
