"""LeNet."""

from collections.abc import Sequence
from typing import Any, Unpack

from torch import nn

from hpsearch.base.errors import check_int
from hpsearch.models.base import FeatureNet
from hpsearch.nn.init import redraw
from hpsearch.nn.layers import (
    Step,
    check_images,
    check_odd,
    check_widths,
    conv_block,
    hidden_layers,
    side_after,
    smallest_side,
)
from hpsearch.nn.pooling import Pooling
from hpsearch.nn.style import Constants, Style


class LeNet(FeatureNet):
    """Two convolutions, each followed by an activation and 2x2 pooling, then fully connected layers.

    The first convolution keeps the size of the image (zero padding), the second has no padding. With kernel size 5 at
    1x28x28 and 10 classes it has 61,706 parameters.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, Proceedings of
    the IEEE 86(11), 1998, as textbooks simplify it: every map of the second convolution sees every map of the first,
    and the output is linear.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: of the convolutions, a key of `hpsearch.nn.normalization.NORMS`.
        norm_first: normalize before the activation, or after it.
        pool: ``max``, ``avg`` or ``l2``, see `hpsearch.nn.pooling.Pooling`.
        pool_size: side of a pooled window.
        pool_stride: distance of the windows; None is `pool_size`.
        pool_padding: positions around the maps that windows reach into, at most half of `pool_size`.
        kernel_size: of both convolutions; odd.
        stride: of both convolutions.
        padding: zeros around what either convolution reads; None is half the kernel for the first and 0 for the second.
        channels: maps of the two convolutions.
        hidden: width of each hidden fully connected layer.
        dropout: rate after each hidden fully connected layer, in [0, 1); or a list with one rate per layer.
        **constants: of activation and normalization, see `hpsearch.nn.style.Style`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        pool: str = "max",
        pool_size: int = 2,
        pool_stride: int | None = None,
        pool_padding: int = 0,
        kernel_size: int = 5,
        stride: int = 1,
        padding: int | None = None,
        channels: Sequence[int] = (6, 16),
        hidden: Sequence[int] = (120, 84),
        dropout: float | Sequence[float] = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        super().__init__()
        pooling = Pooling(pool, pool_size, pool_stride, pool_padding)
        convolutions = _convolutions(kernel_size, stride, padding)
        steps = [step for each in convolutions for step in (each, pooling.step)]
        height, width = _pooled_size(in_shape, steps)
        check_widths("model.channels", channels, 2)
        style = Style(activation, norm, norm_first, **constants)
        (size, stride, around), (_, _, within) = convolutions
        first = conv_block(in_shape[0], channels[0], size, style, stride, around)
        second = conv_block(first.outputs, channels[1], size, style, stride, within)
        self.features = nn.Sequential(first, pooling.layer(), second, pooling.layer())
        self.hidden = hidden_layers(second.outputs * height * width, hidden, style.without_norm(), dropout)
        self.output = nn.Linear(self.hidden.outputs, num_outputs)


class OriginalLeNet(LeNet):
    """LeNet with sigmoid and average pooling, drawn uniformly in ±sqrt(6 / (fan-in + fan-out)) by Glorot and Bengio.

    Args:
        in_shape: as for `LeNet`, like all others.
        num_outputs: see there.
        activation: see there.
        pool: see there.
        **options: the others of `LeNet`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        activation: str = "sigmoid",
        pool: str = "avg",
        **options: Any,
    ) -> None:
        super().__init__(in_shape, num_outputs, activation, pool=pool, **options)
        redraw(self, nn.init.xavier_uniform_)


def _convolutions(kernel_size: int, stride: int, padding: int | None) -> list[Step]:
    check_odd(kernel_size)
    check_int("model.stride", stride, 1)
    if padding is not None:
        check_int("model.padding", padding, 0)
        return [(kernel_size, stride, padding)] * 2
    return [(kernel_size, stride, kernel_size // 2), (kernel_size, stride, 0)]


def _pooled_size(in_shape: tuple[int, ...], steps: Sequence[Step]) -> tuple[int, int]:
    kernel_size = steps[0][0]
    fitting = (k for k in range(kernel_size - 2, 0, -2) if _smallest(steps, k) <= min(in_shape[1:], default=0))
    smaller = next(fitting, None)
    advice = f"model.kernel_size={smaller} fits" if smaller else ""
    check_images(f"LeNet with model.kernel_size = {kernel_size}", in_shape, smallest_side(steps), advice)
    height, width = (side_after(side, steps) for side in in_shape[1:])
    return height, width


def _smallest(steps: Sequence[Step], kernel_size: int) -> int:
    """Return the smallest side that the same steps hold with a smaller kernel, whose padding is smaller too."""
    (size, stride, around), pool, (_, _, within), last = steps
    shrunk = [(kernel_size, stride, kernel_size // 2 if 2 * p + 1 == size else p) for p in (around, within)]
    return smallest_side([shrunk[0], pool, shrunk[1], last])
