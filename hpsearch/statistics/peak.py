"""Where a curve has its top, and intervals of what is made of several such estimates."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from hpsearch.statistics.intervals import Interval, binary_scale

PARABOLA = 3
"""Coefficients of a parabola."""
ROUNDING = 1e-24
"""Share of the sum of squares below which what a fit leaves is rounding, and no spread that an interval is made of."""


def parabola_peak(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> tuple[float, Interval] | None:
    """Return where a parabola through repeated measurements has its top, with Fieller's interval.

    The model is ``y_ij = a_j + b x_i + c x_i^2 + e_ij``, a constant for every repeat j, by least squares; its top is
    ``-b / (2 c)``. With V the covariance matrix of (b, c) and t the quantile of Student's distribution with
    ``R n - n - 2`` degrees of freedom, the interval holds every place z with
    ``(b + 2 c z)^2 <= t^2 (V_bb + 4 z V_bc + 4 z^2 V_cc)``. What the parabola does not fit widens it. Source: Fieller,
    Some problems in interval estimation, Journal of the Royal Statistical Society B 1954.

    Args:
        x: ``[R]`` places, three different ones at least.
        y: ``[R, n]`` values, every repeat measured at every place.
        level: nominal coverage.

    Returns:
        The top and its interval; None where the parabola is not shown to bend down, or there is no spread to judge that
        by.
    """
    places, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    repeats = values.shape[1]
    freedom = values.size - repeats - (PARABOLA - 1)
    if len(np.unique(places)) < PARABOLA or freedom < 1:
        return None
    values = values / binary_scale(values)
    middle = places.mean()
    design = np.stack([places - middle, (places - middle) ** 2], axis=1)
    design = design - design.mean(axis=0)
    inverse = np.linalg.inv(design.T @ design)
    centred = values - values.mean(axis=0)
    b, c = inverse @ design.T @ centred.mean(axis=1)
    rest = centred - (design @ np.array([b, c]))[:, None]
    squares = float(np.sum(rest**2))
    if squares <= ROUNDING * float(np.sum(values**2)):
        return None
    covariance = inverse * squares / freedom / repeats
    limit = float(stdtrit(freedom, (1 + level) / 2)) ** 2
    square = 4 * (c**2 - limit * covariance[1, 1])
    if c >= 0 or square <= 0:
        return None
    linear = 4 * (b * c - limit * covariance[0, 1])
    root = math.sqrt(max(0.0, linear**2 - 4 * square * (b**2 - limit * covariance[0, 0])))
    low, high = (middle + (-linear + sign * root) / (2 * square) for sign in (-1, 1))
    method = f"Fieller's interval, {freedom} degrees of freedom"
    return float(middle - b / (2 * c)), Interval(float(low), float(high), level, method)


def combined_interval(
    weights: Sequence[float], estimates: Sequence[float], intervals: Sequence[Interval], stretch: float = 1.0
) -> Interval:
    """Return the interval of a weighted sum of independent estimates from their own intervals.

    With m = sum w_i m_i, and (l_i, u_i) the ends of w_i times the interval of m_i, it reaches from
    ``m - sqrt(sum (w_i m_i - l_i)^2)`` to ``m + sqrt(sum (u_i - w_i m_i)^2)``. Source: Zou and Donner, Construction of
    confidence limits about effect measures: a general approach, Statistics in Medicine 2008.

    Args:
        weights: w.
        estimates: m.
        intervals: theirs, all of one level.
        stretch: by how much wider it is made, for what the single intervals do not know.

    Returns:
        The interval.
    """
    w, m = np.asarray(weights, dtype=np.float64), np.asarray(estimates, dtype=np.float64)
    ends = np.array([[each.low, each.high] for each in intervals]) * w[:, None]
    low, high = (float(np.sqrt(np.sum((end - w * m) ** 2))) for end in (ends.min(axis=1), ends.max(axis=1)))
    middle = float(w @ m)
    return Interval(middle - stretch * low, middle + stretch * high, intervals[0].level, "interval of a weighted sum")
