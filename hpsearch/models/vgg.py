"""VGG."""

from collections.abc import Sequence
from typing import Unpack

from torch import nn

from hpsearch.base.errors import check_choice
from hpsearch.models.base import FeatureNet
from hpsearch.nn.init import redraw
from hpsearch.nn.layers import (
    check_images,
    check_odd,
    check_widths,
    conv_block,
    hidden_layers,
    side_after,
    slimmed,
    smallest_side,
)
from hpsearch.nn.pooling import Pooling
from hpsearch.nn.style import Constants, Style

STEMS = {"original": None, "small": 3}
"""How many blocks, from the first on, are pooled; None is all."""


class VGG(FeatureNet):
    """Blocks of 3x3 convolutions that keep the size, each block pooled, then fully connected layers with dropout.

    Weights start normal with variance 2 / fan-in (He, Zhang, Ren and Sun, ICCV 2015), the output layer's as torch draws
    them. With blocks (1, 1, 2, 2, 2) this is VGG-11: at 3x224x224 and 1,000 classes the original stem has 132,863,336
    parameters.

    Source: Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        blocks: convolutions of each block.
        channels: maps of each block.
        ratio: divides `channels`.
        kernel_size: of every convolution; odd.
        hidden: width of each hidden fully connected layer.
        stem: ``original`` pools after every block, so that five blocks need 32x32 pixels; ``small`` after the first
            three only, and needs 8x8.
        pool: ``max``, ``avg`` or ``l2``, see `hpsearch.nn.pooling.Pooling`.
        pool_size: side of a pooled window.
        pool_stride: distance of the windows; None is `pool_size`.
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
        blocks: Sequence[int] = (1, 1, 2, 2, 2),
        channels: Sequence[int] = (64, 128, 256, 512, 512),
        ratio: int = 1,
        kernel_size: int = 3,
        hidden: Sequence[int] = (4096, 4096),
        stem: str = "small",
        pool: str = "max",
        pool_size: int = 2,
        pool_stride: int | None = None,
        pool_padding: int = 0,
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        dropout: float | Sequence[float] = 0.5,
        **constants: Unpack[Constants],
    ) -> None:
        super().__init__()
        check_widths("model.blocks", blocks)
        check_widths("model.channels", channels, len(blocks))
        check_odd(kernel_size)
        poolings = _poolings(stem, len(blocks))
        pooling = Pooling(pool, pool_size, pool_stride, pool_padding)
        steps = [pooling.step] * poolings
        least = 2 if norm == "instance" and poolings < len(blocks) else 1
        check_images(f"VGG with the {stem} stem", in_shape, smallest_side(steps, least))
        layers, inputs = list[nn.Module](), in_shape[0]
        style = Style(activation, norm, norm_first, **constants)
        for place, (count, width) in enumerate(zip(blocks, slimmed(channels, ratio), strict=True)):
            for _ in range(count):
                block = conv_block(inputs, width, kernel_size, style)
                layers.append(block)
                inputs = block.outputs
            if place < poolings:
                layers.append(pooling.layer())
        height, width = (side_after(side, steps) for side in in_shape[1:])
        self.features = nn.Sequential(*layers)
        self.hidden = hidden_layers(inputs * height * width, hidden, style.without_norm(), dropout)
        redraw(self, nn.init.kaiming_normal_)
        self.output = nn.Linear(self.hidden.outputs, num_outputs)


def _poolings(stem: str, blocks: int) -> int:
    check_choice("model.stem", stem, STEMS)
    most = STEMS[stem]
    return blocks if most is None else min(blocks, most)
