"""Vision transformer."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.layers import check_images
from hpsearch.nn.transformer import EncoderLayer, token_norm


class ViT(nn.Module):
    """A transformer encoder on the patches of an image.

    A linear layer makes each patch a token, a learned position (at first normal with deviation 0.02) is added to it,
    encoder layers follow, and a linear layer maps the mean of the normalized tokens to the outputs.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021; the mean over tokens instead of a class
    token after Beyer, Zhai and Kolesnikov, Better plain ViT baselines for ImageNet-1k, arXiv:2205.01580.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        patch_size: pixels on a side of a patch; divides height and width.
        size: entries of a token.
        depth: number of encoder layers.
        heads: of each attention; divides `size`.
        attention: ``dot`` or ``additive``.
        expansion: hidden units of an encoder layer's network per entry of a token.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        dropout: rate on tokens with their position and within encoder layers, in [0, 1).
        activation_slope: see `hpsearch.nn.style.Style`.
        activation_pieces: see there.
        norm_eps: added to the variance by the layer normalizations; None is 1e-5.

    Raises:
        ConfigError: when the input is not an image that patches can tile.
    """

    leading_axes: ClassVar = True

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        patch_size: int = 4,
        size: int = 64,
        depth: int = 4,
        heads: int = 4,
        attention: str = "dot",
        expansion: int = 2,
        activation: str = "gelu",
        dropout: float = 0.0,
        activation_slope: float | None = None,
        activation_pieces: int | None = None,
        norm_eps: float | None = None,
    ) -> None:
        super().__init__()
        check_int("model.size", size, 1)
        check_int("model.depth", depth, 1)
        tokens = _tokens(in_shape, patch_size)
        self.patches = nn.Conv2d(in_shape[0], size, patch_size, stride=patch_size)
        self.positions = nn.Parameter(torch.empty(tokens, size))
        self.dropout = Dropout(dropout)
        constants = (activation_slope, activation_pieces, norm_eps)
        self.layers = nn.Sequential(
            *(EncoderLayer(size, heads, attention, expansion, activation, dropout, *constants) for _ in range(depth))
        )
        self.norm = token_norm(size, norm_eps)
        self.output = nn.Linear(size, num_outputs)
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        tokens = self.patches(x).flatten(-2).mT
        encoded = self.layers(self.dropout(tokens + self.positions))
        outputs: Tensor = self.output(self.norm(encoded).mean(-2))
        return outputs


def _tokens(in_shape: tuple[int, ...], patch_size: int) -> int:
    check_int("model.patch_size", patch_size, 1)
    check_images("ViT", in_shape, patch_size)
    height, width = in_shape[1:]
    if height % patch_size or width % patch_size:
        fits = [str(side) for side in range(1, min(height, width) + 1) if height % side == width % side == 0]
        raise ConfigError(
            f"model.patch_size = {patch_size}: patches must tile the image of {height}x{width} pixels; "
            f"{', '.join(fits)} do"
        )
    return (height // patch_size) * (width // patch_size)
