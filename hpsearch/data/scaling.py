"""Scaling of inputs, fitted on the training part and applied to every part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SCALINGS = ("minmax", "standardize", "none")


@dataclass(frozen=True, eq=False)
class Scaling:
    """The map ``(x - shift) / scale`` of each channel or feature.

    Attributes:
        shift: [1, C, 1, 1] or [1, F].
        scale: same shape; 1 where the training part is constant.
    """

    shift: "Tensor"
    scale: "Tensor"

    def apply_(self, x: "Tensor") -> "Tensor":
        """Scale `x` in place and return it."""
        return x.sub_(self.shift).div_(self.scale)


def fit(x: "Tensor", kind: str) -> Scaling | None:
    """Fit a scaling on the training part.

    ``minmax`` maps the least value to 0 and the greatest to 1, ``standardize`` the mean to 0 and the (population)
    standard deviation to 1. Images are fitted per channel over all pixels, so that minmax divides 8-bit images by
    255; other inputs are fitted per feature.

    Args:
        x: [N, C, H, W] images or [N, F] features.
        kind: one of `SCALINGS`.

    Returns:
        The scaling, None for ``none``.
    """
    import torch

    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    match kind:
        case "minmax":
            shift = x.amin(axes, keepdim=True)
            scale = x.amax(axes, keepdim=True) - shift
        case "standardize":
            scale, shift = torch.std_mean(x, axes, correction=0, keepdim=True)
        case _:
            return None
    return Scaling(shift, torch.where(scale == 0, 1, scale))
