"""One linear layer: linear, softmax and logistic regression."""

import math

from torch import Tensor, nn

from hpsearch.base.errors import ConfigError


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


class SoftmaxRegression(LinearRegression):
    """One linear layer on the flattened input, its outputs the logits of classes; its loss applies the softmax.

    ``p(c | x) = exp(logit_c) / sum_k exp(logit_k)``.
    """


class LogisticRegression(LinearRegression):
    """One sigmoid unit on the flattened input, for two classes; its loss applies the sigmoid.

    The output [B, 1] is the logit ``z = w x + b`` of class 1: ``p(1 | x) = 1 / (1 + exp(-z))``. Train it with
    ``loss=binary_cross_entropy`` or ``loss=focal``.

    Args:
        in_shape: shape of one input.
        num_outputs: number of classes, 2.

    Raises:
        ConfigError: for another number of classes.
    """

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        if num_outputs != 2:
            raise ConfigError(
                f"logistic regression needs data of 2 classes, this has {num_outputs}; use model=softmax, or keep two"
            )
        super().__init__(in_shape, 1)
