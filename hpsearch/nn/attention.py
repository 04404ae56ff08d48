"""Attention: every query takes a mean of the values, weighted by how well their keys match it.

Axes: B batch, H head, Q query, K key, D entry of a query, key or value.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_choice, check_int
from hpsearch.nn.dropout import Dropout


def attend(scores: Tensor, values: Tensor, dropout: nn.Module | None = None) -> Tensor:
    """Return the means of the values with the weights softmax(scores).

    Args:
        scores: [..., Q, K], how well key k matches query q.
        values: [..., K, D].
        dropout: applied to the weights.

    Returns:
        [..., Q, D].
    """
    weights = scores.softmax(-1)
    return (weights if dropout is None else dropout(weights)).to(values.dtype) @ values


class ScaledDotProduct(nn.Module):
    """Scores of the scaled dot product, ``q · k / sqrt(D)``.

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017, equation 1.
    """

    leading_axes: ClassVar = True

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return scores [..., Q, K] of queries [..., Q, D] and keys [..., K, D]."""
        return queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])


class Additive(nn.Module):
    """Scores of a network with one hidden layer, ``v · tanh(W q + U k)``.

    Source: Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015,
    section A.1.2.

    Args:
        size: entries of a query and of a key.
        hidden: units of the hidden layer.
    """

    leading_axes: ClassVar = True

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, hidden, bias=False)
        self.key = nn.Linear(size, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return scores [..., Q, K] of queries [..., Q, D] and keys [..., K, D]."""
        hidden = torch.tanh(self.query(queries).unsqueeze(-2) + self.key(keys).unsqueeze(-3))
        scores: Tensor = self.score(hidden).squeeze(-1)
        return scores


SCORES = ("dot", "additive")
"""How attention compares a query with a key: the scaled dot product, or additively."""


class MultiHeadAttention(nn.Module):
    """Attention in H subspaces at once: ``concat(head_1, ..., head_H) W``.

    Head h attends with its own projections of the inputs, of size / H entries each. With one head and ``dot`` this is
    scaled dot-product attention, with one head and ``additive`` additive attention.

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017, section 3.2.2.

    Args:
        size: entries of an input and of an output; a multiple of `heads`.
        heads: number of heads.
        score: one of `SCORES`; additive scores have size / H hidden units and one network for all heads.
        dropout: rate on the attention weights, in [0, 1).

    Raises:
        ConfigError: when the heads do not share the size equally.
    """

    leading_axes: ClassVar = True

    def __init__(self, size: int, heads: int = 1, score: str = "dot", dropout: float = 0.0) -> None:
        super().__init__()
        check_int("model.heads", heads, 1)
        check_choice("model.attention", score, SCORES)
        if size % heads:
            raise ConfigError(f"model.heads = {heads}: must divide the number of entries of a token, {size}")
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.score = ScaledDotProduct() if score == "dot" else Additive(size // heads, size // heads)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(size, size)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, real: Tensor | None = None) -> Tensor:
        """Return [B, Q, size] means of the values [B, K, size] for queries [B, Q, size] and keys [B, K, size].

        Args:
            queries: what asks.
            keys: what it is compared with.
            values: what is averaged.
            real: [B, K] whether a key may be looked at, at least one of each sequence; None: all.
        """
        scores = self.score(self._split(self.query(queries)), self._split(self.key(keys)))
        if real is not None:
            scores = scores.masked_fill(~real[..., None, None, :], -math.inf)
        heads = attend(scores, self._split(self.value(values)), self.dropout)
        outputs: Tensor = self.output(heads.transpose(-3, -2).flatten(-2))
        return outputs

    def _split(self, x: Tensor) -> Tensor:
        """Give each head its entries: [B, T, size] to [B, H, T, size / H]."""
        heads: Tensor = torch.unflatten(x, -1, (self.heads, -1)).transpose(-3, -2)
        return heads
