"""Linear regression."""

import math

from torch import Tensor, nn


class LinearRegression(nn.Module):
    """One linear layer on the flattened input, ``W x + b``; with the squared error, least squares.

    Args:
        in_shape: shape of one input.
        num_outputs: number of targets.
    """

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__()
        self.output = nn.Linear(math.prod(in_shape), num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        outputs: Tensor = self.output(x.flatten(1))
        return outputs
