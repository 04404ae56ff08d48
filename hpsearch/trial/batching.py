"""How the samples of an epoch are dealt out to updates: what is left out at its end, and what cannot be trained."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.data.base import DataSource, Splits
from hpsearch.data.split import training_sizes
from hpsearch.data.streamed import taken


@dataclass(frozen=True, slots=True)
class Batching:
    """Updates of one pass over the training part.

    Attributes:
        rows: samples that are trained on in each pass.
        size: samples per update; the last one of a pass may have fewer.
        dropped: samples at the end of each pass that are left out.
        micro: samples that go through the model at once; None: those of a whole update.
        auto: whether they are halved where memory runs out.
    """

    rows: int
    size: int
    dropped: int = 0
    micro: int | None = None
    auto: bool = False

    @property
    def steps(self) -> int:
        """Optimizer updates in one pass."""
        return -(-self.rows // self.size)

    @property
    def sizes(self) -> frozenset[int]:
        """The numbers of samples that go through the model at once."""
        updates = {self.size, self.rows % self.size}
        most = self.micro or self.size
        return frozenset(size for rows in updates for size in (min(rows, most), rows % most) if size)

    @property
    def facts(self) -> dict[str, int]:
        """What a trial's record says of it."""
        return {"data.dropped": self.dropped} if self.dropped else {}


def batching_of(data: DataSource, rows: int, takes_one: Callable[[], bool]) -> Batching:
    """Return how a training part is dealt out to updates.

    Args:
        data: its source, which says ``batch_size`` and ``drop_last``: ``auto`` leaves the last batch out where it is a
            single sample that the model cannot be trained on, as under batch normalization.
        rows: samples of the training part.
        takes_one: whether the model can be trained on a single sample; asked only where a batch has one.
    """
    size = data.batch_rows(rows)
    rest = rows % size
    left_out = data.drop_last is True or (data.drop_last == "auto" and rest == 1 and not takes_one())
    dropped = rest if left_out else 0
    micro = data.micro_batch if isinstance(data.micro_batch, int) else None
    return Batching(rows - dropped, size, dropped, micro, data.micro_batch == "auto")


def check_single(batching: Batching, takes_one: Callable[[], bool]) -> None:
    """Refuse batches of a single sample where the model cannot be trained on it.

    Args:
        batching: of a training part.
        takes_one: see `batching_of`.

    Raises:
        ConfigError: naming the key, the sizes and what to do.
    """
    if 1 not in batching.sizes or takes_one():
        return
    why = "on which the model cannot be trained (batch normalization has no variance)"
    rows, whole = batching.rows + batching.dropped, replace(batching, micro=None)
    if 1 not in whole.sizes:
        raise ConfigError(
            f"data.micro_batch = {batching.micro}: of batches of {batching.size} of {rows} samples a group has 1, "
            f"{why}; use another number"
        )
    remedy = "use 2 or more" if batching.size == 1 else "data.drop_last=auto leaves it out"
    raise ConfigError(
        f"data.batch_size = {batching.size}: training has {rows} samples, so a batch has 1, {why}; {remedy}"
    )


def check_folds(data: DataSource, splits: Splits, takes_one: Callable[[], bool]) -> None:
    """Refuse a batch size that does not go with the training part of every fold, as far as their sizes are known.

    Folds of groups and of times have sizes of their own, which their trials look at.

    Args:
        data: the source.
        splits: of one fold.
        takes_one: see `batching_of`.

    Raises:
        ConfigError: as `check_single` and `DataSource.batch_rows` do, with the fold.
    """
    grouped = any(getattr(data, name, None) is not None for name in ("groups", "time", "train_size"))
    whole = len(splits.train) + len(splits.valid)
    sizes = (len(splits.train),) if grouped or data.folds is None else training_sizes(whole, data.folds)
    for fold, rows in enumerate(sizes):
        try:
            check_single(batching_of(data, rows, takes_one), takes_one)
        except ConfigError as error:
            raise ConfigError(f"{error} (fold {fold})" if len(sizes) > 1 else str(error)) from None


def takes_one(model: nn.Module, frozen: Sequence[nn.Module], splits: Splits) -> bool:
    """Return whether a model takes a single sample in training; one that takes no two either is of another fault.

    Args:
        model: the model, which is left as it was.
        frozen: modules of it that stay in evaluation mode.
        splits: the data.
    """
    rows = torch.arange(min(2, len(splits.train)), device=splits.train.device)
    ((x, _),) = splits.train.batches(rows, 2)
    with torch.no_grad(), torch.random.fork_rng(), _untouched(model):
        model.train()
        for module in frozen:
            module.eval()
        return _takes(model, taken(x, slice(1))) or not _takes(model, x)


def _takes(model: nn.Module, x: Any) -> bool:
    try:
        model(x)
    except ValueError:
        return False
    except Exception:  # of another fault, which the rehearsal of a batch meets too
        return True
    return True


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Put the buffers and the mode of every module back after the block."""
    modes = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)
        for module, mode in modes.items():
            module.training = mode
