"""Pooling of images by name."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from hpsearch.base.errors import ConfigError, check_choice, check_int
from hpsearch.nn.layers import Step


class L2Pool(nn.Module):
    """The length of the values in each window, ``sqrt(sum of squares)``.

    Source: Sermanet, Chintala and LeCun, Convolutional neural networks applied to house numbers digit classification,
    ICPR 2012, with p = 2. Unlike `torch.nn.LPPool2d` it has a finite gradient, 0, where a window holds nothing but 0,
    as is usual behind a ReLU; and it can be padded.

    Args:
        size: side of a window.
        stride: distance of the windows.
        padding: zeros around the image.
    """

    def __init__(self, size: int, stride: int, padding: int = 0) -> None:
        super().__init__()
        self.size, self.stride, self.padding = size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Return maps [B, C, H', W'] of maps [B, C, H, W]."""
        squares = avg_pool2d(x.square(), self.size, self.stride, self.padding) * self.size**2
        return squares.clamp_min(torch.finfo(x.dtype).tiny).sqrt()


POOLS = ("max", "avg", "l2")
"""Kinds of pooling: the largest value of a window, the mean of what of it lies in the image, the length."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """A pooling of images.

    Attributes:
        kind: one of `POOLS`.
        size: side of a window.
        stride: distance of the windows; None is `size`, windows side by side.
        padding: positions around the image that windows may reach into, at most half of `size`.
    """

    kind: str = "max"
    size: int = 2
    stride: int | None = None
    padding: int = 0

    def __post_init__(self) -> None:
        check_choice("model.pool", self.kind, POOLS)
        check_int("model.pool_size", self.size, 1)
        if self.stride is not None:
            check_int("model.pool_stride", self.stride, 1)
        check_int("model.pool_padding", self.padding, 0)
        if 2 * self.padding > self.size:
            raise ConfigError(
                f"model.pool_padding = {self.padding}: must be at most half of model.pool_size = {self.size}"
            )

    @property
    def step(self) -> Step:
        """Window, stride and padding."""
        return self.size, self.stride or self.size, self.padding

    def layer(self) -> nn.Module:
        """Return a new module."""
        if self.kind == "max":
            return nn.MaxPool2d(*self.step)
        return nn.AvgPool2d(*self.step, count_include_pad=False) if self.kind == "avg" else L2Pool(*self.step)
