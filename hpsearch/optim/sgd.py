"""Gradient descent with momentum, the rate inside or outside the velocity."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import check_values
from hpsearch.optim.limits import SGD_FORM
from hpsearch.optim.stepping import by_group, descend

_BUFFERS = {"inside": "velocity", "outside": "momentum_buffer"}
"""What each form keeps of a parameter: a sum of updates, a sum of gradients."""


class SGD(torch.optim.SGD):
    """Torch's SGD, or the same with the rate inside the velocity.

    With gradient g, velocity v (0 at first), momentum m and dampening d of every gradient but the first::

        v <- m * v + (1 - d) * g        w <- w - lr * v    outside (torch)
        v <- m * v - lr * (1 - d) * g   w <- w + v         inside (Sutskever et al.)

    With Nesterov's momentum the last step is ``w <- w - lr * (g + m * v)`` and ``w <- w + m * v - lr * g``: w is the
    point ahead, where the gradient is taken. At a constant rate both make the same updates, v inside being -lr times v
    outside; where the rate changes, inside a gradient keeps the rate of the step at which it was taken.

    Source: Sutskever et al., On the Importance of Initialization and Momentum in Deep Learning, ICML 2013, equations 1
    to 4.

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        momentum: m.
        dampening: d.
        weight_decay: coupled: times w, added to g.
        nesterov: whether the gradient is taken ahead.
        form: ``outside`` or ``inside``.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        form: str = "outside",
    ) -> None:
        check_values("optimizer", SGD_FORM, {"form": form})
        self.form = form
        super().__init__(params, lr, momentum, dampening, weight_decay, nesterov)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy is made of; torch's classes leave out what they do not know."""
        return {**super().__getstate__(), "form": self.form}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take the state of another one.

        Raises:
            ConfigError: it holds the velocities of the other form.
        """
        kept, lacks = _BUFFERS[self.form], set(_BUFFERS.values()) - {_BUFFERS[self.form]}
        for state in state_dict["state"].values():
            if kept not in state and any(state.get(name) is not None for name in lacks):
                other = next(form for form in _BUFFERS if form != self.form)
                raise ConfigError(f"optimizer.form = {self.form}: the state to go on from is of the form {other}")
        super().load_state_dict(dict(state_dict))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, all of a group at once."""
        update = self._update if self.form == "inside" else partial(descend, self.state)
        return by_group(self, update, closure)

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        velocities = []
        for weight, gradient in zip(weights, gradients, strict=True):
            state = self.state[weight]
            if "velocity" in state:
                state["velocity"].mul_(momentum).add_(gradient, alpha=-lr * (1 - group["dampening"]))
            else:
                state["velocity"] = gradient * -lr
            velocities.append(state["velocity"])
        if group["nesterov"]:
            torch._foreach_add_(weights, velocities, alpha=momentum)
            torch._foreach_add_(weights, gradients, alpha=-lr)
        else:
            torch._foreach_add_(weights, velocities)
