"""How much better than it is the best of many noisy scores looks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from hpsearch.statistics.intervals import mean_interval


@dataclass(frozen=True, slots=True)
class Optimism:
    """By how much a searched score was too good, with the ends of its 95 % t interval."""

    value: float
    low: float
    high: float


def measured_optimism(searched: float, fresh: Sequence[float], maximize: bool) -> Optimism:
    """Return how much better a score looked when it was searched than its mean over fresh seeds is.

    ``searched - mean(fresh)``, the sign turned where smaller is better; the interval is that of the fresh mean.

    Args:
        searched: the score by which a point was chosen.
        fresh: scores of the same point over seeds that nothing was chosen by; at least two.
        maximize: whether larger is better.

    Returns:
        The optimism, in the metric's unit; positive where the search promised too much.

    Raises:
        ValueError: for fewer than two fresh scores.
    """
    interval = mean_interval(fresh)
    if interval is None:
        raise ValueError("optimism needs two fresh scores or more")
    sign = 1.0 if maximize else -1.0
    ends = sorted(sign * (searched - end) for end in (interval.low, interval.high))
    return Optimism(sign * (searched - float(np.mean(fresh))), ends[0], ends[1])


def expected_maximum(n: int) -> float:
    """Return the expected largest of `n` independent standard normal values.

    ``E[max] = integral over x > 0 of 1 - Phi(x)^n - Phi(-x)^n``; 1.54, 1.87, 2.25 and 2.51 for n = 10, 20, 50 and 100.

    Args:
        n: how many values, at least 1.

    Returns:
        The expectation in standard deviations.
    """
    x = np.linspace(0.0, 10.0, 4001)
    return float(np.trapezoid(1 - ndtr(x) ** n - ndtr(-x) ** n, x))
