"""A part of a data set that stays on the host: a DataLoader brings it to the device batch by batch."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hpsearch.base.errors import DataError
from hpsearch.base.rng import address, seeded

HOST = torch.device("cpu")

Key: TypeAlias = tuple[int, int, list[int]]
"""Seed of the trial, epoch, and the rows of one batch."""


class Samples(Protocol):
    """A map-style dataset as torch defines it: sample i is an input and its target."""

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return a sample."""

    def __len__(self) -> int:
        """Return the number of samples."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """One part of a data set, read in batches by worker processes.

    It is used like a `hpsearch.data.base.Split`, and gives the same batches in the same order.

    Attributes:
        source: maps a `Key` to a batch.
        y: [N] or [N, outputs] targets, on the host.
        in_shape: shape of one input.
        workers: processes that read ahead; 0 reads in the training process.
        device: where batches are brought.
    """

    source: "Dataset[tuple[Tensor, Tensor]]"
    y: Tensor
    in_shape: tuple[int, ...]
    workers: int
    device: torch.device = HOST

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def to(self, device: torch.device | str) -> "Streamed":
        """Return this part with its batches brought to a device."""
        return replace(self, device=torch.device(device))

    def batches(self, rows: Tensor, size: int, seed: int = 0, epoch: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Go through some rows in batches.

        Args:
            rows: [N] row numbers in order.
            size: rows per batch; the last one may have fewer.
            seed: of the trial; what a sample draws at random is a function of it, the epoch and the sample.
            epoch: pass over the part.

        Yields:
            Inputs and targets of each batch, on the device.
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
        for x, y in loader:
            yield x.to(self.device, non_blocking=True), y.to(self.device, non_blocking=True)

    def in_order(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
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


class DatasetRows(Dataset[tuple[Tensor, Tensor]]):
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

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Read a batch."""
        seed, epoch, rows = key
        return torch.stack([self._input(seed, epoch, row) for row in rows]), self._y[torch.tensor(rows)]

    def _input(self, seed: int, epoch: int, row: int) -> Tensor:
        number = int(self._index[row])
        with addressed(address(seed, "sample", epoch, number)):
            x, y = self._samples[number]
        if not np.allclose(np.asarray(y), self._told[row]):
            raise DataError(f"{self._where}: sample {number} has label {y}, but was said to have {self._told[row]}")
        x = as_input(x)
        if not x.isfinite().all():
            raise DataError(f"{self._where}: sample {number} holds a number that is not finite")
        return x


def as_input(x: Any) -> Tensor:
    """Return an input as a float32 tensor."""
    return torch.as_tensor(x).to(torch.float32)


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
        DataError: the dataset is empty, or ``targets`` has another length.
    """
    if not len(samples):
        raise DataError(f"{where}: the dataset is empty")
    told: Sequence[Any] | None = getattr(samples, "targets", None)
    targets = np.asarray(told if told is not None else [np.asarray(samples[i][1]) for i in range(len(samples))])
    if len(targets) != len(samples):
        raise DataError(f"{where}: {len(samples)} samples but {len(targets)} targets")
    return targets
