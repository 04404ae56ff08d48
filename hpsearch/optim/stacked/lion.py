"""Lion, as in `hpsearch.optim.lion`."""

import torch
from torch import Tensor

from hpsearch.optim.stacked.members import Members
from hpsearch.optim.stacked.update import DecoupledDecay, Update


class Lion(Update):
    """The sign of an interpolated momentum, and decoupled weight decay."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self._decay = DecoupledDecay(members, members.numbers("weight_decay"))
        self._share = members.factor(1 - members.numbers("betas", 0))
        self._kept_share = members.factor(1 - members.numbers("betas", 1))
        self._shares = members.coefficient()
        self._momenta = members.state("exp_avg")

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights by signs."""
        share = self._share if momentum_K is None else self._shares.put(1 - momentum_K)
        directions = torch._foreach_lerp(self._momenta, gradients, share)
        torch._foreach_sign_(directions)
        self._decay(lr_K)
        self.subtract(directions, lr_K * self.rate_factors)
        torch._foreach_lerp_(self._momenta, gradients, self._kept_share)
