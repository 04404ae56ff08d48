"""Transformer encoder layers."""

from typing import ClassVar

from torch import Tensor, nn

from hpsearch.base.errors import check_int
from hpsearch.base.limits import check_values
from hpsearch.nn.attention import MultiHeadAttention
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.limits import CONSTANTS
from hpsearch.nn.normalization import EPS
from hpsearch.nn.style import Style


class EncoderLayer(nn.Module):
    """Self-attention and a network per token, each added to what it reads.

    ``x := x + dropout(attention(norm(x)))``, then ``x := x + dropout(network(norm(x)))``, where the network is linear,
    activation, dropout, linear, and the norm is layer normalization.

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017; normalization in front of each part after Xiong et
    al., On Layer Normalization in the Transformer Architecture, ICML 2020.

    Args:
        size: entries of a token.
        heads: of the attention; must divide `size`.
        attention: one of `hpsearch.nn.attention.SCORES`.
        expansion: hidden units of the network per entry of a token.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        dropout: rate on attention weights, on hidden units and on what is added, in [0, 1).
        activation_slope: see `hpsearch.nn.style.Style`.
        activation_pieces: see there.
        norm_eps: added to the variance by the layer normalizations; None is 1e-5.
    """

    leading_axes: ClassVar = True

    def __init__(
        self,
        size: int,
        heads: int,
        attention: str,
        expansion: int,
        activation: str,
        dropout: float,
        activation_slope: float | None = None,
        activation_pieces: int | None = None,
        norm_eps: float | None = None,
    ) -> None:
        super().__init__()
        check_int("model.expansion", expansion, 1)
        style = Style(activation, activation_slope=activation_slope, activation_pieces=activation_pieces)
        channels = style.channels_before(expansion * size)
        self.attention_norm = token_norm(size, norm_eps)
        self.attention = MultiHeadAttention(size, heads, attention, dropout)
        self.attention_dropout = Dropout(dropout)
        self.network = nn.Sequential(
            token_norm(size, norm_eps),
            nn.Linear(size, channels),
            style.activation_layer(axis=-1),
            Dropout(dropout),
            nn.Linear(style.channels_after(channels), size),
            Dropout(dropout),
        )

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Return tokens [B, T, size] of tokens [B, T, size].

        Args:
            x: the tokens.
            real: [B, T] whether a token may be looked at, at least one of each sequence; None: all.
        """
        normed = self.attention_norm(x)
        x = x + self.attention_dropout(self.attention(normed, normed, normed, real))
        tokens: Tensor = x + self.network(x)
        return tokens


def token_norm(size: int, eps: float | None = None) -> nn.LayerNorm:
    """Return a layer normalization of tokens.

    Args:
        size: entries of a token.
        eps: added to the variance; None is 1e-5.
    """
    check_values("model", {"norm_eps": CONSTANTS["norm_eps"]}, {"norm_eps": eps})
    return nn.LayerNorm(size, EPS if eps is None else eps)
