"""Multilayer perceptron."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from hpsearch.nn import hidden_layers


class MLP(nn.Module):
    """Fully connected layers on the flattened input, each followed by an activation and dropout, and a linear output.

    Args:
        in_shape: shape of one input.
        num_outputs: number of classes or targets.
        hidden: width of each hidden layer, from the input on; empty is a linear model.
        activation: a key of `hpsearch.nn.ACTIVATIONS`.
        dropout: rate after each hidden layer, in [0, 1).
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        inputs = math.prod(in_shape)
        self.hidden = hidden_layers(inputs, hidden, activation, dropout)
        self.output = nn.Linear(hidden[-1] if hidden else inputs, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        outputs: Tensor = self.output(self.hidden(x.flatten(1)))
        return outputs
