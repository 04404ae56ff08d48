"""Augmentations that move pixels: flip, crop, scale and crop, rotation."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hpsearch.base.errors import check_float, check_int
from hpsearch.data.augment import GEOMETRY, Range, check_pair

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Mirror an image left to right with probability p.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural Networks, NIPS
    2012.

    Attributes:
        p: probability.
    """

    stage: ClassVar[int] = GEOMETRY
    draws: ClassVar[int] = 1

    p: float = 0.5

    def __post_init__(self) -> None:
        check_float("augment.flip.p", self.p, "[0, 1]")

    def apply(self, x: "Tensor", u: "Tensor", values: Range) -> "Tensor":  # noqa: ARG002 - no pixel comes from outside
        """Return the images, some mirrored."""
        return x.flip(-1).where(u[:, :1, None, None] < self.p, x)


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Move an image by up to `padding` pixels in each direction: a crop of its size from the image with a black border.

    Source: He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016 (section 4.2).

    Attributes:
        padding: greatest shift, in pixels.
    """

    stage: ClassVar[int] = GEOMETRY
    draws: ClassVar[int] = 2

    padding: int = 4

    def __post_init__(self) -> None:
        check_int("augment.crop.padding", self.padding, 0)

    def apply(self, x: "Tensor", u: "Tensor", values: Range) -> "Tensor":
        """Return the shifted images."""
        import torch

        height, width, border = *x.shape[2:], self.padding
        canvas = values.black.to(x.dtype).expand(*x.shape[:2], height + 2 * border, width + 2 * border).clone()
        canvas[:, :, border : border + height, border : border + width] = x
        corner = (u * (2 * border + 1)).long()
        windows = canvas.unfold(2, height, 1).unfold(3, width, 1)
        return windows[torch.arange(len(x), device=x.device), :, corner[:, 0], corner[:, 1]]


@dataclass(frozen=True, kw_only=True)
class ResizedCrop:
    """Cut out a box of random area and aspect ratio and stretch it to the image's size (bilinear).

    The area is uniform, the aspect ratio uniform in its logarithm; a side longer than the image's is cut to it.

    Source: Szegedy et al., Going Deeper with Convolutions, CVPR 2015 (section 6).

    Attributes:
        scale: least and greatest share of the image's area.
        ratio: least and greatest width / height.
    """

    stage: ClassVar[int] = GEOMETRY
    draws: ClassVar[int] = 4

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (0.75, 1.3333333333)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", check_pair("augment.resized_crop.scale", self.scale, 0, 1))
        object.__setattr__(self, "ratio", check_pair("augment.resized_crop.ratio", self.ratio, 0, math.inf))

    def apply(self, x: "Tensor", u: "Tensor", values: Range) -> "Tensor":
        """Return the stretched boxes."""
        import torch

        height, width = box_sides(u[:, 0], u[:, 1], self.scale, self.ratio, x.shape[2] / x.shape[3])
        top, left = (1 - height) * (2 * u[:, 2] - 1), (1 - width) * (2 * u[:, 3] - 1)
        zero = torch.zeros_like(top)
        theta = torch.stack((width, zero, left, zero, height, top), 1).view(-1, 2, 3)
        return _warped(x, theta, values)


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """Turn an image around its centre by a uniform angle (bilinear); what comes in from outside is black.

    Source: Simard, Steinkraus and Platt, Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis, ICDAR 2003.

    Attributes:
        degrees: greatest angle, to either side.
    """

    stage: ClassVar[int] = GEOMETRY
    draws: ClassVar[int] = 1

    degrees: float = 15.0

    def __post_init__(self) -> None:
        check_float("augment.rotation.degrees", self.degrees, "[0, 180]")

    def apply(self, x: "Tensor", u: "Tensor", values: Range) -> "Tensor":
        """Return the turned images."""
        import torch

        angle = (2 * u[:, 0] - 1) * math.radians(self.degrees)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        aspect = x.shape[2] / x.shape[3]
        theta = torch.stack((cos, sin * aspect, zero, -sin / aspect, cos, zero), 1).view(-1, 2, 3)
        return _warped(x, theta, values)


def box_sides(
    area: "Tensor", shape: "Tensor", scale: tuple[float, float], ratio: tuple[float, float], aspect: float
) -> "tuple[Tensor, Tensor]":
    """Return the sides of random boxes.

    Args:
        area: [B] uniform numbers that choose the area.
        shape: [B] uniform numbers that choose the aspect ratio.
        scale: least and greatest share of the image's area.
        ratio: least and greatest width / height of the box.
        aspect: height / width of the image.

    Returns:
        [B] heights and [B] widths, as shares of the image's, at most 1.
    """
    low, high = map(math.log, ratio)
    share = scale[0] + area * (scale[1] - scale[0])
    wide = (low + shape * (high - low)).exp() * aspect
    return (share / wide).sqrt().clamp(max=1), (share * wide).sqrt().clamp(max=1)


def _warped(x: "Tensor", theta: "Tensor", values: Range) -> "Tensor":
    """Sample each image at the places that an affine map [B, 2, 3] of its coordinates gives."""
    from torch.nn.functional import affine_grid, grid_sample

    grid = affine_grid(theta.to(x.dtype), list(x.shape), align_corners=False)
    return (
        grid_sample(x - values.black, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + values.black
    )
