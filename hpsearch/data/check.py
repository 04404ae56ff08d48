"""What a data set is like before anything is trained: sizes, classes, repeats, leaks, constant and unscaled inputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import ConfigError
from hpsearch.base.steps import labels
from hpsearch.base.types import DataFault
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import Splits
from hpsearch.data.part import Part

BATCH = 1000
"""Rows looked at together."""


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a data set is like; the inputs are those that a model is given, after scaling.

    Attributes:
        task: ``classification`` or ``regression``.
        samples: rows by part.
        looked_at: rows of each part that the counts below are of.
        counts: training samples of each class, of words the words of each; empty for a regression.
        weighted: whether the classes are evened out: the loss weighs them, or they are drawn alike.
        repeats: by part, rows whose input is also that of an earlier row of the same part.
        leaks: by pair of parts, ``train, valid``: rows of the second whose input is also in the first.
        contradictions: training rows whose input also has another label; 0 for a regression.
        features: entries of one input.
        constant: entries that have one value in all training samples.
        not_finite: entries of inputs and targets, over all parts, that are infinite or no number.
        low: least training input.
        high: greatest one.
        rms: root of the mean square of the training inputs.
        scales: largest standard deviation of a feature over the smallest one that is not 0; 1 for images.
        target_std: standard deviation of the training targets, the least over the outputs; 0 for a classification.
        ordering: inputs that count the rows of data in the order of its classes or target.
        unresolved: inputs whose values float32 cannot tell apart.
        notes: what was guessed or left out in reading them.
        words: how many different words there are, each of which has a label; 0 where inputs are no words.
    """

    task: str
    samples: Mapping[str, int]
    looked_at: Mapping[str, int]
    counts: tuple[int, ...]
    weighted: bool
    repeats: Mapping[str, int]
    leaks: Mapping[str, int]
    contradictions: int
    features: int
    constant: int
    not_finite: int
    low: float
    high: float
    rms: float
    scales: float
    target_std: float
    ordering: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    words: int = 0


def look(splits: Splits, rows: int) -> DataFacts:
    """Look at every part of a data set.

    Rows are compared by a 64-bit hash of their bytes, so that equal rows are found in one pass.

    Args:
        splits: the data.
        rows: most rows of each part that are looked at, the first ones.

    Returns:
        What was found.

    Raises:
        ConfigError: the inputs are dicts of tensors.
    """
    if isinstance(splits.in_shape, dict):
        raise ConfigError(
            "data: its inputs are dicts of tensors, which no stage of the recipe looks at; train or search"
        )
    parts = {"train": splits.train, "valid": splits.valid, "test": splits.test}
    seen = {name: _pass(part, rows) for name, part in parts.items() if part is not None}
    train, names = seen["train"], list(seen)
    classes = splits.task == "classification"
    targets = train.y.astype(np.int64) if classes else np.zeros(0, np.int64)
    std = train.std
    return DataFacts(
        task=splits.task,
        samples={name: len(part) for name, part in parts.items() if part is not None},
        looked_at={name: len(each.hashes) for name, each in seen.items()},
        counts=tuple(np.bincount(labels(targets), minlength=splits.num_outputs).tolist()) if classes else (),
        weighted=splits.class_weights is not None,
        repeats={name: len(each.hashes) - len(set(each.hashes)) for name, each in seen.items()},
        leaks={
            f"{first}, {second}": _shared(seen[first].hashes, seen[second].hashes)
            for place, first in enumerate(names)
            for second in names[place + 1 :]
        },
        contradictions=_contradictions(train.hashes, targets) if classes else 0,
        features=len(std),
        constant=int((train.high == train.low).sum()),
        not_finite=sum(each.not_finite for each in seen.values()),
        low=float(train.low.min()),
        high=float(train.high.max()),
        rms=float(np.sqrt((train.mean**2 + std**2).mean())),
        scales=_ratio(std) if len(splits.in_shape) == 1 and not splits.vocabulary else 1.0,
        target_std=0.0 if classes else float(train.y.std(0).min()),
        ordering=splits.ordering,
        unresolved=splits.unresolved,
        notes=splits.notes,
        words=splits.vocabulary,
    )


def fault(arrays: Arrays) -> DataFault | None:
    """Return which known mistake makes a data set one that is refused, None for any other reason.

    Args:
        arrays: as its source reads them, unchecked.

    Returns:
        The mistake.
    """
    classes = len(arrays.class_names)
    if any(values.dtype.kind == "f" and not np.isfinite(values).all() for values in (arrays.x, arrays.y)):
        return DataFault.NOT_FINITE
    if classes == 1:
        return DataFault.ONE_CLASS
    if classes and len(arrays) and (arrays.labels.min(), arrays.labels.max()) == (1, classes):
        return DataFault.LABELS_FROM_ONE
    return None


@dataclass(frozen=True, slots=True)
class _Seen:
    hashes: list[int]
    y: NDArray[Any]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    not_finite: int


def _pass(part: Part, rows: int) -> _Seen:
    hashes: list[int] = []
    targets, not_finite, count = [], 0, 0
    low, high = np.array(np.inf), np.array(-np.inf)
    total, squares = np.array(0.0), np.array(0.0)
    for x, y in _batches(part, rows):
        hashes += [hash(row.tobytes().rstrip(b"\0")) for row in x]  # the padding of a part is its own
        targets.append(y)
        not_finite += int((~np.isfinite(x)).sum() + (~np.isfinite(y)).sum())
        low, high = np.minimum(low, x.min(0)), np.maximum(high, x.max(0))
        if not count:
            total, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
            origin = x.mean(0, dtype=np.float64)
        shifted = x - origin
        total, squares, count = total + shifted.sum(0), squares + (shifted**2).sum(0), count + len(x)
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    std = np.where(high == low, 0.0, np.sqrt(variance))
    return _Seen(hashes, np.concatenate(targets), low, high, origin + mean, std, not_finite)


def _batches(part: Part, rows: int) -> Iterator[tuple[NDArray[np.float32], NDArray[Any]]]:
    import torch

    order = torch.arange(min(rows, len(part)), device=part.device)
    for x, y in part.batches(order, BATCH):
        flat = x.reshape(len(x), -1).cpu().numpy()
        yield flat + np.float32(0), y.cpu().numpy()  # -0 becomes 0: they are equal, and their bytes are not


def _shared(first: list[int], second: list[int]) -> int:
    known = set(first)
    return sum(each in known for each in second)


def _contradictions(hashes: list[int], targets: NDArray[np.int64]) -> int:
    of: dict[int, set[bytes]] = {}
    for row, label in zip(hashes, targets, strict=True):
        of.setdefault(row, set()).add(label.tobytes())
    return sum(len(of[row]) > 1 for row in hashes)


def _ratio(std: NDArray[np.float64]) -> float:
    moving = std[std > 0]
    return float(moving.max() / moving.min()) if len(moving) else 1.0
