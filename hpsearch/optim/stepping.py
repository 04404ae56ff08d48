"""Steps of optimizers: those of torch without what it tells its profiler of them, and the frame of ours."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks


def quick_step(optimizer: Optimizer) -> Callable[[], Any]:
    """Return what changes the parameters as ``optimizer.step()`` does.

    Torch wraps the `step` of every class of optimizers in what marks it for the profiler and calls hooks; in a small
    network that takes a twentieth of an update's time. Where nobody has hooked into it, it is left out.

    Args:
        optimizer: with gradients in its parameters.

    Returns:
        The call of the function that torch has wrapped; of an optimizer with hooks, or a `step` of its own, that one.
    """
    if hooked(optimizer):
        return optimizer.step
    return partial(unwrapped(type(optimizer)), optimizer)


def hooked(optimizer: Optimizer) -> bool:
    """Return whether somebody has hooked into an optimizer's steps, or given it a `step` of its own."""
    hooks = (
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
        _global_optimizer_pre_hooks,
        _global_optimizer_post_hooks,
    )
    return "step" in vars(optimizer) or any(hooks)


def unwrapped(kind: type[Optimizer]) -> Callable[..., Any]:
    """Return the function `step` of a class, as it was before torch wrapped it; a class that inherits one calls it."""
    step: Callable[..., Any] = kind.step
    return getattr(step, "__wrapped__", step) if getattr(step, "hooked", False) else step


def by_group(
    optimizer: Optimizer,
    update: Callable[[list[Tensor], dict[str, Any]], None],
    closure: Callable[[], Any] | None = None,
) -> Any:
    """Take a step as torch's optimizers do, group by group.

    Args:
        optimizer: whose parameters change.
        update: changes weights that have a gradient, given their group.
        closure: computes the loss again, and the gradients.

    Returns:
        The loss of the closure; None without one.
    """
    loss = None
    if closure is not None:
        with torch.enable_grad():
            loss = closure()
    with torch.no_grad():
        for group in optimizer.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                update(weights, group)
    return loss
