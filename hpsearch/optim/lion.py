"""Lion, which torch has not got."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from hpsearch.base.limits import check_values
from hpsearch.optim.limits import LION


class Lion(Optimizer):
    """Lion: every entry moves by the same distance, in the direction of the sign of an interpolated momentum.

    With gradient g, momentum m (0 at first) and decoupled weight decay d::

        w <- w - lr * (sign(beta1 * m + (1 - beta1) * g) + d * w)
        m <- beta2 * m + (1 - beta2) * g

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms, NeurIPS 2023, algorithm 2.

    Args:
        params: parameters or parameter groups.
        lr: distance of each step; a third to a tenth of what suits AdamW.
        betas: beta1 of the step, beta2 of the momentum.
        weight_decay: d; three to ten times what suits AdamW.
    """

    def __init__(
        self, params: Any, lr: float = 1e-4, betas: Sequence[float] = (0.9, 0.99), weight_decay: float = 0.0
    ) -> None:
        options = {"lr": lr, "betas": tuple(betas), "weight_decay": weight_decay}
        check_values("optimizer", LION, options)
        super().__init__(params, options)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, all of a group at once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._update(weights, group["lr"], group["betas"], group["weight_decay"])
        return loss

    def _update(self, weights: list[Tensor], lr: float, betas: tuple[float, float], decay: float) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        momenta = [self._momentum(weight) for weight in weights]
        directions = torch._foreach_lerp(momenta, gradients, 1 - betas[0])
        torch._foreach_sign_(directions)
        if decay:
            torch._foreach_mul_(weights, 1 - lr * decay)
        torch._foreach_add_(weights, list(directions), alpha=-lr)
        torch._foreach_lerp_(momenta, gradients, 1 - betas[1])

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        momentum: Tensor = state["exp_avg"]
        return momentum
