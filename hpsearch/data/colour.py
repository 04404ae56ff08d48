"""Augmentations that change pixels where they are: brightness, contrast, colour, erasing."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hpsearch.base.errors import ConfigError, check_float
from hpsearch.data.augment import COLOUR, ERASING, Range, check_pair
from hpsearch.data.geometry import box_sides

if TYPE_CHECKING:
    from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""


@dataclass(frozen=True, kw_only=True)
class ColourJitter:
    """Change brightness, contrast, saturation and hue by random amounts, in this order.

    With values between black 0 and white 1, g the grey of a pixel and m the image's mean grey: brightness f·x, contrast
    m + f·(x - m), saturation g + f·(x - g), each f uniform in [max(0, 1 - a), 1 + a] for the amount a, and a turn of
    the colours around the grey axis by up to `hue` of a full turn. Results are cut to [0, 1]. Grey images have neither
    saturation nor hue.

    Source: A. G. Howard, Some Improvements on Deep Convolutional Neural Network Based Image Classification,
    arXiv:1312.5402, 2013; Krizhevsky, Sutskever and Hinton, NIPS 2012, for changes of colour.

    Attributes:
        brightness: greatest relative change.
        contrast: greatest relative change.
        saturation: greatest relative change.
        hue: greatest turn to either side, as a share of a full one.
    """

    stage: ClassVar[int] = COLOUR
    draws: ClassVar[int] = 4

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            check_float(f"augment.colour_jitter.{name}", getattr(self, name), "[0, inf)")
        check_float("augment.colour_jitter.hue", self.hue, "[0, 0.5]")

    def apply(self, x: "Tensor", u: "Tensor", values: Range) -> "Tensor":
        """Return the images in other colours."""
        channels = x.shape[1]
        if channels not in (1, 3):
            raise ConfigError(
                f"augment.colour_jitter: needs grey or red, green and blue, the images have {channels} channels"
            )
        span = values.white - values.black
        span = span.where(span != 0, 1)
        unit = (x - values.black) / span
        factor = [_factor(u[:, i], a) for i, a in enumerate((self.brightness, self.contrast, self.saturation))]
        unit = (unit * factor[0]).clamp(0, 1)
        mean = _grey(unit).mean((1, 2, 3), keepdim=True)
        unit = (mean + factor[1] * (unit - mean)).clamp(0, 1)
        if channels == 3:
            grey = _grey(unit)
            unit = (grey + factor[2] * (unit - grey)).clamp(0, 1)
            if self.hue:
                unit = _turned(unit, (2 * u[:, 3] - 1) * 2 * math.pi * self.hue).clamp(0, 1)
        return unit * span + values.black


@dataclass(frozen=True, kw_only=True)
class Erasing:
    """Paint a box of random place, area and aspect ratio in one shade, with probability p.

    Source: Zhong, Zheng, Kang, Li and Yang, Random Erasing Data Augmentation, AAAI 2020.

    Attributes:
        p: probability.
        scale: least and greatest share of the image's area.
        ratio: least and greatest width / height.
        shade: from 0, black, to 1, white.
    """

    stage: ClassVar[int] = ERASING
    draws: ClassVar[int] = 5

    p: float = 0.5
    scale: tuple[float, float] = (0.02, 0.4)
    ratio: tuple[float, float] = (0.3, 3.3333333333)
    shade: float = 0.5

    def __post_init__(self) -> None:
        check_float("augment.erasing.p", self.p, "[0, 1]")
        object.__setattr__(self, "scale", check_pair("augment.erasing.scale", self.scale, 0, 1))
        object.__setattr__(self, "ratio", check_pair("augment.erasing.ratio", self.ratio, 0, math.inf))
        check_float("augment.erasing.shade", self.shade, "[0, 1]")

    def apply(self, x: "Tensor", u: "Tensor", values: Range) -> "Tensor":
        """Return the images, some with a box."""
        import torch

        size = x.shape[2:]
        sides = box_sides(u[:, 1], u[:, 2], self.scale, self.ratio, size[0] / size[1])
        inside = []
        for axis, side in enumerate(sides):
            length = (side * size[axis]).round().clamp(min=1)
            start = (u[:, 3 + axis] * (size[axis] - length + 1)).floor()
            place = torch.arange(size[axis], device=x.device)
            inside.append((place >= start[:, None]) & (place < (start + length)[:, None]))
        box = inside[0][:, None, :, None] & inside[1][:, None, None, :] & (u[:, :1, None, None] < self.p)
        return torch.where(box, (values.black + self.shade * (values.white - values.black)).to(x.dtype), x)


def _factor(u: "Tensor", amount: float) -> "Tensor":
    low = max(0.0, 1 - amount)
    return (low + u * (1 + amount - low))[:, None, None, None]


def _grey(x: "Tensor") -> "Tensor":
    if x.shape[1] == 1:
        return x
    return (x * x.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _turned(x: "Tensor", angle: "Tensor") -> "Tensor":
    """Turn colours around the grey axis k = (1, 1, 1) / √3 (Rodrigues): x cos + (k × x) sin + k (k·x) (1 - cos)."""
    cos, sin = angle.cos()[:, None, None, None], angle.sin()[:, None, None, None]
    cross = (x.roll(1, 1) - x.roll(-1, 1)) / math.sqrt(3)
    return x * cos + cross * sin + x.mean(1, keepdim=True) * (1 - cos)
