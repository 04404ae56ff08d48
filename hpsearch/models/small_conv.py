"""A small convolutional network."""

from collections.abc import Sequence
from functools import partial
from typing import Unpack

from torch import nn

from hpsearch.base.errors import check_int
from hpsearch.models.base import FeatureNet
from hpsearch.nn.init import redraw
from hpsearch.nn.layers import (
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

STD = BIAS = 0.05


class SmallConv(FeatureNet):
    """Convolutions, each followed by pooling, then fully connected layers.

    With channels (32, 64), kernel size 5, max pooling of 2x2 and 1,024 hidden units this is the test problem 2c2d of
    Schneider, Balles and Hennig, DeepOBS: a deep learning optimizer benchmark suite, ICLR 2019. As there, weights start
    normal with a deviation of .05, truncated at two deviations, and biases at .05.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        channels: maps of each convolution.
        kernel_size: of every convolution; odd.
        stride: of every convolution.
        padding: zeros around what a convolution reads; None is half the kernel.
        pool: ``max``, ``avg`` or ``l2``, see `hpsearch.nn.pooling.Pooling`.
        pool_size: side of a pooled window.
        pool_stride: distance of the windows; None is `pool_size`.
        pool_padding: positions around the maps that windows reach into, at most half of `pool_size`.
        hidden: width of each hidden fully connected layer.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: of the convolutions, a key of `hpsearch.nn.normalization.NORMS`.
        norm_first: normalize before the activation, or after it.
        dropout: rate after each hidden fully connected layer, in [0, 1); or a list with one rate per layer.
        **constants: of activation and normalization, see `hpsearch.nn.style.Style`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 5,
        stride: int = 1,
        padding: int | None = None,
        pool: str = "max",
        pool_size: int = 2,
        pool_stride: int | None = None,
        pool_padding: int = 0,
        hidden: Sequence[int] = (1024,),
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        dropout: float | Sequence[float] = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        super().__init__()
        check_widths("model.channels", channels)
        check_odd(kernel_size)
        check_int("model.stride", stride, 1)
        if padding is not None:
            check_int("model.padding", padding, 0)
        pooling = Pooling(pool, pool_size, pool_stride, pool_padding)
        around = kernel_size // 2 if padding is None else padding
        steps = [(kernel_size, stride, around), pooling.step] * len(channels)
        check_images(f"a network of {len(channels)} poolings", in_shape, smallest_side(steps))
        layers, inputs = list[nn.Module](), in_shape[0]
        style = Style(activation, norm, norm_first, **constants)
        for width in channels:
            block = conv_block(inputs, width, kernel_size, style, stride, around)
            layers += [block, pooling.layer()]
            inputs = block.outputs
        height, width = (side_after(side, steps) for side in in_shape[1:])
        self.features = nn.Sequential(*layers)
        self.hidden = hidden_layers(inputs * height * width, hidden, style.without_norm(), dropout)
        self.output = nn.Linear(self.hidden.outputs, num_outputs)
        redraw(self, partial(nn.init.trunc_normal_, std=STD, a=-2 * STD, b=2 * STD), bias=BIAS)
