"""Penalties added to the loss of each step."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.base.weights import is_weight
from hpsearch.regularizers.base import Penalty

if TYPE_CHECKING:
    from torch import Tensor

    from hpsearch.regularizers.base import Named


@dataclass(frozen=True, kw_only=True)
class _Norm(Penalty):
    """A penalty that is a sum over parameters.

    Attributes:
        strength: factor of the penalty.
        bias_and_norm: penalize biases and normalization parameters too; without it, only what
            `hpsearch.base.weights.is_weight` names.
    """

    strength: float
    bias_and_norm: bool = False

    @abstractmethod
    def _of(self, weight: "Tensor") -> "Tensor":
        """Return the 0-d sum over one parameter."""

    def penalty(self, named_parameters: "Named") -> "Tensor":
        """Return the 0-d penalty; of no parameters it is 0."""
        import torch

        sums = [self._of(p) for name, p in named_parameters if self.bias_and_norm or is_weight(name, p)]
        return self._scale * torch.stack(sums).sum() if sums else torch.zeros(())

    @property
    def _scale(self) -> float:
        return self.strength


@dataclass(frozen=True, kw_only=True)
class L2(_Norm):
    """Coupled L2 penalty ``strength / 2 * sum(w ** 2)``, whose gradient is ``strength * w``.

    With plain gradient descent this is weight decay; with an adaptive optimizer it is not, because the penalty's
    gradient is rescaled with the loss's (Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019).

    Attributes:
        strength: factor of the penalty.
        bias_and_norm: penalize biases and normalization parameters too.
    """

    option = "l2"

    @property
    def _scale(self) -> float:
        return self.strength / 2

    def _of(self, weight: "Tensor") -> "Tensor":
        return weight.square().sum()


@dataclass(frozen=True, kw_only=True)
class L1(_Norm):
    """L1 penalty ``strength * sum(|w|)``, whose gradient is ``strength * sign(w)`` (Tibshirani, Lasso, JRSS B 1996).

    Attributes:
        strength: factor of the penalty.
        bias_and_norm: penalize biases and normalization parameters too.
    """

    option = "l1"

    def _of(self, weight: "Tensor") -> "Tensor":
        return weight.abs().sum()


@dataclass(frozen=True, kw_only=True)
class Lp(_Norm):
    """Bridge penalty ``strength / p * sum(|w| ** p)``, gradient ``strength * sign(w) * |w| ** (p - 1)``.

    Source: Frank and Friedman, A Statistical View of Some Chemometrics Regression Tools, Technometrics 1993.

    Attributes:
        strength: factor of the penalty.
        bias_and_norm: penalize biases and normalization parameters too.
        p: exponent, at least 1: below it the gradient has no bound at 0.
    """

    option = "lp"
    p: float = 1.5

    @property
    def _scale(self) -> float:
        return self.strength / self.p

    def _of(self, weight: "Tensor") -> "Tensor":
        return weight.abs().pow(self.p).sum()


@dataclass(frozen=True, kw_only=True)
class ElasticNet(_Norm):
    """Elastic net ``strength * (l1_ratio * sum(|w|) + (1 - l1_ratio) / 2 * sum(w ** 2))``.

    Source: Zou and Hastie, Regularization and Variable Selection via the Elastic Net, JRSS B 2005.

    Attributes:
        strength: factor of the penalty.
        bias_and_norm: penalize biases and normalization parameters too.
        l1_ratio: share of L1.
    """

    option = "elastic_net"
    l1_ratio: float = 0.5

    def _of(self, weight: "Tensor") -> "Tensor":
        return self.l1_ratio * weight.abs().sum() + (1 - self.l1_ratio) / 2 * weight.square().sum()
