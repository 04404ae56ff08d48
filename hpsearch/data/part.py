"""One part of a data set, whose samples are on the device."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from hpsearch.data.streamed import Streamed


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Attributes:
        x: [N, C, H, W] images or [N, F] features, float32; or [N, T] words, int64.
        y: [N] class numbers, int64, of steps [N, T], see `hpsearch.base.steps`; or [N, outputs] targets of a
            regression, float32.
    """

    x: "Tensor"
    y: "Tensor"

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.x.shape[1:])

    @property
    def device(self) -> "torch.device":
        """Where the samples are."""
        return self.x.device

    def to(self, device: "torch.device | str") -> "Split":
        """Return this part on a device."""
        return Split(self.x.to(device), self.y.to(device))

    def batches(
        self,
        rows: "Tensor",
        size: int,
        seed: int = 0,  # noqa: ARG002 - tensors draw nothing
        epoch: int = 0,  # noqa: ARG002
    ) -> "Iterator[tuple[Tensor, Tensor]]":
        """Go through some rows in batches.

        Args:
            rows: [N] row numbers in order, on the device.
            size: rows per batch; the last one may have fewer.
            seed: of the trial, for parts that draw at random when they are read.
            epoch: pass over the part, for the same.

        Yields:
            Inputs and targets of each batch.
        """
        import torch

        for chunk in torch.split(rows, size):
            yield self.x.index_select(0, chunk), self.y.index_select(0, chunk)

    def in_order(self, size: int) -> "Iterator[tuple[Tensor, Tensor]]":
        """Go through all rows in their order, in batches."""
        import torch

        return zip(torch.split(self.x, size), torch.split(self.y, size), strict=True)


Part: TypeAlias = "Split | Streamed"
"""One part of a data set: on the device, or brought there batch by batch."""
