"""Scaling of inputs and targets, fitted on the training part and applied to every part."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SCALINGS = ("minmax", "standardize", "log", "exponential", "arctangent", "none")
LINEAR = ("minmax", "standardize", "none")


@dataclass(frozen=True, eq=False)
class Scaling:
    """A map of each channel or feature, see `fit`.

    Attributes:
        kind: one of `SCALINGS` but ``none``.
        shift: [1, C, 1, 1] or [1, F].
        scale: same shape; 1 where the training part is constant.
    """

    kind: str
    shift: "Tensor"
    scale: "Tensor"

    def apply_(self, x: "Tensor") -> "Tensor":
        """Scale `x` in place and return it."""
        x.sub_(self.shift)
        match self.kind:
            case "log":
                return x.clamp_(min=0).log1p_().div_(self.scale)
            case "exponential":
                return x.div_(self.scale).neg_().expm1_().neg_()
            case "arctangent":
                return x.div_(self.scale).atan_().mul_(2 / math.pi)
            case _:
                return x.div_(self.scale)


def fit(x: "Tensor", kind: str) -> Scaling | None:
    """Fit a scaling on the training part.

    With the least value lo, the greatest hi, the mean m and the (population) standard deviation s of the training
    part:

    - ``minmax``: (x - lo) / (hi - lo), to [0, 1];
    - ``standardize``: (x - m) / s;
    - ``log``: ln(1 + x - lo) / ln(1 + hi - lo), to [0, 1], for values over several decades; less than lo counts as lo;
    - ``exponential``: 1 - exp(-(x - lo) / (m - lo)), to [0, 1), which spreads exponentially distributed values evenly;
    - ``arctangent``: 2/π · arctan((x - m) / s), to (-1, 1), which bounds outliers.

    Images are fitted per channel over all pixels, so that minmax divides 8-bit images by 255; other inputs are
    fitted per feature.

    Args:
        x: [N, C, H, W] images or [N, F] features.
        kind: one of `SCALINGS`.

    Returns:
        The scaling, None for ``none``.
    """
    import torch

    if kind == "none":
        return None
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    if kind in ("standardize", "arctangent"):
        scale, shift = torch.std_mean(x, axes, correction=0, keepdim=True)
    else:
        shift = x.amin(axes, keepdim=True)
        scale = (x.mean(axes, keepdim=True) if kind == "exponential" else x.amax(axes, keepdim=True)) - shift
    if kind == "log":
        scale = scale.log1p()
    return Scaling(kind, shift, torch.where(scale == 0, 1, scale))
