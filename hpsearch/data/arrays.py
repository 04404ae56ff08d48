"""Samples as sources read them, what they must satisfy, and what is worked out from their labels."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import ConfigError, DataError, check_choice, check_float, check_int
from hpsearch.base.steps import labels
from hpsearch.data.steps import check_steps
from hpsearch.data.units import Units, units_of

TASKS = ("classification", "regression")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Samples as a source reads them.

    A source may return DataFrames and Series in place of arrays, and labels without `class_names`, see
    `hpsearch.data.labels.completed`.

    Attributes:
        x: [N, C, H, W] images or [N, F] features, of any real dtype; or [N, T] numbers of words.
        y: [N] class numbers from 0, of words [N, T], one for each; or [N, outputs] targets of a regression.
        class_names: one name per class; empty where `y` holds floats makes it a regression.
        where: the file or folder they were read from, for messages.
        columns: one name per feature, for messages; empty where they have none.
        notes: what was guessed or left out in reading them, a sentence each.
        groups: [N] name of each sample's group, which stays in one part; None where samples are on their own.
        time: [N] time of each sample, by which parts follow one another; None where it does not matter.
        vocabulary: one name per word, the first two for padding and for words that are not known, see
            `hpsearch.base.steps`; empty where the inputs are no words.
    """

    x: Any
    y: Any
    class_names: tuple[str, ...] = ()
    where: str = ""
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: Any = None
    time: Any = None
    vocabulary: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def rows(self, index: NDArray[np.int64]) -> "Arrays":
        """Return some of the samples."""
        groups, time = (None if each is None else each[index] for each in (self.groups, self.time))
        return replace(self, x=self.x[index], y=self.y[index], groups=groups, time=time)

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return TASKS[not self.class_names]

    @property
    def strata(self) -> NDArray[np.int64]:
        """[N] what a stratified split keeps the shares of: the class; one stratum for a regression, and for words."""
        one = not self.class_names or self.vocabulary
        return np.zeros(len(self.y), np.int64) if one else self.y.astype(np.int64)

    @property
    def labels(self) -> NDArray[Any]:
        """The targets that there are: one of each sample, or one of each word."""
        found: NDArray[Any] = labels(self.y) if self.vocabulary else self.y
        return found

    @property
    def outputs(self) -> int:
        """Number of classes, or of targets of a regression."""
        return len(self.class_names) or (self.y.shape[1] if self.y.ndim > 1 else 1)


@dataclass(frozen=True, slots=True)
class Whole:
    """What a source reads in all, a test part of its own left out.

    Attributes:
        rows: number of samples.
        columns: shape of one input.
        samples: digest of all of them; empty where the files of the source say it.
    """

    rows: int = 0
    columns: tuple[int, ...] = ()
    samples: str = ""


NOTHING = Whole()


@dataclass(frozen=True, eq=False)
class Parts:
    """The samples of each part, neither scaled nor converted.

    Attributes:
        train: what models are trained on.
        valid: what a search compares them by.
        test: None unless it was asked for.
        ordering: see `Splits`.
        notes: what they are parted by, a sentence; none where samples are on their own.
        whole: see `hpsearch.data.base.Splits`.
    """

    train: Arrays
    valid: Arrays
    test: Arrays | None
    ordering: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    whole: Whole = NOTHING

    def __iter__(self) -> Iterator[Arrays]:
        """Go through the parts there are."""
        return iter((self.train, self.valid) if self.test is None else (self.train, self.valid, self.test))

    @property
    def units(self) -> Units:
        """Which samples of the parts that are scored belong together."""
        scored = {"valid": self.valid} | ({} if self.test is None else {"test": self.test})
        return units_of({n: each.groups for n, each in scored.items()}, {n: each.time for n, each in scored.items()})


def checked(arrays: Arrays, gaps: bool = False) -> Arrays:
    """Return the samples when they can be trained on.

    Args:
        arrays: as a source reads them.
        gaps: whether inputs may be missing, because they are filled in later.

    Returns:
        The same.

    Raises:
        DataError: there are no samples, or not as many inputs as labels, a number is not finite, or a label names no
            class; the message says which one.
    """
    where, classes = f"{arrays.where}: " if arrays.where else "", len(arrays.class_names)
    if len(arrays.x) != len(arrays.y):
        raise DataError(f"{where}{len(arrays.x)} inputs but {len(arrays.y)} labels")
    if not len(arrays):
        raise DataError(f"{where}there are no samples")
    _check_finite(where, "x", np.where(np.isnan(arrays.x), 0, arrays.x) if gaps else arrays.x)
    _check_finite(where, "y", arrays.y)
    if arrays.vocabulary:
        check_steps(where, arrays.x, arrays.y, len(arrays.vocabulary), classes)
    if not classes:
        return arrays
    if classes == 1:
        raise DataError(f"{where}only one class ('{arrays.class_names[0]}'): there is nothing to tell apart")
    if arrays.vocabulary:
        return arrays
    if arrays.y.ndim != 1:
        raise DataError(f"{where}labels of shape {arrays.y.shape}: must be one class number per sample")
    broken = np.flatnonzero(arrays.y != arrays.y.astype(np.int64))
    if len(broken):
        raise DataError(f"{where}y[{broken[0]}] = {arrays.y[broken[0]]}: must be the number of a class")
    outside = np.flatnonzero((arrays.y < 0) | (arrays.y >= classes))
    if len(outside):
        span = f"labels from {arrays.y.min()} to {arrays.y.max()}"
        raise DataError(f"{where}{span}: {classes} classes need 0 to {classes - 1} (first: sample {outside[0]})")
    return arrays


