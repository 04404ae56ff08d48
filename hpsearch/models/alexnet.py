"""AlexNet."""

from collections.abc import Sequence
from typing import Unpack

from torch import nn

from hpsearch.base.errors import check_choice
from hpsearch.models.base import FeatureNet
from hpsearch.nn.init import redraw
from hpsearch.nn.layers import (
    Step,
    check_images,
    check_widths,
    conv_block,
    hidden_layers,
    side_after,
    slimmed,
    smallest_side,
)
from hpsearch.nn.pooling import Pooling
from hpsearch.nn.style import Constants, Style

CONVOLUTIONS: dict[str, tuple[Step, ...]] = {
    "original": ((11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)),
    "small": ((3, 1, 1), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)),
}
POOL_SIZES = {"original": 3, "small": 2}
POOL_STRIDE = 2
POOLED = (0, 1, 4)
"""The convolutions that max pooling follows."""


class AlexNet(FeatureNet):
    """Five convolutions with three max poolings, two fully connected layers with dropout, and a linear output.

    Weights start normal with variance 2 / fan-in (He, Zhang, Ren and Sun, ICCV 2015), the output layer's as torch draws
    them. At 3x224x224 and 1,000 classes the original stem has 61,100,840 parameters.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, NeurIPS
    2012, in the one tower of Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        channels: maps of the five convolutions.
        ratio: divides `channels`.
        hidden: width of each hidden fully connected layer.
        stem: ``original``, from 63x63 pixels on: an 11x11 convolution of stride 4, poolings of 3x3; ``small``, from
            8x8 on: a 3x3 convolution of stride 1, poolings of 2x2.
        pool: ``max``, ``avg`` or ``l2``, see `hpsearch.nn.pooling.Pooling`.
        pool_size: side of a pooled window; None is that of the stem.
        pool_stride: distance of the windows; None is 2.
        pool_padding: positions around the maps that windows reach into, at most half of `pool_size`.
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
        channels: Sequence[int] = (64, 192, 384, 256, 256),
        ratio: int = 1,
        hidden: Sequence[int] = (4096, 4096),
        stem: str = "small",
        pool: str = "max",
        pool_size: int | None = None,
        pool_stride: int | None = None,
        pool_padding: int = 0,
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        dropout: float | Sequence[float] = 0.5,
        **constants: Unpack[Constants],
    ) -> None:
        super().__init__()
        check_choice("model.stem", stem, CONVOLUTIONS)
        check_widths("model.channels", channels, 5)
        size = POOL_SIZES[stem] if pool_size is None else pool_size
        pooling = Pooling(pool, size, POOL_STRIDE if pool_stride is None else pool_stride, pool_padding)
        steps, layers, inputs = list[Step](), list[nn.Module](), in_shape[0]
        style = Style(activation, norm, norm_first, **constants)
        for place, width in enumerate(slimmed(channels, ratio)):
            step = CONVOLUTIONS[stem][place]
            block = conv_block(inputs, width, step[0], style, step[1], step[2])
            layers.append(block)
            steps.append(step)
            inputs = block.outputs
            if place in POOLED:
                layers.append(pooling.layer())
                steps.append(pooling.step)
        check_images(f"AlexNet with the {stem} stem", in_shape, smallest_side(steps))
        height, width = (side_after(side, steps) for side in in_shape[1:])
        self.features = nn.Sequential(*layers)
        self.hidden = hidden_layers(inputs * height * width, hidden, style.without_norm(), dropout)
        redraw(self, nn.init.kaiming_normal_)
        self.output = nn.Linear(self.hidden.outputs, num_outputs)
