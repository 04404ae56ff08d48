"""Repeats of the same measurements in rounds: whether one of them is larger, whatever each round was disturbed by."""

import numpy as np
from numpy.typing import ArrayLike

SHUFFLES = 4000


def above_least_p(values: ArrayLike) -> float:
    """Return how often chance alone would put the first of some measurements as far above the least.

    The statistic is the difference between the median of the first and the least of all medians. If nothing differs,
    the values of a round may be shuffled among its measurements: p is the share of shuffles that reach the statistic,
    ``(1 + count) / (1 + SHUFFLES)``, the same for the same values. Source: Pitman, Significance tests which may be
    applied to samples from any populations, Journal of the Royal Statistical Society Supplement 1937.

    Args:
        values: ``[round, measurement]``, such as logarithms of times.

    Returns:
        The p-value.
    """
    x = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(len(x))
    shuffled = rng.permuted(np.broadcast_to(x, (SHUFFLES, *x.shape)), axis=2)
    return float((1 + np.sum(_above(shuffled) >= _above(x) - 1e-12)) / (1 + SHUFFLES))


def _above(values: np.ndarray) -> np.ndarray:
    medians = np.median(values, axis=-2)
    return np.asarray(medians[..., 0] - medians.min(axis=-1))
