"""GoogLeNet."""

from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from hpsearch.base.errors import check_int
from hpsearch.models.base import PooledNet
from hpsearch.nn.layers import Block, check_images, conv_block
from hpsearch.nn.pooling import Pooling
from hpsearch.nn.stem import least_side, stem_block
from hpsearch.nn.style import Constants, Style

STAGES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Widths of the Inception blocks 3a-3b, 4a-4e and 5a-5b, as table 1 of the publication lists them."""


class Inception(nn.Module):
    """Four branches on the same input, whose maps are concatenated.

    A 1x1 convolution; 1x1 then 3x3; 1x1 then 5x5; 3x3 max pooling of stride 1 then 1x1.

    Source: Szegedy et al., Going deeper with convolutions, CVPR 2015, figure 2b.

    Args:
        inputs: channels of the input.
        widths: units of: 1x1; 1x1 and 3x3; 1x1 and 5x5; 1x1 after pooling.
        style: what follows each convolution.

    Attributes:
        outputs: channels of the output.
    """

    leading_axes: ClassVar = True

    def __init__(self, inputs: int, widths: tuple[int, ...], style: Style) -> None:
        super().__init__()
        ones, threes_in, threes, fives_in, fives, pooled = widths
        branches = (
            conv_block(inputs, ones, 1, style),
            _two(inputs, threes_in, threes, 3, style),
            _two(inputs, fives_in, fives, 5, style),
            conv_block(inputs, pooled, 1, style),
        )
        self.pool = nn.MaxPool2d(3, 1, padding=1)
        self.branches = nn.ModuleList(branches)
        self.outputs = sum(branch.outputs for branch in branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, H, W] maps of maps [B, inputs, H, W]."""
        read = (x, x, x, self.pool(x))
        return torch.cat([branch(maps) for branch, maps in zip(self.branches, read, strict=True)], -3)


def _two(inputs: int, between: int, width: int, kernel_size: int, style: Style) -> Block:
    first = conv_block(inputs, between, 1, style)
    second = conv_block(first.outputs, width, kernel_size, style)
    return Block([first, second], second.outputs)


class GoogLeNet(PooledNet):
    """A stem, nine Inception blocks in three stages, global average pooling and a linear layer.

    Pooling halves the image before each stage. Convolutions start normal with variance 2 / fan-in (He et al., ICCV
    2015): the publication does not say how, and torch's own start would let the signal fade over 21 layers. As
    published but without auxiliary outputs and local response normalization (original stem, ratio 1, no norm) it has
    6,998,552 parameters at 3x224x224 and 1,000 classes.

    Source: Szegedy et al., Going deeper with convolutions, CVPR 2015, table 1.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        ratio: every width is divided by it, rounded down.
        stem: ``original`` or ``small``, see `hpsearch.nn.stem.stem_block`.
        pool: before each stage, ``max``, ``avg`` or ``l2``, see `hpsearch.nn.pooling.Pooling`.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: a key of `hpsearch.nn.normalization.NORMS`.
        norm_first: normalize before the activation, or after it.
        dropout: rate before the linear layer, in [0, 1).
        **constants: of activation and normalization, see `hpsearch.nn.style.Style`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        ratio: int = 1,
        stem: str = "small",
        pool: str = "max",
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        dropout: float = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        check_int("model.ratio", ratio, 1, 16)
        style = Style(activation, norm, norm_first, **constants)
        check_images(f"GoogLeNet with model.stem = {stem}", in_shape, least_side(stem, len(STAGES), norm))
        first = stem_block(stem, in_shape[0], 64 // ratio, style)
        second = _two(first.outputs, 64 // ratio, 192 // ratio, 3, style)
        layers: list[nn.Module] = [first, second]
        channels = second.outputs
        for stage in STAGES:
            layers.append(Pooling(pool, 3, 2, padding=1).layer())
            for widths in stage:
                block = Inception(channels, tuple(width // ratio for width in widths), style)
                layers.append(block)
                channels = block.outputs
        super().__init__(layers, channels, num_outputs, dropout)
