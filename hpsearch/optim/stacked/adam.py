"""Adam and AdamW, as in `hpsearch.optim.adam`, and NAdam, as in torch."""

import torch
from torch import Tensor

from hpsearch.optim.stacked.members import Factor, Members
from hpsearch.optim.stacked.update import CoupledDecay, DecoupledDecay, Tensors, Update, add_squares_, roots


class Moments(Update):
    """Running averages of the gradient and of its square, weight decay of both kinds, and the count of steps."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        decay = members.numbers("weight_decay")
        decoupled = members.numbers("decoupled_weight_decay", default=0.0)
        self._coupled = CoupledDecay(members, decay * (1 - decoupled))
        self._decoupled = DecoupledDecay(members, decay * decoupled)
        beta1, beta2 = members.numbers("betas", 0), members.numbers("betas", 1)
        self._share1, self._share2 = members.factor(1 - beta1), members.factor(1 - beta2)
        self._keep2 = members.factor(beta2)
        self._shares1 = members.coefficient()
        self.beta1, self.beta2, self.eps = map(members.at_device, (beta1, beta2, members.numbers("eps")))
        self.first, self.second = members.state("exp_avg"), members.state("exp_avg_sq")
        self.steps = members.scalars("step")
        self._offsets = members.coefficient()
        self._room: Tensors | None = None

    def advance(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> list[Tensor]:
        """Let the weights decay and the averages move on; return the gradients with coupled decay."""
        gradients = self._coupled(gradients)
        self._decoupled(lr_K)
        self.steps.add_(1)
        share1: Factor = self._share1 if momentum_K is None else self._shares1.put(1 - momentum_K)
        torch._foreach_lerp_(self.first, gradients, share1)
        torch._foreach_mul_(self.second, self._keep2)
        self._room = add_squares_(self.second, gradients, self._share2)
        return gradients

    def divisors(self, second: Tensors, correction: Tensor) -> Tensors:
        """Return the denominators, multiplied by the correction [J, K] of the second moment's root."""
        divisors, self._room = roots(second, self._room), None
        torch._foreach_add_(divisors, self._offsets.put(self.eps * correction))
        return divisors


class Adam(Moments):
    """Adam with coupled or decoupled decay, with or without the correction of the moments."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        corrected = [float(getattr(optimizer, "bias_correction", True)) for optimizer in members.optimizers]
        self._corrected = members.at_device(members.per_member(corrected))
        amsgrad = bool(members.numbers("amsgrad").any())
        self._largest = members.state("max_exp_avg_sq") if amsgrad else None

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights; both sides of the fraction are multiplied by the correction of its denominator."""
        self.advance(gradients, lr_K, momentum_K)
        second = self.second
        if self._largest is not None:
            torch._foreach_maximum_(self._largest, second)
            second = self._largest
        beta1 = self.beta1 if momentum_K is None else momentum_K
        correction1 = 1 - self._corrected * beta1**self.steps
        correction2 = (1 - self._corrected * self.beta2**self.steps).sqrt_()
        size = lr_K * self.rate_factors * correction2 / correction1
        self.subtract_ratios(self.first, self.divisors(second, correction2), size)


class NAdam(Moments):
    """Adam with Nesterov's momentum, whose coefficient mu rises to the first beta."""

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self._rise = members.at_device(members.numbers("momentum_decay"))
        self._products = members.products("mu_product")
        self._of_gradient, self._of_average = members.coefficient(), members.coefficient()

    def apply(self, gradients: list[Tensor], lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Change the weights; both sides of the fraction are multiplied by the correction of its denominator."""
        gradients = self.advance(gradients, lr_K, momentum_K)
        beta1 = self.beta1 if momentum_K is None else momentum_K
        mu, following = (beta1 * (1 - 0.5 * 0.96 ** (step * self._rise)) for step in (self.steps, self.steps + 1))
        product = self._products.multiply(mu)
        correction2 = (1 - self.beta2**self.steps).sqrt_()
        size = lr_K * self.rate_factors * correction2
        updates = torch._foreach_mul(gradients, self._of_gradient.put(size * (1 - mu) / (1 - product)))
        average = self._of_average.put(size * following / (1 - product * following))
        torch._foreach_addcmul_(updates, self.first, average)
        torch._foreach_addcdiv_(self.weights, updates, self.divisors(self.second, correction2), value=-1)
