"""Gradient descent with momentum, as in `hpsearch.optim.sgd`."""

from typing import NamedTuple

import torch
from torch import Tensor

from hpsearch.optim.stacked.members import Factor, Members
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
        momentum, begun = members.numbers("momentum"), members.begun("momentum_buffer")
        dampening = torch.zeros_like(momentum) if dampening is None else dampening
        nesterov = torch.zeros_like(momentum) if nesterov is None else nesterov
        parts = _parts(momentum, dampening, nesterov, begun)
        self._moves, self._dampened = momentum != 0, bool(dampening.any())
        self._any_along, self._any_direct = bool(parts.along.any()), bool(parts.direct.any())
        self._keep, self._gain = members.factor(parts.keep), members.factor(parts.gain)
        self._along, self._direct = (members.at_device(part) for part in (parts.along, parts.direct))
        self._keeps, self._gains, self._alongs = (members.coefficient() for _ in range(3))
        self._momentum, self._dampening, self._nesterov = map(members.at_device, (momentum, dampening, nesterov))
        self._begun, self._velocities = members.kept(begun), members.state("momentum_buffer")

    def keeps(self, name: str, j: int, k: int, scheduled: bool) -> bool:
        """Only with momentum there is a velocity."""
        return name != "momentum_buffer" or scheduled or bool(self._moves[j, k])

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by updates, which take the gradients' place."""
        lr = lr_K * self.rate_factors
        if momentum_K is not None or self._dampened:
            momentum = self._momentum if momentum_K is None else momentum_K
            keep, gain, along, direct = _parts(momentum, self._dampening, self._nesterov, self._begun)
            self._begun.copy_(torch.maximum(self._begun, (momentum != 0).to(self._begun.dtype)))
            self._follow(gradients, self._keeps.put(keep), self._gains.put(gain), lr * along)
            self.subtract(gradients, lr * direct)
            return
        if self._any_along:
            self._follow(gradients, self._keep, self._gain, lr * self._along)
        if self._any_direct:
            self.subtract(gradients, lr * self._direct)

    def _follow(self, updates: list[Tensor], keep: Factor, gain: Factor, sizes_JK: Tensor) -> None:
        torch._foreach_mul_(self._velocities, keep)
        add_(self._velocities, updates, gain)
        torch._foreach_addcmul_(self.weights, self._velocities, self._alongs.put(sizes_JK), value=-1)


def _parts(momentum: Tensor, dampening: Tensor, nesterov: Tensor, begun: Tensor) -> Parts:
    """Return the parts; flags are 0 or 1."""
    moves = (momentum != 0).to(momentum.dtype)
    return Parts(
        keep=momentum + (1 - moves),
        gain=moves * (1 - dampening * begun),
        along=moves * (1 - nesterov + nesterov * momentum),
        direct=1 - moves * (1 - nesterov),
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
        self._along = members.factor(1 - nesterov + nesterov * momentum)
        self._keeps, self._gains, self._alongs = (members.coefficient() for _ in range(3))
        self._dampening, self._nesterov = members.at_device(dampening), members.at_device(nesterov)
        self._begun = members.kept(members.begun("velocity"))

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by the velocities."""
        gradients, lr = self._decay(gradients), lr_K * self.rate_factors
        keep, along = self._keep, self._along
        if momentum_K is not None:
            keep = self._keeps.put(momentum_K)
            along = self._alongs.put(1 - self._nesterov + self._nesterov * momentum_K)
        torch._foreach_mul_(self._velocities, keep)
        gains = self._gains.put(-lr * (1 - self._dampening * self._begun) if self._dampened else -lr)
        torch._foreach_addcmul_(self._velocities, gradients, gains)
        self._begun.fill_(1)
        add_(self.weights, self._velocities, along)
        if self._any_nesterov:
            self.subtract(gradients, lr * self._nesterov)
