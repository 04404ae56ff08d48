"""Blocks of layers that several models share: a weighted layer, its normalization, activation and dropout."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import TypeAlias

from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.normalization import weighted
from hpsearch.nn.style import Style

FLATTEN = nn.Flatten()
"""All of a sample's entries in a row."""


class Chain(nn.Module):
    """A network of layers that follow each other, each given what the one before returns, and no more than that."""

    def chain(self) -> Sequence[nn.Module]:
        """Return the layers in order; those with parameters or buffers are submodules."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        for layer in self.chain():
            x = layer(x)
        return x


class Block(nn.Sequential):
    """Layers in a row that know how many channels come out.

    Args:
        layers: in order.
        outputs: channels (or features) of what they return; an activation may have changed the width.
    """

    def __init__(self, layers: Sequence[nn.Module], outputs: int) -> None:
        super().__init__(*layers)
        self.outputs = outputs


def dense_block(inputs: int, width: int, style: Style, dropout: float | None = None) -> Block:
    """Return a fully connected layer with its normalization, activation and dropout.

    Args:
        inputs: number of inputs.
        width: number of units.
        style: what follows.
        dropout: rate at the end, in [0, 1); None for no dropout layer.

    Returns:
        The block; its `outputs` are the inputs of what comes next.
    """
    channels = style.channels_before(width)
    layer = weighted(nn.Linear(inputs, channels, bias=style.biased), style.norm)
    return _block(layer, channels, style, 0, dropout)


def conv_block(
    inputs: int,
    width: int,
    kernel_size: int,
    style: Style,
    stride: int = 1,
    padding: int | None = None,
    dropout: float | None = None,
) -> Block:
    """Return a convolution of images with its normalization, activation and dropout.

    Args:
        inputs: channels of the input.
        width: number of units per position.
        kernel_size: side of the kernel.
        style: what follows.
        stride: distance of the positions.
        padding: zeros around the image; None for half the kernel, which keeps the size at stride 1 and an odd kernel.
        dropout: rate at the end, in [0, 1); None for no dropout layer.

    Returns:
        The block; its `outputs` are the inputs of what comes next.
    """
    channels = style.channels_before(width)
    around = kernel_size // 2 if padding is None else padding
    layer = weighted(nn.Conv2d(inputs, channels, kernel_size, stride, around, bias=style.biased), style.norm)
    return _block(layer, channels, style, 2, dropout)


def activated(channels: int, style: Style, dims: int) -> tuple[list[nn.Module], int]:
    """Return normalization and activation, in the order of the style, and the channels that come out.

    Args:
        channels: of what they are given.
        style: which ones.
        dims: axes of positions: 0 for features [B, C], 2 for images [B, C, H, W].
    """
    outputs = style.channels_after(channels)
    layers = [style.activation_layer()]
    if style.norm not in ("none", "weight"):
        norm = style.normalization(channels if style.norm_first else outputs, dims)
        layers.insert(0 if style.norm_first else 1, norm)
    return layers, outputs


def _block(layer: nn.Module, channels: int, style: Style, dims: int, dropout: float | None) -> Block:
    layers, outputs = activated(channels, style, dims)
    if dropout is not None:
        layers.append(Dropout(dropout))
    return Block([layer, *layers], outputs)


def hidden_layers(inputs: int, widths: Sequence[int], style: Style, dropout: float | Sequence[float] = 0.0) -> Block:
    """Return fully connected hidden layers, each followed by its normalization, activation and dropout.

    Args:
        inputs: number of inputs of the first.
        widths: width of each layer, checked as ``model.hidden``; empty returns what it is given.
        style: what follows each.
        dropout: rate after each layer, in [0, 1), or a list with one rate per layer.

    Returns:
        The blocks in a row.
    """
    check_widths("model.hidden", widths)
    blocks: list[nn.Module] = []
    for width, rate in zip(widths, dropout_rates(dropout, len(widths)), strict=True):
        block = dense_block(inputs, width, style, rate)
        blocks.append(block)
        inputs = block.outputs
    return Block(blocks, inputs)


def dropout_rates(dropout: float | Sequence[float], layers: int) -> list[float]:
    """Return one dropout rate per layer.

    Args:
        dropout: a rate for all, or a list with one rate per layer, from the input on.
        layers: number of layers.

    Returns:
        The rates.

    Raises:
        ConfigError: a list of another length.
    """
    if not isinstance(dropout, Sequence) or isinstance(dropout, str):
        return [dropout] * layers
    if len(dropout) != layers:
        raise ConfigError(f"model.dropout = {list(dropout)}: must be one rate, or {layers} rates, one per layer")
    return list(dropout)


def check_images(model: str, in_shape: tuple[int, ...], smallest: int, advice: str = "") -> None:
    """Refuse an input that is no image, or too small an image.

    Args:
        model: what needs it, as the message names it.
        in_shape: shape of one input.
        smallest: least height and width in pixels.
        advice: what would fit, added to the message of a small image.

    Raises:
        ConfigError: naming the shape and the smallest size.
    """
    if len(in_shape) != 3:
        raise ConfigError(f"{model} needs images (channels, height, width), the data has inputs of shape {in_shape}")
    if min(in_shape[1:]) < smallest:
        size, hint = "x".join(map(str, in_shape[1:])), advice and f"; {advice}"
        raise ConfigError(f"{model} needs images of at least {smallest}x{smallest} pixels, the data has {size}{hint}")


def check_widths(key: str, widths: object, number: int | None = None) -> None:
    """Refuse what is not a list of positive whole numbers.

    Args:
        key: dotted key of the configuration.
        widths: what was given.
        number: how many numbers there must be; None for any.

    Raises:
        ConfigError: naming the key and the value.
    """
    if not isinstance(widths, Sequence) or isinstance(widths, str):
        raise ConfigError(f"{key} = {widths!r}: must be a list of whole numbers, such as [64, 32]")
    for place, width in enumerate(widths):
        check_int(f"{key}[{place}]", width, 1)
    if number is not None and len(widths) != number:
        raise ConfigError(f"{key} = {list(widths)}: must be {number} numbers")


def check_odd(kernel_size: object) -> None:
    """Refuse a ``model.kernel_size`` that is no positive odd number.

    Args:
        kernel_size: what was given.

    Raises:
        ConfigError: naming the value.
    """
    check_int("model.kernel_size", kernel_size, 1)
    if isinstance(kernel_size, int) and kernel_size % 2 == 0:
        raise ConfigError(f"model.kernel_size = {kernel_size}: must be odd, so that padding keeps the image's size")


def slimmed(channels: Sequence[int], ratio: int) -> list[int]:
    """Return ``model.channels`` divided by ``model.ratio``.

    Args:
        channels: published numbers of channels.
        ratio: a whole number up to the least of them; what is left over is dropped.

    Returns:
        The numbers to use.
    """
    check_widths("model.channels", channels)
    check_int("model.ratio", ratio, 1, min(channels, default=1))
    return [each // ratio for each in channels]


Step: TypeAlias = tuple[int, int, int]
"""Kernel size, stride and padding of a convolution or pooling."""


def side_after(side: int, steps: Iterable[Step]) -> int:
    """Return how many positions on a side are left of `side` pixels after convolutions and poolings."""
    for kernel_size, stride, padding in steps:
        side = (side + 2 * padding - kernel_size) // stride + 1
        if side < 1:  # padding of a later step would make something of nothing
            return 0
    return side


def smallest_side(steps: Sequence[Step], least: int = 1) -> int:
    """Return the smallest image that leaves at least `least` positions on a side."""
    return next(side for side in count(1) if side_after(side, steps) >= least)
