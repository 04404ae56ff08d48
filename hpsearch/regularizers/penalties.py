"""Penalties added to the loss of each step."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
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
    def _of(self, weight: "Tensor", total: "Callable[[Tensor], Tensor]") -> "Tensor":
        """Return the sum over one parameter, which `total` adds up: to a 0-d sum, or to one of each member."""

    def penalty(self, named_parameters: "Named") -> "Tensor":
        """Return the 0-d penalty; of no parameters it is 0."""
        import torch

        sums = [self._of(p, torch.sum) for name, p in named_parameters if self._takes(name, p)]
        return self._scale * torch.stack(sums).sum() if sums else torch.zeros(())

    def _takes(self, name: str, weight: "Tensor") -> bool:
        return self.bias_and_norm or is_weight(name, weight)

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

    def _of(self, weight: "Tensor", total: "Callable[[Tensor], Tensor]") -> "Tensor":
        return total(weight.square())


@dataclass(frozen=True, kw_only=True)
class L1(_Norm):
    """L1 penalty ``strength * sum(|w|)``, whose gradient is ``strength * sign(w)`` (Tibshirani, Lasso, JRSS B 1996).

    Attributes:
        strength: factor of the penalty.
        bias_and_norm: penalize biases and normalization parameters too.
    """

    option = "l1"

    def _of(self, weight: "Tensor", total: "Callable[[Tensor], Tensor]") -> "Tensor":
        return total(weight.abs())


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

    def _of(self, weight: "Tensor", total: "Callable[[Tensor], Tensor]") -> "Tensor":
        return total(weight.abs().pow(self.p))


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

    def _of(self, weight: "Tensor", total: "Callable[[Tensor], Tensor]") -> "Tensor":
        return self.l1_ratio * total(weight.abs()) + (1 - self.l1_ratio) / 2 * total(weight.square())


def member_penalties(penalties: "Sequence[Penalty]") -> "Callable[[Named], Tensor]":
    """Return what computes a penalty of every member of a group at once.

    Args:
        penalties: one per member, of one option.

    Returns:
        Maps the parameters of all members, [K, ...] each, by name, to their penalties [K].
    """
    import torch

    first = penalties[0]
    norms = [each for each in penalties if isinstance(each, _Norm)]
    if not isinstance(first, _Norm) or any(replace(each, strength=first.strength) != first for each in norms):
        return lambda named: torch.stack([
            each.penalty([(name, p[k]) for name, p in named]) for k, each in enumerate(penalties)
        ])
    scales = cache(partial(torch.tensor, [each._scale for each in norms]))

    def all_at_once(named: "Named") -> "Tensor":
        stacked = [*named]
        sums = [first._of(p, _by_member) for name, p in stacked if first._takes(name, p[0])]
        total = torch.stack(sums).sum(0) if sums else torch.zeros(len(norms), device=stacked[0][1].device)
        return scales(dtype=total.dtype, device=total.device) * total

    return all_at_once


def _by_member(values: "Tensor") -> "Tensor":
    return values.reshape(len(values), -1).sum(1)
