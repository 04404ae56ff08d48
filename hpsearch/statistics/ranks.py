"""The places of numbers in their order; `scipy.stats` has them too, and takes a second to import."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def ranks_of(values: ArrayLike | Sequence[float], highest: bool = False) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return each value's rank from 1 on, as `scipy.stats.rankdata` does.

    Args:
        values: the numbers, in one row.
        highest: equal values have the highest of their ranks; False: the mean of them.

    Returns:
        A rank per value; all are NaN where one of the values is.
    """
    array = np.asarray(values, dtype=float)
    if np.isnan(array).any():
        return np.full(array.shape, np.nan)
    _, place, count = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray(last if highest else last - (count - 1) / 2, dtype=float)[place]
