"""Which samples of the training part an epoch visits, where not each one once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError
from hpsearch.base.rng import seeded

if TYPE_CHECKING:
    from torch import Tensor

BALANCED = "balanced"


def check_sampling(sampling: str | None, shuffle: bool, class_weights: object) -> None:
    """Refuse what does not go together with balanced sampling.

    Args:
        sampling: `hpsearch.data.base.DataSource.sampling`.
        shuffle: whether the order is by chance.
        class_weights: of the loss.

    Raises:
        ConfigError: an order without chance, or classes that would be evened out twice.
    """
    if sampling is None:
        return
    if not shuffle:
        raise ConfigError(f"data.sampling = {sampling!r}: draws at random, so data.shuffle = False means nothing")
    if class_weights is not None:
        raise ConfigError(
            f"data.sampling = {sampling!r}: with data.class_weights the classes would be evened out twice; use one"
        )


def check_classes_drawn(sampling: str | None, y: "Tensor", class_names: Sequence[str]) -> None:
    """Refuse a training part whose classes cannot be drawn alike.

    Args:
        sampling: `hpsearch.data.base.DataSource.sampling`.
        y: [N] class numbers, or [N, outputs] targets of a regression.
        class_names: one name per class, none for a regression.

    Raises:
        ConfigError: a regression, or a class without samples.
    """
    import torch

    if sampling is None:
        return
    if not class_names:
        raise ConfigError(f"data.sampling = {sampling!r}: a regression has no classes, use null")
    counts = torch.bincount(y.cpu(), minlength=len(class_names))
    if not counts.all():
        empty = class_names[int(counts.argmin())]
        raise ConfigError(f"data.sampling = {sampling!r}: the training part has no sample of class '{empty}'")


def balanced_rows(y: "Tensor", seed: int, epoch: int) -> "Tensor":
    """Draw as many rows as there are, with replacement, each with the probability 1 / (C N_c) of its class.

    So every class is expected as often as any other: its class is uniform, and the row is uniform in it.

    Args:
        y: [N] class numbers, of C classes.
        seed: of the trial; what is drawn is a function of it and of the epoch.
        epoch: pass over the part.

    Returns:
        [N] row numbers, on the host.
    """
    import torch

    y = y.cpu()
    _, counts = torch.unique(y, return_counts=True)
    by_class = y.argsort(stable=True)
    uniform = torch.rand(len(y), 2, dtype=torch.float64, generator=seeded(torch.Generator(), seed, BALANCED, epoch))
    drawn = (uniform[:, 0] * len(counts)).long()
    place = (uniform[:, 1] * counts[drawn]).long()
    return by_class[(counts.cumsum(0) - counts)[drawn] + place]


def addresses(rows: "Tensor", size: int) -> "Tensor":
    """Return what tells the visits of an epoch apart, also those to the same row: row + `size` times those before.

    Args:
        rows: [N] row numbers in the order of the visits.
        size: rows of the part.

    Returns:
        [N] numbers; the rows themselves where each is visited once.
    """
    import torch

    ordered, place = rows.sort(stable=True)
    _, counts = torch.unique_consecutive(ordered, return_counts=True)
    before = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return rows.index_add(0, place, before * size)
