"""Adam and AdamW, with and without the correction of the moments' bias towards zero."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hpsearch.base.limits import check_values
from hpsearch.optim.limits import ADAM
from hpsearch.optim.stepping import by_group, unwrapped


class Adam(torch.optim.Adam):
    """Torch's Adam; without the correction, the moments are used as they are.

    With gradient g, moments m and s (0 at first), and coupled weight decay d, added to g as d * w::

        m <- beta1 * m + (1 - beta1) * g
        s <- beta2 * s + (1 - beta2) * g ** 2
        w <- w - lr * m / (sqrt(s) + eps)                                           without
        w <- w - lr * (m / (1 - beta1 ** t)) / (sqrt(s / (1 - beta2 ** t)) + eps)   with it, t from 1

    The first step without it is (1 - beta1) / sqrt(1 - beta2) times as long, 3.2 at the usual betas; after several
    times 1 / (1 - beta2) steps both are all but the same. With amsgrad, s in the last line is its largest value so far.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1 and section 3.

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        betas: decay of the two moments.
        eps: added to the denominator.
        weight_decay: d.
        amsgrad: divide by the largest second moment so far (Reddi et al., ICLR 2018).
        bias_correction: whether the moments are corrected.
    """

    decoupled = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        bias_correction: bool = True,
    ) -> None:
        check_values("optimizer", ADAM, {"betas": betas, "eps": eps, "bias_correction": bias_correction})
        self.bias_correction = bias_correction
        decoupled = {"decoupled_weight_decay": True} if self.decoupled else {}
        super().__init__(params, lr, (betas[0], betas[1]), eps, weight_decay, amsgrad, **decoupled)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy is made of; torch's classes leave out what they do not know."""
        return {**super().__getstate__(), "bias_correction": self.bias_correction}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, all of a group at once."""
        if self.bias_correction:
            return unwrapped(torch.optim.Adam)(self, closure)
        return by_group(self, self._update, closure)

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        lr, decay, (beta1, beta2) = group["lr"], group["weight_decay"], group["betas"]
        if decay and self.decoupled:
            torch._foreach_mul_(weights, 1 - lr * decay)
        elif decay:
            gradients = list(torch._foreach_add(gradients, weights, alpha=decay))
        for weight in weights:
            self._begin(weight, group["amsgrad"])
        first, second = self._held("exp_avg", weights), self._held("exp_avg_sq", weights)
        torch._foreach_add_(self._held("step", weights), 1)
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        if group["amsgrad"]:
            largest = self._held("max_exp_avg_sq", weights)
            torch._foreach_maximum_(largest, second)
            second = largest
        divisors = list(torch._foreach_sqrt(second))
        torch._foreach_add_(divisors, group["eps"])
        torch._foreach_addcdiv_(weights, first, divisors, -lr)

    def _held(self, name: str, weights: list[Tensor]) -> list[Tensor]:
        return [self.state[weight][name] for weight in weights]

    def _begin(self, weight: Tensor, amsgrad: bool) -> None:
        """Begin what torch's own step keeps, by the same names, so that a state fits both."""
        state = self.state[weight]
        state.setdefault("step", torch.zeros((), dtype=torch.float32))
        for name in ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if amsgrad else [])):
            if name not in state:
                state[name] = torch.zeros_like(weight, memory_format=torch.preserve_format)


class AdamW(Adam):
    """`Adam` with decoupled weight decay: w shrinks by lr * weight_decay before each step.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019.
    """

    decoupled = True
