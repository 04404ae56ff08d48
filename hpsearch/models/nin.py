"""Network in network."""

from collections.abc import Sequence
from typing import Unpack

from torch import nn

from hpsearch.base.errors import check_choice, check_int
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.init import redraw
from hpsearch.nn.layers import (
    FLATTEN,
    Block,
    Chain,
    Step,
    check_images,
    check_widths,
    conv_block,
    slimmed,
    smallest_side,
)
from hpsearch.nn.pooling import Pooling
from hpsearch.nn.style import Constants, Style

CONVOLUTIONS: dict[str, tuple[Step, ...]] = {
    "original": ((11, 4, 0), (5, 1, 2), (3, 1, 1), (3, 1, 1)),
    "small": ((3, 1, 1), (5, 1, 2), (3, 1, 1), (3, 1, 1)),
}
POOL_SIZES = {"original": 3, "small": 2}
POOL_STRIDE = 2

_AVERAGE = nn.AdaptiveAvgPool2d(1)


class NiN(Chain):
    """Four convolutions, each followed by 1x1 convolutions; the last gives one map per output, averaged over positions.

    Max pooling stands between the four, dropout before the last. The maps of the outputs have no activation, so that a
    logit may be negative. Weights start normal with variance 2 / fan-in (He, Zhang, Ren and Sun, ICCV 2015), the output
    layer's as torch draws them.

    Source: Lin, Chen and Yan, Network in network, ICLR 2014.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        channels: maps of the four convolutions.
        ratio: divides `channels`.
        pointwise: 1x1 convolutions after each of the four, the output layer included.
        stem: ``original``, from 67x67 pixels on: an 11x11 convolution of stride 4, poolings of 3x3; ``small``, from
            8x8 on: a 3x3 convolution of stride 1, poolings of 2x2.
        pool: ``max``, ``avg`` or ``l2``, see `hpsearch.nn.pooling.Pooling`.
        pool_size: side of a pooled window; None is that of the stem.
        pool_stride: distance of the windows; None is 2.
        pool_padding: positions around the maps that windows reach into, at most half of `pool_size`.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: a key of `hpsearch.nn.normalization.NORMS`.
        norm_first: normalize before the activation, or after it.
        dropout: rate before the last of the four, in [0, 1).
        **constants: of activation and normalization, see `hpsearch.nn.style.Style`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        channels: Sequence[int] = (96, 256, 384, 1024),
        ratio: int = 1,
        pointwise: int = 2,
        stem: str = "small",
        pool: str = "max",
        pool_size: int | None = None,
        pool_stride: int | None = None,
        pool_padding: int = 0,
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        dropout: float = 0.5,
        **constants: Unpack[Constants],
    ) -> None:
        super().__init__()
        check_choice("model.stem", stem, CONVOLUTIONS)
        check_widths("model.channels", channels, 4)
        check_int("model.pointwise", pointwise, 1)
        size = POOL_SIZES[stem] if pool_size is None else pool_size
        pooling = Pooling(pool, size, POOL_STRIDE if pool_stride is None else pool_stride, pool_padding)
        convolutions = CONVOLUTIONS[stem]
        steps = [step for each in convolutions[:-1] for step in (each, pooling.step)]
        least = 2 if norm == "instance" else 1
        check_images(f"NiN with the {stem} stem", in_shape, smallest_side(steps, least))
        widths, inputs = slimmed(channels, ratio), in_shape[0]
        style = Style(activation, norm, norm_first, **constants)
        layers: list[nn.Module] = []
        for step, width in zip(convolutions[:-1], widths, strict=False):
            block = _block(inputs, width, step, pointwise, style)
            layers += [block, pooling.layer()]
            inputs = block.outputs
        last = _block(inputs, widths[-1], convolutions[-1], pointwise - 1, style)
        self.features = nn.Sequential(*layers, Dropout(dropout), last)
        redraw(self, nn.init.kaiming_normal_)
        self.output = nn.Conv2d(last.outputs, num_outputs, 1)

    def chain(self) -> Sequence[nn.Module]:
        """Return the layers in order."""
        return self.features, self.output, _AVERAGE, FLATTEN


def _block(inputs: int, width: int, step: Step, pointwise: int, style: Style) -> Block:
    """Return a convolution and the 1x1 convolutions that follow it."""
    blocks = [conv_block(inputs, width, step[0], style, step[1], step[2])]
    for _ in range(pointwise):
        blocks.append(conv_block(blocks[-1].outputs, width, 1, style))
    return Block(blocks, blocks[-1].outputs)
