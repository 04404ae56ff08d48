"""Residual networks."""

from collections.abc import Sequence
from typing import ClassVar, Unpack

from torch import Tensor, nn

from hpsearch.base.errors import check_choice, check_int
from hpsearch.models.base import PooledNet
from hpsearch.nn.layers import check_images, conv_block
from hpsearch.nn.normalization import weighted
from hpsearch.nn.stem import check_stages, least_side, stem_block
from hpsearch.nn.style import Constants, Style


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input: ``f(g(x) + shortcut(x))``.

    Here g is convolution, normalization, activation f, convolution, normalization. The shortcut is the identity, or a
    1x1 convolution with normalization where the input has another shape than what is added to it; without it the block
    is plain, ``f(g(x))``. With normalization
    after the activation, each f is followed by it and nothing else is normalized.

    Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016, figure 2.

    Args:
        inputs: channels of the input.
        width: number of units per position.
        stride: of the first convolution and of the shortcut.
        style: activation and normalization.
        shortcut: whether the input is added.

    Attributes:
        outputs: channels of the output.
    """

    leading_axes: ClassVar = True

    def __init__(self, inputs: int, width: int, stride: int, style: Style, shortcut: bool = True) -> None:
        super().__init__()
        channels = style.channels_before(width)
        first = conv_block(inputs, width, 3, style, stride)
        self.residual = nn.Sequential(first, *_convolution(first.outputs, channels, 3, 1, style))
        same = stride == 1 and inputs == channels
        ends = [] if same or not shortcut else _convolution(inputs, channels, 1, stride, style)
        self.shortcut = nn.Sequential(*ends) if shortcut else None
        self.outputs = style.channels_after(channels)
        self.end = nn.Sequential(style.activation_layer())
        if not style.norm_first:
            self.end.append(style.normalization(self.outputs, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, H', W'] maps of maps [B, inputs, H, W]."""
        residual: Tensor = self.residual(x)
        maps: Tensor = self.end(residual if self.shortcut is None else residual + self.shortcut(x))
        return maps


def _convolution(inputs: int, channels: int, kernel_size: int, stride: int, style: Style) -> list[nn.Module]:
    """Return a convolution that is added to another before the activation."""
    layer = nn.Conv2d(inputs, channels, kernel_size, stride, kernel_size // 2, bias=style.biased)
    norms = [style.normalization(channels, 2)] if style.norm_first else []
    return [weighted(layer, style.norm), *norms]


class ResNet(PooledNet):
    """A stem, stages of residual blocks, global average pooling and a linear layer.

    No pooling is to be chosen: stages halve the maps by their stride, and only the original stem pools, by a maximum.

    Each stage after the first halves the image and doubles the width in its first block. Convolutions start normal
    with variance 2 / fan-in (He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015). With blocks (2, 2, 2, 2)
    and width 64 this is ResNet-18: with the original stem it has 11,689,512 parameters at 3x224x224 and 1,000 classes.

    Without shortcuts it is the plain network that the publication compares it with: of the same layers, without the
    1x1 convolutions of the shortcuts between stages, whose parameters are 1.5 % of ResNet-18's (173,824 of 11,689,512).

    Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016, table 1.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        blocks: residual blocks of each stage.
        width: units per position in the first stage.
        shortcuts: whether blocks add their input to their result; False is the plain network of the same depth.
        stem: ``original`` or ``small``, see `hpsearch.nn.stem.stem_block`.
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
        blocks: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        shortcuts: bool = True,
        stem: str = "small",
        activation: str = "relu",
        norm: str = "batch",
        norm_first: bool = True,
        dropout: float = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        check_stages(blocks)
        check_int("model.width", width, 1)
        check_choice("model.shortcuts", shortcuts, (True, False))
        style = Style(activation, norm, norm_first, **constants)
        check_images(f"ResNet with model.stem = {stem}", in_shape, least_side(stem, len(blocks) - 1, norm))
        first = stem_block(stem, in_shape[0], width, style)
        layers: list[nn.Module] = [first]
        channels = first.outputs
        for stage, count in enumerate(blocks):
            for place in range(count):
                stride = 2 if stage > 0 and place == 0 else 1
                block = ResidualBlock(channels, width * 2**stage, stride, style, shortcuts)
                layers.append(block)
                channels = block.outputs
        super().__init__(layers, channels, num_outputs, dropout)
