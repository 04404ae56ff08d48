"""What inputs of words and a label for each of them must satisfy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import DataError
from hpsearch.base.steps import NO_LABEL, PADDING


def check_steps(where: str, x: NDArray[Any], y: NDArray[Any], words: int, classes: int) -> None:
    """Refuse words or labels that cannot be trained on.

    Args:
        where: begins a message.
        x: [N, T] numbers of words, `PADDING` behind the end of each sequence.
        y: [N, T] numbers of classes, `NO_LABEL` where a step has none, as padding.
        words: how many different words there are.
        classes: how many classes there are; 0 of a regression.

    Raises:
        DataError: saying what is wrong with which sample.
    """
    if not classes:
        raise DataError(f"{where}words need a class for each of them, and the targets are those of a regression")
    for name, values in (("x", x), ("y", y)):
        if values.ndim != 2 or values.dtype.kind not in "iu":
            raise DataError(f"{where}{name} of shape {values.shape} and {values.dtype}: must be whole numbers [N, T]")
    if x.shape != y.shape:
        raise DataError(f"{where}words of shape {x.shape}, labels of shape {y.shape}: must be one label per word")
    real, labelled = x != PADDING, y != NO_LABEL
    _first(where, (x < 0) | (x >= words), x, f"must be the number of a word, 0 to {words - 1}")
    _first(where, labelled & ((y < 0) | (y >= classes)), y, f"must be the number of a class, or {NO_LABEL} for none")
    _first(where, real[:, 1:] & ~real[:, :-1], x[:, 1:], "stands behind padding: padding goes behind the last word")
    _first(where, labelled & ~real, y, "is the label of padding, which has none")
    if not labelled.any(1).all():
        raise DataError(f"{where}sample {int(np.argmin(labelled.any(1)))} has no label")


def _first(where: str, broken: NDArray[np.bool_], values: NDArray[Any], why: str) -> None:
    if broken.any():
        row, step = (int(axis) for axis in np.argwhere(broken)[0])
        raise DataError(f"{where}sample {row}: {values[row, step]} {why}")
