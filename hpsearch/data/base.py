"""What every data source shares: its fields, the seeded splits, the scaling, the digest."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.scaling import SCALINGS, fit
from hpsearch.data.split import stratified
from hpsearch.errors import ConfigError, DataError, check_choice, check_float, check_int

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TASKS = ("classification", "regression")


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Attributes:
        x: [N, C, H, W] images or [N, F] features, float32.
        y: [N] class numbers, int64; or [N, outputs] targets of a regression, float32.
    """

    x: "Tensor"
    y: "Tensor"

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def to(self, device: "torch.device | str") -> "Split":
        """Return this part on a device."""
        return Split(self.x.to(device), self.y.to(device))


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set, split and scaled.

    Attributes:
        train: what models are trained on.
        valid: what a search compares them by.
        test: None unless it was asked for.
        in_shape: shape of one input, (C, H, W) or (F,).
        num_outputs: number of classes, or of targets of a regression.
        task: ``classification`` or ``regression``.
        class_names: one name per class, empty for a regression.
        digest: first 16 hex digits of the SHA-256 of the training and validation samples, before scaling, and of
            the scaling's name.
    """

    train: Split
    valid: Split
    test: Split | None
    in_shape: tuple[int, ...]
    num_outputs: int
    task: str
    class_names: tuple[str, ...]
    digest: str

    def to(self, device: "torch.device | str") -> "Splits":
        """Return the same splits on a device."""
        test = None if self.test is None else self.test.to(device)
        return replace(self, train=self.train.to(device), valid=self.valid.to(device), test=test)


@dataclass(frozen=True, eq=False)
class Arrays:
    """Samples as a source reads them.

    Attributes:
        x: [N, C, H, W] images or [N, F] features, of any real dtype.
        y: [N] class numbers from 0, or [N, outputs] targets of a regression.
        class_names: one name per class; empty makes it a regression.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def rows(self, index: NDArray[np.int64]) -> "Arrays":
        """Return some of the samples."""
        return replace(self, x=self.x[index], y=self.y[index])

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return TASKS[not self.class_names]

    @property
    def strata(self) -> NDArray[np.int64]:
        """[N] what a stratified split keeps the shares of: the class; one stratum for a regression."""
        return self.y.astype(np.int64) if self.class_names else np.zeros(len(self.y), np.int64)


@dataclass(frozen=True, eq=False)
class Parts:
    """The samples of each part, neither scaled nor converted."""

    train: Arrays
    valid: Arrays
    test: Arrays | None

    def __iter__(self) -> Iterator[Arrays]:
        """Go through the parts there are."""
        return iter((self.train, self.valid) if self.test is None else (self.train, self.valid, self.test))


