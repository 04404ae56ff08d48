"""Optimizers that scale the gradient by averages or sums of its square: RMSprop, AdaGrad and Adadelta, as in torch."""

import torch
from torch import Tensor

from hpsearch.optim.stacked.members import Members
from hpsearch.optim.stacked.sgd import Velocity
from hpsearch.optim.stacked.update import CoupledDecay, Update, add_squares_, roots


class RMSprop(Velocity):
    """The gradient over the root of its running mean square, or of its variance (centered), with momentum."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self._decay = CoupledDecay(members, members.numbers("weight_decay"))
        alpha = members.numbers("alpha")
        self._keep_square, self._share = members.factor(alpha), members.factor(1 - alpha)
        self._eps = members.factor(members.numbers("eps"))
        self._steps, self._squares = members.scalars("step"), members.state("square_avg")
        self._means = members.state("grad_avg") if members.numbers("centered").any() else None

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by scaled gradients."""
        gradients = self._decay(gradients)
        self._steps.add_(1)
        torch._foreach_mul_(self._squares, self._keep_square)
        room = add_squares_(self._squares, gradients, self._share)
        if self._means is None:
            updates = roots(self._squares, room)
        else:
            torch._foreach_lerp_(self._means, gradients, self._share)
            updates = torch._foreach_addcmul(self._squares, self._means, self._means, value=-1)
            torch._foreach_sqrt_(updates)
        torch._foreach_add_(updates, self._eps)
        torch._foreach_reciprocal_(updates)
        torch._foreach_mul_(updates, gradients)
        super().apply(list(updates), lr_K, momentum_K)


class Adagrad(Update):
    """The gradient over the root of the sum of its squares, at a rate that may fall."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self._decay = CoupledDecay(members, members.numbers("weight_decay"))
        self._fall = members.at_device(members.numbers("lr_decay"))
        self._eps = members.factor(members.numbers("eps"))
        self._steps, self._sums = members.scalars("step"), members.state("sum")

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by scaled gradients; there is no momentum."""
        del momentum_K
        gradients = self._decay(gradients)
        torch._foreach_addcmul_(self._sums, gradients, gradients)
        divisors = torch._foreach_sqrt(self._sums)
        torch._foreach_add_(divisors, self._eps)
        self.subtract_ratios(gradients, divisors, lr_K * self.rate_factors / (1 + self._steps * self._fall))
        self._steps.add_(1)


class Adadelta(Update):
    """The gradient times the root of the mean square of past updates over that of past gradients."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self._decay = CoupledDecay(members, members.numbers("weight_decay"))
        rho = members.numbers("rho")
        self._keep, self._share = members.factor(rho), members.factor(1 - rho)
        self._eps = members.factor(members.numbers("eps"))
        self._steps = members.scalars("step")
        self._squares, self._updates = members.state("square_avg"), members.state("acc_delta")

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights; there is no momentum."""
        del momentum_K
        gradients = self._decay(gradients)
        self._steps.add_(1)
        torch._foreach_mul_(self._squares, self._keep)
        add_squares_(self._squares, gradients, self._share)
        updates, divisors = self._root(self._updates), self._root(self._squares)
        torch._foreach_div_(updates, divisors)
        torch._foreach_mul_(updates, gradients)
        torch._foreach_mul_(self._updates, self._keep)
        add_squares_(self._updates, updates, self._share)
        self.subtract(updates, lr_K * self.rate_factors)

    def _root(self, squares: list[Tensor]) -> list[Tensor]:
        roots = list(torch._foreach_add(squares, self._eps))
        torch._foreach_sqrt_(roots)
        return roots
