"""Scaling of inputs and targets, fitted on the training part and applied to every part."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import DataError
from hpsearch.data.arrays import Arrays

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

    Raises:
        DataError: numbers so large that their squares or differences are beyond float64.
    """
    import torch

    if kind == "none":
        return None
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    low = x.amin(axes, keepdim=True)
    wide = x.dtype == torch.float64  # of numbers far from 0, the mean is exact of their differences only
    from_low = x - low if wide else x
    if kind in ("standardize", "arctangent"):
        scale, shift = torch.std_mean(from_low, axes, correction=0, keepdim=True)
        shift = shift + low if wide else shift
    else:
        high = x.mean(axes, keepdim=True) if kind == "exponential" else x.amax(axes, keepdim=True)
        scale, shift = (from_low.mean(axes, keepdim=True) if wide and kind == "exponential" else high - low), low
    if kind == "log":
        scale = scale.log1p()
    if not (scale.isfinite() & shift.isfinite()).all():
        raise DataError(f"data.scaling = '{kind}': numbers up to {float(x.abs().max()):.3g} are too large to be scaled")
    return Scaling(kind, shift, torch.where(scale == 0, 1, scale))


def scaled(parts: "list[Tensor]", kind: str) -> "list[Tensor]":
    """Scale the parts by what is fitted on the first one, and convert them to float32.

    Args:
        parts: inputs, or targets, of each part, the training part first; they are changed in place. Whole numbers are
            classes, and stay.
        kind: one of `SCALINGS`.

    Returns:
        The parts.

    Raises:
        DataError: numbers that float32 cannot hold, after scaling.
    """
    import torch

    if scaling := fit(parts[0], kind):
        for part in parts:
            scaling.apply_(part)
    narrow = [part.to(torch.float32) if part.is_floating_point() else part for part in parts]
    for wide, part in zip(parts, narrow, strict=True):
        if wide.dtype == torch.float64 and len(part) and not part.isfinite().all():
            raise DataError(
                f"numbers up to {float(wide.abs().max()):.3g} are beyond float32 ({torch.finfo(torch.float32).max:.3g})"
                f" with scaling '{kind}': use standardize, or leave such columns out"
            )
    return narrow


def exact(values: NDArray[Any]) -> "Tensor":
    """Return values as a tensor: float64, but float32 for whole numbers of up to 16 bits and images of floats."""
    import torch

    small = values.dtype.itemsize <= (2 if values.dtype.kind in "bui" else 4 if values.ndim == 4 else 0)
    return torch.from_numpy(values.astype(np.float32 if small else np.float64))


def inputs(arrays: Arrays) -> "Tensor":
    """Return inputs as `exact` has them; numbers of words [N, T] stay whole ones."""
    import torch

    return torch.from_numpy(arrays.x.astype(np.int64)) if arrays.vocabulary else exact(arrays.x)


def targets(arrays: Arrays) -> "Tensor":
    """Return class numbers [N], of words [N, T], or the targets [N, outputs] of a regression."""
    import torch

    if arrays.class_names:
        return torch.from_numpy(arrays.y.astype(np.int64))
    y = exact(arrays.y)
    return y if y.ndim > 1 else y[:, None]
