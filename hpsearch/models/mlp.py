"""Multilayer perceptron."""

import math
from collections.abc import Sequence
from typing import Unpack

from torch import nn

from hpsearch.nn.layers import FLATTEN, Chain, hidden_layers
from hpsearch.nn.style import Constants, Style


class MLP(Chain):
    """Fully connected layers on the flattened input, each normalized, activated and dropped out, and a linear output.

    Args:
        in_shape: shape of one input.
        num_outputs: number of classes or targets.
        hidden: width of each hidden layer, from the input on; empty is a linear model.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: a key of `hpsearch.nn.normalization.NORMS` that needs no feature maps.
        norm_first: normalize before the activation, or after it.
        dropout: rate after each hidden layer, in [0, 1); or a list with one rate per layer.
        **constants: of activation and normalization, see `hpsearch.nn.style.Style`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        dropout: float | Sequence[float] = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        super().__init__()
        self.hidden = hidden_layers(
            math.prod(in_shape), hidden, Style(activation, norm, norm_first, **constants), dropout
        )
        self.output = nn.Linear(self.hidden.outputs, num_outputs)

    def chain(self) -> Sequence[nn.Module]:
        """Return the layers in order."""
        return FLATTEN, self.hidden, self.output
