"""Class numbers from labels as people keep them: whole numbers, texts, columns of a DataFrame."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.arrays import Arrays

SHOWN = 12
"""Names that a message lists."""


def completed(arrays: Arrays, like: Arrays | None = None) -> Arrays:
    """Return samples as arrays of numbers, whatever a source has made them of.

    DataFrames and Series become arrays, and the inputs' columns keep their names. Labels without names that are whole
    numbers or texts make a classification; targets that are floats make a regression.

    Args:
        arrays: as a source reads them.
        like: another part of the same data, completed: its task, classes and columns are those of these samples too.

    Returns:
        The samples.

    Raises:
        DataError: columns or labels that cannot be used, or that are not those of `like`.
    """
    where = f"{arrays.where}: " if arrays.where else ""
    x, columns = _inputs(arrays.x, where)
    y = _targets(arrays.y, where, one=not arrays.vocabulary)
    names = like.class_names if like is not None else arrays.class_names
    if like is not None and columns and columns != like.columns:
        if sorted(columns) != sorted(like.columns):
            raise DataError(f"{where}columns {_shown(columns)}: training has {_shown(like.columns)}")
        x, columns = x[:, [columns.index(name) for name in like.columns]], like.columns
    if y.dtype.kind in "OUST":
        y, names = _numbered(y, names, where)
    elif like is None and not names and y.dtype.kind in "bui" and y.ndim == 1:
        names = counted(y, where, "name them in class_names")
    groups, time = _groups(arrays, len(y), where), _times(arrays, len(y), where)
    return replace(arrays, x=x, y=y, class_names=names, columns=arrays.columns or columns, groups=groups, time=time)


def counted(y: NDArray[Any], where: str, instead: str) -> tuple[str, ...]:
    """Return the names of classes that are known by their numbers only.

    Args:
        y: [N] labels.
        where: begins a message.
        instead: what to do where some numbers are meant to have no sample.

    Returns:
        ``"0"`` to the largest label.

    Raises:
        DataError: not every number from 0 to the largest label is one, so that the classes cannot be counted.
    """
    used = np.unique(y[np.isfinite(y)]) if y.dtype.kind == "f" else np.unique(y)
    if not len(used) or used[0] < 0 or (used != np.floor(used)).any():
        return tuple(map(str, range(max(2, len(used)))))  # it is said which label is none
    count, last = len(used), int(used[-1])
    if last == count - 1:
        return tuple(map(str, range(count)))
    free = int(np.flatnonzero(used != np.arange(count))[0])
    if free == 0 and last == count:
        raise DataError(f"{where}labels from 1 to {last}: subtract 1, classes are numbered from 0; or {instead}")
    raise DataError(
        f"{where}{count} different labels from {int(used[0])} to {last}, and none is {free}: number the classes 0 to "
        f"{count - 1}, or {instead}; targets of a regression are floats"
    )


def positive_class(name: str | int | None, names: Sequence[str]) -> int:
    """Return the number of the class of two that metrics of one class are of.

    Args:
        name: of the class; None: the second one.
        names: of all classes, empty for a regression.

    Raises:
        ConfigError: there is no such class, or there are not two.
    """
    if name is None:
        return 1
    if len(names) != 2:
        what = f"there are {len(names)}" if names else "the data is a regression"
        raise ConfigError(f"data.positive = {name!r}: is one of two classes, and {what}; use null")
    if str(name) not in names:
        raise ConfigError(f"data.positive = {name!r}: must be one of the classes {_shown(names)}")
    return names.index(str(name))


def _inputs(x: Any, where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    if not hasattr(x, "columns"):
        x = np.asarray(x)
        if x.dtype.kind not in "buif":
            raise DataError(f"{where}inputs of dtype {x.dtype}: must be numbers")
        return x, ()
    columns = tuple(map(str, x.columns))
    for name, dtype in zip(columns, x.dtypes, strict=True):
        if dtype.kind not in "buif":
            raise DataError(f"{where}column '{name}' holds {dtype}: must be numbers")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise DataError(f"{where}two columns are named '{twice[0]}'")
    return x.to_numpy(np.float64, na_value=np.nan), columns


def _targets(y: Any, where: str, one: bool) -> NDArray[Any]:
    found = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    if one and found.ndim == 2 and found.shape[1] == 1 and found.dtype.kind not in "fc":
        found = found[:, 0]
    if found.dtype.kind not in "buifOUST":
        raise DataError(f"{where}labels of dtype {found.dtype}: must be whole numbers, texts, or floats to predict")
    if found.dtype.kind in "OUST":
        empty = [_is_missing(each) or each == "" for each in found.reshape(-1).tolist()]
        if any(empty):
            raise DataError(f"{where}label {empty.index(True)} is empty")
        if found.ndim != 1:
            raise DataError(f"{where}labels of shape {found.shape}: must be one per sample")
    return found


def _groups(arrays: Arrays, count: int, where: str) -> NDArray[np.str_] | None:
    if arrays.groups is None:
        return None
    if arrays.time is not None:
        raise DataError(f"{where}samples have groups and times: parts are made by one of them")
    given = _aligned("groups", arrays.groups, count, where)
    if any(map(_is_missing, given.tolist())):
        raise DataError(f"{where}a sample has no group")
    return np.array([str(each) for each in given.tolist()])


def _times(arrays: Arrays, count: int, where: str) -> NDArray[Any] | None:
    if arrays.time is None:
        return None
    given = _aligned("time", arrays.time, count, where)
    if given.dtype.kind == "M":
        given = np.where(np.isnat(given), np.nan, given.astype("datetime64[us]").astype(np.int64))
    if given.dtype.kind not in "iuf" or (given.dtype.kind == "f" and not np.isfinite(given).all()):
        raise DataError(f"{where}time holds {given.dtype}, or no time: must be numbers or datetime64")
    return given


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, nan or one of pandas' own, which compare to nothing."""
    return value is None or (value != value) is not False


def _aligned(name: str, values: Any, count: int, where: str) -> NDArray[Any]:
    given = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if given.shape != (count,):
        raise DataError(f"{where}{name} of shape {given.shape}: must be one for each of {count} samples")
    return given


def _numbered(y: NDArray[Any], known: tuple[str, ...], where: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    texts = [str(each) for each in y.tolist()]
    names = known or in_order(set(texts))
    number = {name: place for place, name in enumerate(names)}
    if strange := sorted(set(texts) - number.keys()):
        raise DataError(f"{where}label '{strange[0]}' is none of the classes {_shown(names)}")
    return np.array([number[text] for text in texts], np.int64), names


def in_order(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts sorted: as numbers where all are, else by name."""
    found = sorted(texts)
    try:
        return tuple(sorted(found, key=float))
    except ValueError:
        return tuple(found)


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
