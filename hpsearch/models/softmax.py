"""Softmax regression."""

import math

from torch import Tensor, nn


class SoftmaxRegression(nn.Module):
    """One linear layer on the flattened input; its loss applies the softmax.

    For inputs x and classes c the outputs are the logits ``W x + b`` and
    ``p(c | x) = exp(logit_c) / sum_k exp(logit_k)``.

    Args:
        in_shape: shape of one input.
        num_outputs: number of classes.
    """

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__()
        self.output = nn.Linear(math.prod(in_shape), num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] logits of a batch [B, *in_shape]."""
        logits: Tensor = self.output(x.flatten(1))
        return logits
