"""One linear layer: linear, softmax and logistic regression, support vector machine and perceptron."""

import math
from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.layers import FLATTEN, Chain


class LinearRegression(Chain):
    """One linear layer on the flattened input, ``W x + b``; with the squared error, least squares.

    Args:
        in_shape: shape of one input.
        num_outputs: number of targets.
    """

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__()
        self.output = nn.Linear(math.prod(in_shape), num_outputs)

    def chain(self) -> Sequence[nn.Module]:
        """Return the layers in order."""
        return FLATTEN, self.output


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


class SupportVectorMachine(LinearRegression):
    """A linear support vector machine: scores of the classes, or for two classes one score of class 1 against class 0.

    ``o = W x + b``; the class with the largest score is the answer, of two classes class 1 where the score is positive.
    Its loss is ``loss=hinge``, which says of what objective its sum with an L2 penalty is the solution; with another
    loss it would be another model.

    Source: Cortes and Vapnik, Support-vector networks, Machine Learning 20, 1995; see `hpsearch.losses.hinge.Hinge`.

    Args:
        in_shape: shape of one input.
        num_outputs: number of classes.
    """

    trained_by: ClassVar = {"hinge": "hpsearch.losses.hinge.Hinge"}

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__(in_shape, 1 if num_outputs == 2 else num_outputs)


class Perceptron(SupportVectorMachine):
    """A perceptron: scores as a support vector machine's, trained by its mistakes alone, ``loss=perceptron``.

    Source: Rosenblatt, The perceptron, Psychological Review 65(6), 1958; see `hpsearch.losses.perceptron.Perceptron`.
    """

    trained_by: ClassVar = {"perceptron": "hpsearch.losses.perceptron.Perceptron"}
