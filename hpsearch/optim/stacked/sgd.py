"""Gradient descent with momentum, as in `hpsearch.optim.sgd`."""

from typing import NamedTuple

import torch
from torch import Tensor

from hpsearch.optim.stacked.members import Members
from hpsearch.optim.stacked.update import CoupledDecay, Update, add_


class Parts(NamedTuple):
    """Tables [J, K] of v <- keep * v + gain * u and w <- w - lr * (along * v + direct * u)."""

    keep: Tensor
    gain: Tensor
    along: Tensor
    direct: Tensor


class Velocity(Update):
    """Momentum with the rate outside, of any update u; a member without momentum keeps no velocity and follows u.

    The velocity begins at the step at which the momentum is first not 0, with u undampened, and stays as it is while
    the momentum is 0.
    """

    def __init__(self, members: Members, dampening: Tensor | None = None, nesterov: Tensor | None = None) -> None:
        super().__init__(members)
        self._members = members
        momentum = members.numbers("momentum")
        begun, none = members.begun("momentum_buffer"), torch.zeros_like(momentum)
        dampening, nesterov = none if dampening is None else dampening, none if nesterov is None else nesterov
        self._dampened, self._moves = bool(dampening.any()), momentum != 0
        parts = _parts(momentum, dampening, nesterov != 0, begun)
        self._keep, self._gain = members.factor(parts.keep), members.factor(parts.gain)
        self._keeps, self._gains, self._alongs = (members.coefficient() for _ in range(3))
        self._any_along, self._any_direct = bool(parts.along.any()), bool(parts.direct.any())
        self._along, self._direct = (
            members.at_device(part) * self.rate_factors for part in (parts.along, parts.direct)
        )
        self._momentum, self._dampening, self._nesterov, self._begun = map(
            members.at_device, (momentum, dampening, nesterov != 0, begun)
        )
        self._velocities = members.state("momentum_buffer") if self._any_along else None

    def keeps(self, name: str, j: int, k: int, scheduled: bool) -> bool:
        """Only with momentum there is a velocity."""
        return name != "momentum_buffer" or scheduled or bool(self._moves[j, k])

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by updates, which take the gradients' place."""
        if momentum_K is not None or self._dampened:
            self._varying(gradients, lr_K, self._momentum if momentum_K is None else momentum_K)
            return
        if self._velocities is not None:
            torch._foreach_mul_(self._velocities, self._keep)
            add_(self._velocities, gradients, self._gain)
            torch._foreach_addcmul_(self.weights, self._velocities, self._alongs.put(lr_K * self._along), value=-1)
        if self._any_direct:
            self.subtract(gradients, lr_K * self._direct)

    def _varying(self, gradients: list[Tensor], lr_K: Tensor, momentum: Tensor) -> None:
        """Take a step whose parts follow from the momentum, or from what has begun."""
        if self._velocities is None:
            self._velocities = self._members.state("momentum_buffer")
        parts, lr = _parts(momentum, self._dampening, self._nesterov, self._begun), lr_K * self.rate_factors
        self._begun.copy_(torch.maximum(self._begun, (momentum != 0).to(self._begun.dtype)))
        torch._foreach_mul_(self._velocities, self._keeps.put(parts.keep))
        torch._foreach_addcmul_(self._velocities, gradients, self._gains.put(parts.gain))
        torch._foreach_addcmul_(self.weights, self._velocities, self._alongs.put(lr * parts.along), value=-1)
        self.subtract(gradients, lr * parts.direct)


def _parts(momentum: Tensor, dampening: Tensor, nesterov: Tensor, begun: Tensor) -> Parts:
    moves = momentum != 0
    return Parts(
        keep=torch.where(moves, momentum, 1.0),
        gain=torch.where(moves, 1 - dampening * begun, 0.0),
        along=torch.where(moves, torch.where(nesterov, momentum, 1.0), 0.0),
        direct=torch.where(moves & ~nesterov, 0.0, 1.0),
    )


class Outside(Velocity):
    """Torch's form: the rate outside the velocity."""

    def __init__(self, members: Members) -> None:
        super().__init__(members, members.numbers("dampening"), members.numbers("nesterov"))
        self._decay = CoupledDecay(members, members.numbers("weight_decay"))

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by the gradients, weight decay among them."""
        super().apply(self._decay(gradients), lr_K, momentum_K)


class Inside(Update):
    """The rate inside the velocity."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self._decay = CoupledDecay(members, members.numbers("weight_decay"))
        self._velocities = members.state("velocity")
        momentum, nesterov, dampening = map(members.numbers, ("momentum", "nesterov", "dampening"))
        self._dampened, self._any_nesterov = bool(dampening.any()), bool(nesterov.any())
        self._keep = members.factor(momentum)
        self._along = members.factor(torch.where(nesterov != 0, momentum, 1.0))
        self._keeps, self._gains, self._alongs = (members.coefficient() for _ in range(3))
        self._dampening, self._nesterov, self._begun = map(
            members.at_device, (dampening, nesterov, members.begun("velocity"))
        )

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by the velocities."""
        gradients, lr = self._decay(gradients), lr_K * self.rate_factors
        keep, along = self._keep, self._along
        if momentum_K is not None:
            keep = self._keeps.put(momentum_K)
            along = self._alongs.put(torch.where(self._nesterov != 0, momentum_K, 1.0))
        torch._foreach_mul_(self._velocities, keep)
        gains = self._gains.put(-lr * (1 - self._dampening * self._begun) if self._dampened else -lr)
        torch._foreach_addcmul_(self._velocities, gradients, gains)
        self._begun.fill_(1)
        add_(self.weights, self._velocities, along)
        if self._any_nesterov:
            self.subtract(gradients, lr * self._nesterov)
