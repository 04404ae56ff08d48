"""An optimizer's step without what torch tells its profiler of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

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
    hooks = (
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
        _global_optimizer_pre_hooks,
        _global_optimizer_post_hooks,
    )
    if "step" in vars(optimizer) or any(hooks):
        return optimizer.step
    return partial(unwrapped(type(optimizer)), optimizer)


def unwrapped(kind: type[Optimizer]) -> Callable[..., Any]:
    """Return the function `step` of a class, as it was before torch wrapped it; a class that inherits one calls it."""
    step: Callable[..., Any] = kind.step
    return getattr(step, "__wrapped__", step) if getattr(step, "hooked", False) else step
