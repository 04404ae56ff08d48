"""What single columns of a table give away: the order of its rows, or nothing any more in float32."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.arrays import Arrays

if TYPE_CHECKING:
    from torch import Tensor

FEW_ROWS = 20
"""Rows below which an order may be chance."""
LOOKED_AT_FIRST = 200
"""Rows that most columns show themselves in not to count rows."""
CHANGES = 0.25
"""Share of the changes of label that chance makes from row to row, up to which rows are in the order of the classes."""
STEPS = 0.95
"""Share of the steps of a target in one direction, from which on rows are in its order."""
ROUNDING = 1e-3
"""Rounding error of float32, over a column's standard deviation, from which on the column is lost."""


def ordering(arrays: Arrays) -> tuple[str, ...]:
    """Return the inputs that count the rows while the rows are in the order of the classes, or of the target.

    Such a column is an index that was saved with the table: it tells the label of every row, and nothing about rows
    that are yet to come. It counts rows where its values are different whole numbers that follow the order of the
    rows, or that leave less than every second number out.

    Args:
        arrays: all samples, in the order of their source.

    Returns:
        Names of columns; a feature without one by its number.
    """
    x, y = arrays.x, arrays.y
    if arrays.vocabulary or x.ndim != 2 or len(x) < FEW_ROWS or x.dtype.kind not in "uif":
        return ()
    few = x[:LOOKED_AT_FIRST]
    whole = (few == np.floor(few)).all(0)
    candidates = [j for j in np.flatnonzero(whole) if len(np.unique(few[:, j])) == len(few)]
    return tuple(
        named(arrays, int(j)) for j in candidates if _counts_rows(x[:, j]) and _orders(x[:, j], y, arrays.task)
    )


def named(arrays: Arrays, column: int) -> str:
    """Return the name of a column of the inputs, its number where it has none."""
    return arrays.columns[column] if arrays.columns else str(column)


def unresolved(x: "Tensor", raw: NDArray[Any]) -> tuple[int, ...]:
    """Return the columns that float32 cannot tell apart the values of.

    Args:
        x: [N, F] inputs in float32, scaled.
        raw: the same before they were scaled and converted.

    Returns:
        Numbers of the columns whose rounding error is beyond `ROUNDING` standard deviations, those that became
        constant among them.
    """
    if x.ndim != 2 or not len(x) or not x.is_floating_point():
        return ()
    error = x.abs().amax(0).double() * 2.0**-24
    spread = x.double().std(0, correction=0)
    lost = (error > ROUNDING * spread).numpy()
    return tuple(int(j) for j in np.flatnonzero(lost) if (raw[:, j] != raw[0, j]).any())


def _counts_rows(column: NDArray[Any]) -> bool:
    if not np.isfinite(column).all() or (column != np.floor(column)).any():
        return False
    ordered = np.sort(column)
    if (ordered[1:] == ordered[:-1]).any():
        return False
    follows = bool((ordered == column).all() or (ordered[::-1] == column).all())
    return follows or float(ordered[-1]) - float(ordered[0]) < 2 * len(column)


def _orders(column: NDArray[Any], y: NDArray[Any], task: str) -> bool:
    y = y[np.argsort(column, kind="stable")]
    if task == "classification":
        shares = np.unique(y, return_counts=True)[1] / len(y)
        return int((y[1:] != y[:-1]).sum()) <= CHANGES * len(y) * (1 - float((shares**2).sum()))
    steps = np.sign(np.diff(y.reshape(len(y), -1)[:, 0]))
    steps = steps[steps != 0]
    return len(steps) >= FEW_ROWS / 2 and max(float((steps > 0).mean()), float((steps < 0).mean())) >= STEPS


def notes_of(notes: Iterable[str], ordering: Iterable[str], lost: Iterable[str]) -> tuple[str, ...]:
    """Return notes, each once, with what is wrong with single columns: they order the classes, or are lost."""
    said = dict.fromkeys(notes)
    for name in ordering:
        said[f"column '{name}' counts the rows, and the rows are in the order of what is predicted: leave it out"] = (
            None
        )
    for name in lost:
        said[f"column '{name}' is lost: float32 cannot tell its values apart; use data.scaling=standardize"] = None
    return tuple(said)


def unresolved_in(train: Any, raw: Arrays) -> tuple[str, ...]:
    """Return the names of the inputs of a training part whose values float32 cannot tell apart.

    Args:
        train: the part; of one that makes its batches on the host only tensors are looked at.
        raw: the same as it was read.
    """
    x = getattr(train, "x", None)
    x = getattr(getattr(train, "source", None), "x", None) if x is None else x
    return () if x is None else tuple(named(raw, column) for column in unresolved(x, raw.x))
