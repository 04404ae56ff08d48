"""Densely connected networks."""

from collections.abc import Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from hpsearch.base.errors import check_choice, check_float, check_int
from hpsearch.models.base import PooledNet
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.layers import Block, activated, check_images
from hpsearch.nn.normalization import weighted
from hpsearch.nn.pooling import Pooling
from hpsearch.nn.stem import STEMS, check_stages, stem_block
from hpsearch.nn.style import Constants, Style


class DenseLayer(nn.Module):
    """Adds `growth_rate` maps to its input: a 1x1 and a 3x3 convolution, each after its normalization and activation.

    Without the shortcut its input ends here, and what comes out are the `growth_rate` maps alone.

    Source: Huang, Liu, van der Maaten and Weinberger, Densely connected convolutional networks, CVPR 2017, section 3.

    Args:
        inputs: channels of the input.
        growth_rate: maps added.
        bottleneck: maps of the 1x1 convolution per map added; 0 for no 1x1 convolution.
        style: what comes before each convolution.
        dropout: rate on the maps added, in [0, 1).
        shortcut: whether the input goes on beside them.

    Attributes:
        outputs: channels of the output.
    """

    leading_axes: ClassVar = True

    def __init__(
        self, inputs: int, growth_rate: int, bottleneck: int, style: Style, dropout: float, shortcut: bool = True
    ) -> None:
        super().__init__()
        self.shortcut, self.outputs = shortcut, growth_rate + (inputs if shortcut else 0)
        layers = []
        if bottleneck:
            layers = _activated_convolution(inputs, bottleneck * growth_rate, 1, style)
            inputs = bottleneck * growth_rate
        self.added = nn.Sequential(*layers, *_activated_convolution(inputs, growth_rate, 3, style), Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, H, W] maps of maps [B, inputs, H, W]."""
        added: Tensor = self.added(x)
        return torch.cat([x, added], -3) if self.shortcut else added


def _activated(channels: int, style: Style) -> Block:
    """Return normalization and activation, in the order of the style."""
    return Block(*activated(channels, style, 2))


def _activated_convolution(inputs: int, width: int, kernel_size: int, style: Style) -> list[nn.Module]:
    before = _activated(inputs, style)
    layer = nn.Conv2d(before.outputs, width, kernel_size, padding=kernel_size // 2, bias=style.biased)
    return [before, weighted(layer, style.norm)]


class DenseNet(PooledNet):
    """A stem, blocks of dense layers with transitions between them, global average pooling and a linear layer.

    A transition is normalization, activation, a 1x1 convolution that keeps `compression` of the maps, and 2x2
    pooling. Convolutions start normal with variance 2 / fan-in (He et al., ICCV 2015). With the defaults and the
    original stem it is DenseNet-121: 7,978,856 parameters at 3x224x224 and 1,000 classes.

    Without shortcuts each layer sees the maps of the one before it alone. Layers that read less have fewer parameters:
    2,436,488 in place of 7,978,856 at the same growth rate. At growth rate 58 the plain network has 7,913,128, about as
    many as DenseNet-121.

    Source: Huang, Liu, van der Maaten and Weinberger, Densely connected convolutional networks, CVPR 2017, table 1.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        growth_rate: maps that each dense layer adds; the stem makes twice as many.
        blocks: dense layers of each block.
        bottleneck: maps of a dense layer's 1x1 convolution per map added; 0 for no such convolution.
        compression: share of the maps that a transition keeps, in (0, 1].
        shortcuts: whether every layer of a block sees all maps before it.
        pool: of a transition, ``max``, ``avg`` or ``l2``, see `hpsearch.nn.pooling.Pooling`.
        stem: ``original`` or ``small``, see `hpsearch.nn.stem.stem_block`.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: a key of `hpsearch.nn.normalization.NORMS`.
        norm_first: normalize before the activation, or after it.
        dropout: rate on the maps that each dense layer adds, in [0, 1).
        **constants: of activation and normalization, see `hpsearch.nn.style.Style`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        growth_rate: int = 32,
        blocks: Sequence[int] = (6, 12, 24, 16),
        bottleneck: int = 4,
        compression: float = 0.5,
        shortcuts: bool = True,
        pool: str = "avg",
        stem: str = "small",
        activation: str = "relu",
        norm: str = "batch",
        norm_first: bool = True,
        dropout: float = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        check_int("model.growth_rate", growth_rate, 1)
        check_stages(blocks)
        check_int("model.bottleneck", bottleneck, 0)
        check_float("model.compression", compression, "(0, 1]")
        check_choice("model.shortcuts", shortcuts, (True, False))
        style = Style(activation, norm, norm_first, **constants)
        check_images(f"DenseNet with model.stem = {stem}", in_shape, _least_side(stem, len(blocks) - 1, norm))
        first = stem_block(stem, in_shape[0], 2 * growth_rate, style)
        layers: list[nn.Module] = [first]
        channels = first.outputs
        for place, count in enumerate(blocks):
            if place:
                kept = max(1, int(compression * channels))
                layers += [*_activated_convolution(channels, kept, 1, style), Pooling(pool).layer()]
                channels = kept
            for _ in range(count):
                layer = DenseLayer(channels, growth_rate, bottleneck, style, dropout, shortcuts)
                layers.append(layer)
                channels = layer.outputs
        end = _activated(channels, style)
        super().__init__([*layers, end], end.outputs, num_outputs, dropout=None)


def _least_side(stem: str, transitions: int, norm: str) -> int:
    """Return the pixels on a side from which on every transition has something to pool."""
    least: int = 2 ** (transitions + (norm == "instance"))
    return 4 * least - 3 if STEMS.get(stem) else least
