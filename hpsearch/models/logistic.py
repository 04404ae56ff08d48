"""Logistic regression."""

import math

from torch import Tensor, nn

from hpsearch.base.errors import ConfigError


class LogisticRegression(nn.Module):
    """One sigmoid unit on the flattened input, for two classes; its loss applies the sigmoid.

    The output is the logit ``z = w x + b`` of class 1: ``p(1 | x) = 1 / (1 + exp(-z))``. Train it with
    ``loss=binary_cross_entropy`` or ``loss=focal``.

    Args:
        in_shape: shape of one input.
        num_outputs: number of classes, 2.

    Raises:
        ConfigError: for another number of classes.
    """

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__()
        if num_outputs != 2:
            raise ConfigError(
                f"logistic regression needs data of 2 classes, this has {num_outputs}; use model=softmax, or keep two"
            )
        self.output = nn.Linear(math.prod(in_shape), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 1] logits of a batch [B, *in_shape]."""
        logits: Tensor = self.output(x.flatten(1))
        return logits