@dataclass(frozen=True, kw_only=True)
class DataSource(ABC):
    """Where samples come from and how they are split; a subclass adds fields of its own and implements `arrays`.

    A source is hashable. Everything but `batch_size` decides what `load` returns, so a worker that keeps loaded data
    looks it up by ``dataclasses.replace(source, batch_size="full")``.

    Attributes:
        batch_size: samples per step, or ``full`` for the whole training part.
        valid_fraction: share of the samples that are not for testing that goes to the validation part.
        test_fraction: share of all samples that goes to the test part; None makes no test part. Only for a source
            without a test part of its own.
        split_seed: seed of the splits and of the subset.
        train_size: train on a stratified subset of this many samples of the training part; None takes all. The
            validation and test parts do not change with it.
        scaling: ``minmax``, ``standardize`` or ``none``, see `hpsearch.data.scaling.fit`.
    """

    own_test: ClassVar[bool] = False

    batch_size: int | str = 64
    valid_fraction: float = 0.2
    test_fraction: float | None = None
    split_seed: int = 0
    train_size: int | None = None
    scaling: str = "minmax"

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy.

        Raises:
            ConfigError: naming the key, its value and what is allowed.
        """
        if self.batch_size != "full":
            _check_size("data.batch_size", self.batch_size, "'full'")
        check_float("data.valid_fraction", self.valid_fraction, "(0, 1)")
        if self.test_fraction is not None:
            check_float("data.test_fraction", self.test_fraction, "(0, 1)")
            if self.own_test:
                name = type(self).__name__
                raise ConfigError(
                    f"data.test_fraction = {self.test_fraction!r}: {name} has its own test part, use null"
                )
        check_int("data.split_seed", self.split_seed, 0)
        if self.train_size is not None:
            _check_size("data.train_size", self.train_size, "null")
        check_choice("data.scaling", self.scaling, SCALINGS)

    @abstractmethod
    def arrays(self, test: bool) -> Arrays:
        """Read the samples.

        Args:
            test: read the source's own test part instead; only called with True when `own_test` is set.

        Returns:
            All samples of the part.
        """

    def read(self, test: bool = False) -> Parts:
        """Read and split the samples, without torch: enough to refuse a bad configuration before a run exists.

        Args:
            test: read the test part as well.

        Returns:
            The samples of each part.

        Raises:
            ConfigError: where a field does not fit the number of samples, or there is no test part to read.
        """
        if test and not self.own_test and self.test_fraction is None:
            raise ConfigError(f"data.test_fraction = None: {type(self).__name__} has no test part without it")
        rest = _checked(self.arrays(test=False))
        tested = _checked(self.arrays(test=True)) if test and self.own_test else None
        if self.test_fraction is not None:
            rest, held_out = self._part(rest, self.test_fraction, "test")
            tested = held_out if test else None
        train, valid = self._part(rest, self.valid_fraction, "valid")
        parts = Parts(self._subset(train), valid, tested)
        self.batch_rows(len(parts.train))
        return parts

    def load(self, test: bool = False) -> Splits:
        """Read, split, convert and scale the samples, on the host.

        Args:
            test: load the test part as well; otherwise it is not read.

        Returns:
            The splits, x in float32, scaled by what was fitted on the training part.
        """
        parts = self.read(test)
        splits = [_tensors(part) for part in parts]
        if scaling := fit(splits[0].x, self.scaling):
            for split in splits:
                scaling.apply_(split.x)
        train, valid = splits[:2]
        return Splits(
            train=train,
            valid=valid,
            test=splits[2] if test else None,
            in_shape=tuple(train.x.shape[1:]),
            num_outputs=len(parts.train.class_names) or train.y.shape[1],
            task=parts.train.task,
            class_names=parts.train.class_names,
            digest=_digest(parts, self.scaling),
        )

    def batch_rows(self, train_rows: int) -> int:
        """Return the number of samples per step.

        Args:
            train_rows: size of the training part.

        Returns:
            `batch_size`, or `train_rows` when it is ``full``.

        Raises:
            ConfigError: when the batch is larger than the training part.
        """
        if isinstance(self.batch_size, str):
            return train_rows
        if self.batch_size > train_rows:
            raise ConfigError(f"data.batch_size = {self.batch_size}: the training part has {train_rows} samples")
        return self.batch_size

    def _part(self, arrays: Arrays, fraction: float, name: str) -> tuple[Arrays, Arrays]:
        size = round(fraction * len(arrays))
        if not 0 < size < len(arrays):
            raise ConfigError(f"data.{name}_fraction = {fraction}: takes {size} of {len(arrays)} samples")
        rest, chosen = stratified(arrays.strata, size, self.split_seed, name)
        return arrays.rows(rest), arrays.rows(chosen)

    def _subset(self, train: Arrays) -> Arrays:
        if self.train_size is None:
            return train
        if self.train_size > len(train):
            raise ConfigError(f"data.train_size = {self.train_size}: the training part has {len(train)} samples")
        return train.rows(stratified(train.strata, self.train_size, self.split_seed, "train_size")[1])


def _check_size(key: str, value: object, otherwise: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{key} = {value!r}: must be a whole number >= 1 or {otherwise}")


def _checked(arrays: Arrays) -> Arrays:
    if len(arrays.x) != len(arrays.y):
        raise DataError(f"{len(arrays.x)} inputs but {len(arrays.y)} labels")
    classes = len(arrays.class_names)
    if classes and (arrays.y.min() < 0 or arrays.y.max() >= classes):
        raise DataError(f"labels from {arrays.y.min()} to {arrays.y.max()}: {classes} classes need 0 to {classes - 1}")
    return arrays


def _tensors(arrays: Arrays) -> Split:
    import torch

    x = torch.from_numpy(arrays.x.astype(np.float32))
    y = torch.from_numpy(arrays.y.astype(np.int64 if arrays.class_names else np.float32))
    return Split(x, y if arrays.class_names or y.ndim > 1 else y[:, None])


def _digest(parts: Parts, scaling: str) -> str:
    digest = hashlib.sha256(scaling.encode())
    for part in (parts.train, parts.valid):
        for array in (part.x, part.y):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
