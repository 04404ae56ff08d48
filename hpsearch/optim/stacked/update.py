"""What the updates of all optimizers share: weight decay, and arithmetic with one number or one of each member."""

from abc import ABC, abstractmethod
from typing import TypeAlias

import torch
from torch import Tensor

from hpsearch.optim.stacked.members import Factor, Members

Tensors: TypeAlias = list[Tensor] | tuple[Tensor, ...]


class Update(ABC):
    """The formula of one class of optimizers, for parameters that all have a gradient."""

    def __init__(self, members: Members) -> None:
        self.weights = members.weights
        self.rate_factors = members.at_device(members.numbers("rate_factor", default=1.0))
        self.sizes = members.coefficient()

    @abstractmethod
    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights and the states in place.

        Args:
            gradients: of each parameter, [K, ...]; they stay as they are.
            lr_K: [K] learning rate of each member, without the factors of its parameter groups.
            momentum_K: [K] momentum or first beta where a schedule moves it.
        """

    def keeps(self, name: str, j: int, k: int, scheduled: bool) -> bool:
        """Whether the optimizer of member k, alone, would hold a tensor by this name of parameter j after a step."""
        del name, j, k, scheduled
        return True

    def subtract(self, updates: Tensors, sizes_JK: Tensor) -> None:
        """Subtract updates, each times its member's size, from the weights."""
        torch._foreach_addcmul_(self.weights, updates, self.sizes.put(sizes_JK), value=-1)

    def subtract_ratios(self, updates: Tensors, divisors: Tensors, sizes_JK: Tensor) -> None:
        """Subtract updates over divisors, greater than 0, which are changed; at a size of 0 they are infinite."""
        torch._foreach_mul_(divisors, self.sizes.put(1 / sizes_JK))
        torch._foreach_addcdiv_(self.weights, updates, divisors, value=-1)


class CoupledDecay:
    """Adds weight_decay * w to the gradient; only where a member's parameter decays."""

    def __init__(self, members: Members, decay: Tensor) -> None:
        self._rows = decay.any(dim=1).nonzero().flatten().tolist()
        self._weights = [members.weights[j] for j in self._rows]
        self._factor = members.factor(decay, self._rows) if self._rows else 0.0

    def __call__(self, gradients: list[Tensor]) -> list[Tensor]:
        """Return the gradients with what decays added to them."""
        if not self._rows:
            return gradients
        found = list(gradients)
        added = [gradients[j] for j in self._rows]
        for j, each in zip(self._rows, plus(added, self._weights, self._factor), strict=True):
            found[j] = each
        return found


class DecoupledDecay:
    """Shrinks a weight by lr * weight_decay; only where a member's parameter decays."""

    def __init__(self, members: Members, decay: Tensor) -> None:
        rows = decay.any(dim=1).nonzero().flatten().tolist()
        self._weights = [members.weights[j] for j in rows]
        self._shrink = members.coefficient()
        self._views = [self._shrink.views[j] for j in rows]
        self._decay = members.at_device(decay * members.numbers("rate_factor", default=1.0))

    def __call__(self, lr_K: Tensor) -> None:
        """Shrink the weights."""
        if self._views:
            self._shrink.put(1 - lr_K * self._decay)
            torch._foreach_mul_(self._weights, self._views)


def add_(tensors: Tensors, others: Tensors, factor: Factor) -> None:
    """Add others times a factor, in place."""
    if isinstance(factor, float):
        torch._foreach_add_(tensors, others, alpha=factor)
    else:
        torch._foreach_addcmul_(tensors, others, factor)


def plus(tensors: Tensors, others: Tensors, factor: Factor) -> Tensors:
    """Return the sum of tensors and of others times a factor."""
    if isinstance(factor, float):
        return torch._foreach_add(tensors, others, alpha=factor)
    return torch._foreach_addcmul(tensors, others, factor)


def add_squares_(tensors: Tensors, others: Tensors, factor: Factor) -> Tensors | None:
    """Add the squares of others times a factor, in place; return tensors that were made for it, if any."""
    if isinstance(factor, float):
        torch._foreach_addcmul_(tensors, others, others, value=factor)
        return None
    products = torch._foreach_mul(others, factor)
    torch._foreach_addcmul_(tensors, products, others)
    return products


def roots(tensors: Tensors, room: Tensors | None) -> Tensors:
    """Return the square roots, in tensors that nobody needs any more where there are such: new ones cost most."""
    if room is None:
        return torch._foreach_sqrt(tensors)
    torch._foreach_copy_(room, tensors)
    torch._foreach_sqrt_(room)
    return room
