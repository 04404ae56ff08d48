"""Missing inputs: rows without them, or values in their place that are fitted on the training part."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import DataError
from hpsearch.data.arrays import Arrays
from hpsearch.data.columns import named

FILLING = ("median", "most_frequent", "constant")
MISSING = ("refuse", "drop", *FILLING)


def without_gaps(arrays: Arrays) -> Arrays:
    """Return the samples whose inputs and targets are all there, and a note of how many are not.

    Args:
        arrays: samples; nan is missing.

    Returns:
        The others.

    Raises:
        DataError: none is left.
    """
    whole = np.ones(len(arrays), bool)
    for values in (arrays.x, arrays.y):
        if values.dtype.kind == "f" and len(values) == len(whole):
            whole &= ~np.isnan(values.reshape(len(values), -1)).any(1)
    gone = int((~whole).sum())
    if not gone:
        return arrays
    where = f"{arrays.where}: " if arrays.where else ""
    if gone == len(arrays):
        raise DataError(f"{where}every one of {gone} rows has a missing value: data.missing=drop leaves none")
    note = f"{where}{gone} of {len(arrays)} rows are dropped, for a missing value"
    return replace(arrays.rows(np.flatnonzero(whole)), notes=(*arrays.notes, note))


def filled(parts: Sequence[Arrays], how: str, constant: float, indicator: bool) -> list[Arrays]:
    """Fill in missing inputs by what is fitted on the first part, and say how many there were.

    ``median`` and ``most_frequent`` (the smallest of equally frequent ones) are those of the part's column,
    ``constant`` is a number. With the indicator, each column in which the first part has missing values gets a column
    of 0 and 1 behind all others, 1 where the value was missing.

    Args:
        parts: features [N, F] of each part, the training part first.
        how: one of `MISSING` that fills in.
        constant: for ``constant``.
        indicator: whether columns say what was missing.

    Returns:
        The parts without missing inputs.

    Raises:
        DataError: inputs that are no features, or a column that is all missing in the first part.
    """
    gaps = [np.isnan(part.x) if part.x.dtype.kind == "f" else np.zeros(part.x.shape, bool) for part in parts]
    train, total = parts[0], sum(int(gap.sum()) for gap in gaps)
    if not total:
        return list(parts)
    where = f"{train.where}: " if train.where else ""
    if train.x.ndim != 2:
        raise DataError(f"{where}{total} inputs are missing: data.missing={how} fills in features, not images")
    if (empty := np.flatnonzero(gaps[0].all(0))).size and how != "constant":
        raise DataError(f"{where}column '{named(train, int(empty[0]))}' has no value in the training part: drop it")
    said = np.flatnonzero(gaps[0].any(0)) if indicator else np.array([], np.int64)
    values = _values(train.x, gaps[0], how, constant)
    columns = (*train.columns, *(f"{named(train, int(j))} missing" for j in said)) if train.columns else ()
    most = max(range(train.x.shape[1]), key=lambda j: sum(int(gap[:, j].sum()) for gap in gaps))
    note = f"{where}{total} missing values are filled in ({how}), most in column '{named(train, most)}'"
    return [
        replace(
            part,
            x=np.hstack([np.where(gap, values, part.x), gap[:, said].astype(np.float64)]),
            columns=columns,
            notes=(*part.notes, note),
        )
        for part, gap in zip(parts, gaps, strict=True)
    ]


def _values(x: NDArray[np.float64], gap: NDArray[np.bool_], how: str, constant: float) -> NDArray[np.float64]:
    if how == "constant":
        return np.full(x.shape[1], constant)
    return np.array([_value(column[~lacks], how) for column, lacks in zip(x.T, gap.T, strict=True)])


def _value(present: NDArray[np.float64], how: str) -> float:
    if how == "median":
        return float(np.median(present))
    found, counts = np.unique(present, return_counts=True)
    return float(found[counts.argmax()])
