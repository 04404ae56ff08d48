"""Transformer encoder of words."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_choice, check_int
from hpsearch.base.steps import PADDING
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.transformer import EncoderLayer, token_norm

POSITIONS = ("sinusoidal", "none")
"""What says where a word stands."""


class Encoder(nn.Module):
    """A transformer encoder on the words of a sentence, with outputs for every word.

    Each word has a vector of its own, its position is added (see `positions_of`), encoder layers follow, in which every
    word looks at all words of its sentence, and a linear layer maps each normalized word to the outputs. What is behind
    the end of a sentence (`hpsearch.base.steps.PADDING`) is not looked at. Without positions a word's outputs do not
    depend on the order of the others.

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017, the encoder; normalization in front of each part,
    see `hpsearch.nn.transformer.EncoderLayer`.

    Args:
        in_shape: (steps,) of words.
        num_outputs: number of labels.
        size: entries of a word.
        depth: number of encoder layers.
        heads: of each attention; divides `size`.
        attention: ``dot`` or ``additive``.
        expansion: hidden units of an encoder layer's network per entry of a word.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        dropout: rate on words with their position and within encoder layers, in [0, 1).
        activation_slope: see `hpsearch.nn.style.Style`.
        activation_pieces: see there.
        norm_eps: added to the variance by the layer normalizations; None is 1e-5.
        positions: one of `POSITIONS`.
        vocabulary: how many different words there are, those that stand for none among them.

    Raises:
        ConfigError: when the inputs are no words.
    """

    leading_axes: ClassVar = True

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        size: int = 64,
        depth: int = 2,
        heads: int = 4,
        attention: str = "dot",
        expansion: int = 2,
        activation: str = "gelu",
        dropout: float = 0.0,
        activation_slope: float | None = None,
        activation_pieces: int | None = None,
        norm_eps: float | None = None,
        positions: str = "sinusoidal",
        vocabulary: int | None = None,
    ) -> None:
        super().__init__()
        check_int("model.size", size, 1)
        check_int("model.depth", depth, 1)
        check_choice("model.positions", positions, POSITIONS)
        if vocabulary is None:
            raise ConfigError(
                f"the encoder reads words, the data has inputs of shape {in_shape}: model=vit is for images"
            )
        self.placed = positions == "sinusoidal"
        self.embedding = nn.Embedding(vocabulary, size, padding_idx=PADDING)
        self.dropout = Dropout(dropout)
        constants = (activation_slope, activation_pieces, norm_eps)
        self.layers = nn.ModuleList(
            EncoderLayer(size, heads, attention, expansion, activation, dropout, *constants) for _ in range(depth)
        )
        self.norm = token_norm(size, norm_eps)
        self.output = nn.Linear(size, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, T, num_outputs] outputs of a batch [B, T] of words."""
        words = self.embedding(x)
        if self.placed:
            words = words + positions_of(*words.shape[-2:]).to(words)
        real = x != PADDING
        real = torch.cat([torch.ones_like(real[..., :1]), real[..., 1:]], -1)  # a softmax over nothing would be nan
        words = self.dropout(words)
        for layer in self.layers:
            words = layer(words, real)
        outputs: Tensor = self.output(self.norm(words))
        return outputs


def positions_of(steps: int, size: int) -> Tensor:
    """Return what says where words stand: entry 2i of word t is sin(t / 10000^(2i / size)), entry 2i + 1 its cosine.

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017, section 3.5.

    Args:
        steps: number of words, T.
        size: entries of a word.

    Returns:
        [T, size].
    """
    rate = torch.exp(torch.arange(0, size, 2, dtype=torch.float64) * (-math.log(10_000) / size))
    angle = torch.arange(steps, dtype=torch.float64)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :size]
