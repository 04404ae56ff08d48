"""Scores smoothed over neighbouring settings: the best of many noisy means is the luckiest, not the best."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpsearch.statistics.intervals import binary_scale

REACH = 3.0
"""Steps at which a neighbour's weight comes to 0."""


def local_quadratic(places: NDArray[np.float64], values: Sequence[float]) -> list[float]:
    """Smooth values by a parabola fitted around each: local quadratic regression.

    With d_ja the distance of point j from point i along axis a in steps, the value at i is b of the least squares over
    all points j within three steps along every axis::

        sum over j of w_j (y_j - b - sum over a of (c_a d_ja + e_a d_ja^2))^2
        w_j = product over a of (1 - |d_ja| / 3)

    On one even axis it is ``(-1, 4, 9, 4, -1) / 15`` times the five values around i. A neighbour that is missing, at an
    end too, is left out of the fit; where no more points than coefficients are left, the parabola meets them and the
    value stays as it is: three values in a row are not smoothed. So a straight slope, a peak and an end are not bent,
    which a weighted mean does. Source: Cleveland, Robust locally weighted regression, JASA 1979; Savitzky and Golay,
    Analytical Chemistry 1964.

    Args:
        places: ``[point, axis]``, in steps, see `steps`.
        values: one per point, finite.

    Returns:
        One smoothed value per point.
    """
    scale = binary_scale(values)
    y = np.asarray(values, dtype=np.float64) / scale
    return [float(_fitted(places - place, y)) * scale for place in places]


def _fitted(distances: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    weights = np.maximum(0.0, 1 - np.abs(distances) / REACH).prod(axis=1)
    near = weights > 1e-9
    roots, d = np.sqrt(weights[near]), distances[near]
    terms = np.column_stack([np.ones(len(d)), d, d**2]) * roots[:, None]
    own = y[np.abs(distances).sum(axis=1) == 0].mean()  # the fit is of what differs from it: equal values stay equal
    return float(own + np.linalg.lstsq(terms, (y[near] - own) * roots, rcond=None)[0][0])


def steps(columns: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return where points lie along each axis, in steps of the grid that they are, or would be if they lay on one.

    Of n points with q_a different values along axis a, of which A axes have more than one, the step is ``span_a / (q'_a
    - 1)`` with ``q'_a = q_a min(1, n / product of q)^(1 / A)``, at least 2: of a full grid its spacing, of n points
    scattered over two axes that of a grid of sqrt(n) by sqrt(n). Positive values are taken by their logarithms where
    these are spaced more evenly.

    Args:
        columns: the values of all points along each axis.

    Returns:
        ``[point, axis]``, axes with one value left out.
    """
    varied = [place for column in columns if np.ptp(place := _even(np.asarray(column, dtype=np.float64))) > 0]
    if not varied:
        return np.zeros((len(columns[0]) if columns else 0, 0))
    counts = [len(np.unique(place)) for place in varied]
    shrink = min(1.0, len(varied[0]) / math.prod(counts)) ** (1 / len(varied))
    return np.column_stack([
        place / np.ptp(place) * max(count * shrink - 1, 1.0) for place, count in zip(varied, counts, strict=True)
    ])


def _even(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values or their logarithms, whichever are spaced more evenly."""
    if values.min() <= 0:
        return values
    logs = np.log(values)
    return logs if _unevenness(logs) < _unevenness(values) else values


def _unevenness(places: NDArray[np.float64]) -> float:
    gaps = np.diff(np.unique(places))
    return float(gaps.std() / gaps.mean()) if len(gaps) else 0.0
