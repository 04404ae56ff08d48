"""Steps of optimizers: those of torch without what it tells its profiler of them, and the frame of ours."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks


def quick_step(optimizer: Optimizer) -> Callable[[], Any]:
    """Return what changes the parameters as ``optimizer.step()`` does.

    Torch wraps the `step` of every class of optimizers in what marks it for the profiler and calls hooks; in a small
    network that takes a twentieth of an update's time. Where nobody has hooked into it, it is left out; SGD without
    rarer options is `descend`, which takes half of the time of torch's own function there.

    Args:
        optimizer: with gradients in its parameters.

    Returns:
        The call of a function that makes the same update, bit for bit; of an optimizer with hooks, or a `step` of its
        own, that one.
    """
    if hooked(optimizer):
        return optimizer.step
    if type(optimizer) is torch.optim.SGD and all(map(_is_usual, optimizer.param_groups)):
        return partial(by_group, optimizer, partial(descend, optimizer.state))
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


def _is_usual(group: Mapping[str, Any]) -> bool:
    return not (group["maximize"] or group["foreach"] or group["differentiable"] or group["fused"])


def descend(state: MutableMapping[Tensor, Any], weights: list[Tensor], group: dict[str, Any]) -> None:
    """Update the weights of a group as `torch.optim.SGD` does, bit for bit, all of them at once.

    With gradient g, weight decay d, velocity v (the first one is its gradient), momentum m, dampening p::

        g <- g + d * w;  v <- m * v + (1 - p) * g;  w <- w - lr * v         Nesterov: w <- w - lr * (g + m * v)

    Args:
        state: of the optimizer, where ``momentum_buffer`` is the velocity of a weight.
        weights: those with a gradient.
        group: with the options of torch's SGD.
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    momentum = group["momentum"]
    if group["weight_decay"]:
        gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
    if momentum:
        velocities = _velocities([state[weight] for weight in weights], gradients, momentum, 1 - group["dampening"])
        gradients = list(torch._foreach_add(gradients, velocities, alpha=momentum)) if group["nesterov"] else velocities
    torch._foreach_add_(weights, gradients, alpha=-group["lr"])


def _velocities(
    states: Sequence[dict[str, Any]], gradients: Sequence[Tensor], momentum: float, share: float
) -> list[Tensor]:
    """Take gradients into the velocities, which begin with them, and return these."""
    moving = [(each["momentum_buffer"], g) for each, g in zip(states, gradients, strict=True) if _moves(each)]
    if moving:
        velocities, new = zip(*moving, strict=True)
        torch._foreach_mul_(velocities, momentum)
        torch._foreach_add_(velocities, new, alpha=share)
    if len(moving) < len(states):
        for each, gradient in zip(states, gradients, strict=True):
            if not _moves(each):
                each["momentum_buffer"] = gradient.clone()
    return [each["momentum_buffer"] for each in states]


def _moves(state: dict[str, Any]) -> bool:
    return state.get("momentum_buffer") is not None


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
