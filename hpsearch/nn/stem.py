"""What GoogLeNet, ResNet and DenseNet share: the first layers, and how small an image may be."""

from torch import nn

from hpsearch.base.errors import ConfigError, check_choice
from hpsearch.nn.layers import Block, check_widths, conv_block
from hpsearch.nn.style import Style

STEMS = {"original": 2, "small": 0}
"""How often the published stem, and the one for small images, halve an image."""


def stem_block(stem: str, inputs: int, width: int, style: Style) -> Block:
    """Return the stem that GoogLeNet, ResNet and DenseNet share.

    Args:
        stem: ``original``: a 7x7 convolution of stride 2 and 3x3 max pooling of stride 2, both padded; ``small``: a
            3x3 convolution of stride 1, as used for images of 32x32 pixels (He et al., CVPR 2016, section 4.2).
        inputs: channels of the image.
        width: number of units per position.
        style: what follows the convolution.

    Returns:
        The layers.
    """
    check_choice("model.stem", stem, STEMS)
    if stem == "small":
        return conv_block(inputs, width, 3, style)
    convolution = conv_block(inputs, width, 7, style, stride=2)
    return Block([convolution, nn.MaxPool2d(3, 2, padding=1)], convolution.outputs)


def least_side(stem: str, halvings: int, norm: str) -> int:
    """Return the smallest image in which every halving, rounded up, has two positions to choose from.

    A convolution of stride 2 on a single position sees little but padding, and some bf16 kernels give it gradients
    that are not finite.

    Args:
        stem: a key of `STEMS`.
        halvings: those after the stem.
        norm: a key of `hpsearch.nn.normalization.NORMS`; ``instance`` needs two positions after the last halving, too.

    Returns:
        Pixels on a side.
    """
    check_choice("model.stem", stem, STEMS)
    exponent = STEMS[stem] + halvings - (norm != "instance")
    return 1 if exponent < 0 else 2**exponent + 1  # ceil(side / 2**exponent) is at least 2


def check_stages(blocks: object) -> None:
    """Refuse what is not a list of at least one positive whole number.

    Args:
        blocks: number of blocks of each stage, as given in ``model.blocks``.

    Raises:
        ConfigError: naming the value.
    """
    check_widths("model.blocks", blocks)
    if not blocks:
        raise ConfigError("model.blocks = []: must have a number for at least one stage")
