"""A part of a data set that stays on the host: a DataLoader brings it to the device batch by batch."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hpsearch.base.errors import DataError, HpsearchError, first_line
from hpsearch.base.rng import address, seeded

HOST = torch.device("cpu")

Key: TypeAlias = tuple[int, int, list[int]]
"""Seed of the trial, epoch, and the rows of one batch."""
Input: TypeAlias = "Tensor | dict[str, Tensor]"
"""The inputs of a batch, or of a sample: a tensor, or several by name."""
Shape: TypeAlias = "tuple[int, ...] | dict[str, tuple[int, ...]]"
"""Shape of one input; of several, one each."""


class Samples(Protocol):
    """A map-style dataset as torch defines it: sample i is an input and its target."""

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return a sample."""

    def __len__(self) -> int:
        """Return the number of samples."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """One part of a data set, read in batches by worker processes.

    It is used like a `hpsearch.data.part.Split`, and gives the same batches in the same order.

    Attributes:
        source: maps a `Key` to a batch.
        y: [N] or [N, outputs] targets, on the host.
        in_shape: shape of one input.
        workers: processes that read ahead; 0 reads in the training process.
        device: where batches are brought.
    """

    source: "Dataset[tuple[Any, Tensor]]"
    y: Tensor
    in_shape: Shape
    workers: int
    device: torch.device = HOST

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def to(self, device: torch.device | str) -> "Streamed":
        """Return this part with its batches brought to a device."""
        return replace(self, device=torch.device(device))

    def batches(self, rows: Tensor, size: int, seed: int = 0, epoch: int = 0) -> Iterator[tuple[Any, Tensor]]:
        """Go through some rows in batches.

        Args:
            rows: [N] row numbers in order.
            size: rows per batch; the last one may have fewer.
            seed: of the trial; what a sample draws at random is a function of it, the epoch and the sample.
            epoch: pass over the part.

        Yields:
            Inputs and targets of each batch, on the device.

        Raises:
            DataError: a sample cannot be used.
        """
        keys: list[Key] = [(seed, epoch, chunk.tolist()) for chunk in torch.split(rows.cpu(), size)]
        loader: DataLoader[Any] = DataLoader(
            self.source,
            batch_size=None,
            sampler=keys,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=seeded(torch.Generator(), seed, "loader", epoch),
        )
        try:
            for x, y in loader:
                yield moved(x, self.device), y.to(self.device, non_blocking=True)
        except DataError as error:
            raise DataError(_told_by_worker(str(error))) from None

    def in_order(self, size: int) -> Iterator[tuple[Any, Tensor]]:
        """Go through all rows in their order, in batches."""
        return self.batches(torch.arange(len(self.y)), size)


class TensorRows(Dataset[tuple[Tensor, Tensor]]):
    """Batches of tensors on the host.

    Attributes:
        x: [N, ...] inputs.
        y: [N, ...] targets.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Return a batch."""
        rows = torch.tensor(key[2])
        return self.x.index_select(0, rows), self.y.index_select(0, rows)


class DatasetRows(Dataset[tuple[Input, Tensor]]):
    """Batches of some samples of a dataset.

    Whatever a sample draws from the generators of torch, numpy or `random` is a function of the trial's seed, the
    epoch and the sample, however many workers read.

    Args:
        samples: the dataset.
        index: [N] which samples of it these rows are.
        y: [N] their targets, as batches hold them.
        told: [N, ...] their targets as the dataset told them, which a sample must repeat.
        where: names the dataset in messages.
    """

    def __init__(self, samples: Samples, index: NDArray[np.int64], y: Tensor, told: NDArray[Any], where: str) -> None:
        self._samples, self._index, self._y, self._told, self._where = samples, index, y, told, where

    def __getitem__(self, key: Key) -> tuple[Input, Tensor]:
        """Read a batch."""
        seed, epoch, rows = key
        inputs = [self._input(seed, epoch, row) for row in rows]
        for row, each in zip(rows, inputs, strict=True):
            if shape_of(each) != shape_of(inputs[0]):
                raise DataError(
                    f"{self._where}: sample {self._index[row]} has an input of shape {shape_of(each)}, sample "
                    f"{self._index[rows[0]]} one of shape {shape_of(inputs[0])}: those of a batch must be alike"
                )
        return _stacked(inputs), self._y[torch.tensor(rows)]

    def _input(self, seed: int, epoch: int, row: int) -> Input:
        number = int(self._index[row])
        with addressed(address(seed, "sample", epoch, number)):
            x, y = sample_of(self._samples, number, self._where)
        if not np.allclose(np.asarray(y), self._told[row]):
            raise DataError(f"{self._where}: sample {number} has label {y}, but was said to have {self._told[row]}")
        found = as_input(x, f"{self._where}: sample {number}")
        if not all(each.isfinite().all() for each in (found.values() if isinstance(found, dict) else [found])):
            raise DataError(f"{self._where}: sample {number} holds a number that is not finite")
        return found


def sample_of(samples: Samples, number: int, where: str) -> tuple[Any, Any]:
    """Read a sample.

    Args:
        samples: the dataset.
        number: of the sample.
        where: names the dataset in messages.

    Returns:
        Its input and its target.

    Raises:
        DataError: it cannot be read, or is something else.
        HpsearchError: as the dataset raised it.
    """
    try:
        sample: Any = samples[number]
    except HpsearchError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {first_line(error)}".rstrip(": ")
        raise DataError(f"{where}: sample {number} cannot be read: {why}") from error
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        many = f" of {len(sample)}" if isinstance(sample, tuple | list) else ""
        raise DataError(f"{where}: sample {number} is a {type(sample).__name__}{many}: must be an input and its target")
    return sample[0], sample[1]


def as_input(x: Any, what: str) -> Input:
    """Return an input as a float32 tensor; of a dict, each of its own, where whole numbers stay such (int64).

    Args:
        x: as a dataset gives it.
        what: names the sample in messages; a DataError says what holds no numbers.
    """
    if isinstance(x, Mapping):
        return {str(name): _tensor(each, f"{what}, '{name}' of its input,", True) for name, each in x.items()}
    return _tensor(x, what, False)


def _tensor(x: Any, what: str, whole: bool) -> Tensor:
    try:
        tensor = torch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError) as error:
        image = "; torchvision's ToTensor makes one of an image" if type(x).__module__.startswith("PIL.") else ""
        raise DataError(
            f"{what} holds a {type(x).__module__}.{type(x).__qualname__}: must be a tensor, an array or a dict of them"
            f"{image}"
        ) from error
    return tensor.to(torch.float32 if tensor.is_floating_point() or not whole else torch.int64)


def shape_of(x: Input) -> Shape:
    """Return the shape of an input."""
    return tuple(x.shape) if isinstance(x, Tensor) else {name: tuple(each.shape) for name, each in x.items()}


def taken(x: Any, rows: slice) -> Any:
    """Return some samples of the inputs of a batch."""
    return {name: each[rows] for name, each in x.items()} if isinstance(x, dict) else x[rows]


def _stacked(inputs: Sequence[Input]) -> Input:
    first = inputs[0]
    if isinstance(first, Tensor):
        return torch.stack([each for each in inputs if isinstance(each, Tensor)])
    return {name: torch.stack([each[name] for each in inputs if isinstance(each, dict)]) for name in first}


def moved(x: Input, device: torch.device) -> Input:
    """Return the inputs of a batch on a device."""
    if isinstance(x, dict):
        return {name: each.to(device, non_blocking=True) for name, each in x.items()}
    return x.to(device, non_blocking=True)


def _told_by_worker(text: str) -> str:
    """Return the message of an error, of one that a worker of a DataLoader raised without its traceback."""
    return text.strip().splitlines()[-1].rpartition("DataError: ")[2] if "DataLoader worker" in text else text


@contextmanager
def addressed(seed: int) -> Iterator[None]:
    """Seed the generators of torch, numpy and `random` inside the block, and leave no trace of it."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def read_targets(samples: Samples, where: str) -> NDArray[Any]:
    """Return the targets of every sample.

    Args:
        samples: the dataset; its attribute ``targets`` (as torchvision's have) saves reading every sample once.
        where: names it in messages.

    Returns:
        [N] or [N, outputs].

    Raises:
        DataError: the dataset is empty, ``targets`` has another length, or a target is no number.
    """
    if not len(samples):
        raise DataError(f"{where}: the dataset is empty")
    told: Sequence[Any] | None = getattr(samples, "targets", None)
    each = told if told is not None else [sample_of(samples, i, where)[1] for i in range(len(samples))]
    if len(each) != len(samples):
        raise DataError(f"{where}: {len(samples)} samples but {len(each)} targets")
    try:
        targets = np.asarray(each if isinstance(each, np.ndarray | Tensor) else [np.asarray(y) for y in each])
    except ValueError:
        raise DataError(f"{where}: its targets have different shapes") from None
    if targets.dtype.kind not in "biuf":
        first = next(iter(each))
        raise DataError(
            f"{where}: sample 0 has the target {first!r:.50}, a {type(first).__name__}: must be a number; number the "
            "classes from 0, and name them in an attribute `classes`"
        )
    return targets
