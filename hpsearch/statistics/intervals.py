"""Intervals for means over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval and how it was made.

    Attributes:
        low: lower end.
        high: upper end.
        level: nominal coverage.
        method: name of the method, with its degrees of freedom.
    """

    low: float
    high: float
    level: float
    method: str


def spread(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, ``sqrt(sum (x - mean)^2 / (n - 1))``; None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return Student's interval for the mean of independent, roughly normal values.

    ``mean ± t(n - 1, (1 + level) / 2) sd / sqrt(n)``.

    Args:
        values: one value per replicate.
        level: nominal coverage.

    Returns:
        The interval, or None for fewer than two values: one value says nothing about spread.
    """
    sd = spread(values)
    if sd is None:
        return None
    n = len(values)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * sd / math.sqrt(n)
    mean = float(np.mean(values))
    freedom = "1 degree" if n == 2 else f"{n - 1} degrees"
    return Interval(mean - half, mean + half, level, f"t interval of the mean, {freedom} of freedom")


def paired_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return Student's interval for the mean of the differences `a` - `b`, both in the same order of replicates."""
    return mean_interval([x - y for x, y in zip(a, b, strict=True)], level)


def welch_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return Welch's interval for the difference of the means of two independent samples, `a` - `b`.

    ``d ± t(f, (1 + level) / 2) sqrt(u + v)`` with ``u = var(a) / n``, ``v = var(b) / m`` and
    ``f = (u + v)^2 / (u^2 / (n - 1) + v^2 / (m - 1))`` (B. L. Welch, Biometrika 34, 1947).

    Args:
        a: one value per replicate.
        b: one value per replicate, of others.
        level: nominal coverage.

    Returns:
        The interval, or None where one of them has fewer than two values.
    """
    if len(a) < 2 or len(b) < 2:
        return None
    u, v = (float(np.var(x, ddof=1)) / len(x) for x in (a, b))
    difference = float(np.mean(a) - np.mean(b))
    if u + v == 0:
        return Interval(difference, difference, level, "Welch's t interval, no spread in either")
    freedom = (u + v) ** 2 / (u**2 / (len(a) - 1) + v**2 / (len(b) - 1))
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(u + v)
    return Interval(
        difference - half, difference + half, level, f"Welch's t interval, {freedom:.1f} degrees of freedom"
    )
