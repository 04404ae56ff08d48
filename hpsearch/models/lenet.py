"""LeNet."""

from collections.abc import Sequence
from typing import Any, Unpack

from torch import nn

from hpsearch.base.errors import check_choice
from hpsearch.models.base import FeatureNet
from hpsearch.nn.init import redraw
from hpsearch.nn.layers import check_images, check_odd, check_widths, conv_block, hidden_layers
from hpsearch.nn.style import Constants, Style

POOLS: dict[str, type[nn.MaxPool2d] | type[nn.AvgPool2d]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


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
        pool: ``max`` or ``avg``.
        kernel_size: of both convolutions; odd.
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
        kernel_size: int = 5,
        channels: Sequence[int] = (6, 16),
        hidden: Sequence[int] = (120, 84),
        dropout: float | Sequence[float] = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        super().__init__()
        height, width = _pooled_size(in_shape, kernel_size)
        check_choice("model.pool", pool, POOLS)
        check_widths("model.channels", channels, 2)
        style = Style(activation, norm, norm_first, **constants)
        first = conv_block(in_shape[0], channels[0], kernel_size, style)
        second = conv_block(first.outputs, channels[1], kernel_size, style, padding=0)
        self.features = nn.Sequential(first, POOLS[pool](2), second, POOLS[pool](2))
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


def _pooled_size(in_shape: tuple[int, ...], kernel_size: int) -> tuple[int, int]:
    check_odd(kernel_size)
    fits = [k for k in range(1, kernel_size, 2) if 2 * (k + 1) <= min(in_shape[1:], default=0)]
    advice = f"model.kernel_size={fits[-1]} fits" if fits else ""
    check_images(f"LeNet with model.kernel_size = {kernel_size}", in_shape, 2 * (kernel_size + 1), advice)
    height, width = ((side // 2 - kernel_size + 1) // 2 for side in in_shape[1:])
    return height, width