def _check_finite(where: str, name: str, values: NDArray[Any]) -> None:
    if values.dtype.kind not in "fc" or np.isfinite(values).all():
        return
    place = tuple(int(axis) for axis in np.argwhere(~np.isfinite(values))[0])
    shown = ", ".join(map(str, place))
    raise DataError(f"{where}{name}[{shown}] = {values[place]}: must be finite (the first number is the sample's)")


def keep_classes(arrays: Arrays, classes: Sequence[int] | None) -> Arrays:
    """Return the samples of some classes, renumbered from 0 in the order given.

    Args:
        arrays: a classification.
        classes: class numbers; None keeps all.

    Returns:
        The samples in their order.

    Raises:
        ConfigError: for a class there is not, or a regression.
    """
    if classes is None:
        return arrays
    if not arrays.class_names:
        raise ConfigError(f"data.classes = {list(classes)}: a regression has no classes, use null")
    if arrays.vocabulary:
        raise ConfigError(f"data.classes = {list(classes)}: a sentence has words of many classes, use null")
    for number in classes:
        check_int("data.classes", number, 0, len(arrays.class_names) - 1)
    renumbered = np.full(len(arrays.class_names), -1)
    renumbered[list(classes)] = np.arange(len(classes))
    kept = arrays.rows(np.flatnonzero(np.isin(arrays.y, classes)))
    names = tuple(arrays.class_names[number] for number in classes)
    return replace(kept, y=renumbered[kept.y.astype(np.int64)], class_names=names)


def check_classes(classes: object) -> None:
    """Refuse a choice of classes that is no list of at least two different numbers.

    Raises:
        ConfigError: naming the value.
    """
    known = isinstance(classes, tuple) and all(isinstance(n, int) and not isinstance(n, bool) for n in classes)
    if not known or len(set(classes)) < max(2, len(classes)):  # type: ignore[arg-type, call-overload]  # a tuple
        shown = list(classes) if isinstance(classes, tuple) else classes
        raise ConfigError(f"data.classes = {shown!r}: must be a list of at least two different class numbers, or null")


def check_class_weights(weights: object) -> None:
    """Refuse class weights that are neither ``balanced``, nor a list of positive numbers, nor None."""
    if isinstance(weights, tuple):
        for weight in weights:
            check_float("data.class_weights", weight, "(0, inf)")
    else:
        check_choice("data.class_weights", weights, (None, "balanced", "a list of numbers")[:2])


def weigh_classes(train: Arrays, weights: str | Sequence[float] | None) -> tuple[float, ...] | None:
    """Return the weight of each class in the loss.

    ``balanced`` gives class c the weight ``N / (C * N_c)``, so that every class counts alike and the mean over the
    samples is 1 (King and Zeng, Logistic Regression in Rare Events Data, Political Analysis 2001).

    Args:
        train: the training part.
        weights: ``balanced``, one number per class, or None.

    Returns:
        One weight per class, None for none.

    Raises:
        ConfigError: for a regression, a class without samples, or another number of weights than classes.
    """
    if weights is None:
        return None
    names = train.class_names
    shown = weights if isinstance(weights, str) else list(weights)
    if not names:
        raise ConfigError(f"data.class_weights = {shown!r}: a regression has no classes, use null")
    if not isinstance(weights, str):
        if len(weights) != len(names):
            raise ConfigError(
                f"data.class_weights = {shown}: {len(weights)} weights, but there are {len(names)} classes"
            )
        return tuple(map(float, weights))
    counts = np.bincount(train.labels.astype(np.int64), minlength=len(names))
    if not counts.all():
        empty = names[int(np.argmin(counts))]
        raise ConfigError(f"data.class_weights = 'balanced': the training part has no sample of class '{empty}'")
    return tuple((len(train.labels) / (len(names) * counts)).tolist())


def digest_of(parts: Sequence[Arrays], *words: str) -> str:
    """Return the first 16 hex digits of the SHA-256 of words and of all samples of parts."""
    digest = hashlib.sha256(" ".join(words).encode())
    for part in parts:
        for array in (part.x, part.y):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
