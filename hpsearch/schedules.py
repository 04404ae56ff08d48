"""Learning-rate schedules as tables: one row per step, computed once before training.

Importing this module loads no torch.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.errors import ConfigError, check_choice, check_int

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

LENGTHS = ("T_max", "total_iters", "total_steps")
"""Arguments of torch's schedulers that mean the length of the run when they are null."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The keys of a scheduler option that are ours; they are taken out before torch's scheduler is built.

    Attributes:
        per: ``step`` or ``epoch``: when torch's scheduler moves on.
        warmup_steps: steps of linear warm-up in front of it.
    """

    per: str = "epoch"
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no run can follow."""
        check_choice("scheduler.per", self.per, ("step", "epoch"))
        check_int("scheduler.warmup_steps", self.warmup_steps, 0)


@dataclass(frozen=True, eq=False)
class Table:
    """What the optimizer uses at each step.

    Attributes:
        lr: [T] learning rate, float64.
        momentum: [T] momentum, or first beta, float64; None where the schedule leaves it alone.
    """

    lr: "Tensor"
    momentum: "Tensor | None"


def table(
    make_scheduler: "Callable[[Optimizer], LRScheduler] | None",
    lr: float,
    momentum: float | None,
    steps_per_epoch: int,
    epochs: int,
    per: str = "epoch",
    warmup_steps: int = 0,
) -> Table:
    """Compute the table of a run of T = `steps_per_epoch` * `epochs` steps.

    With W = `warmup_steps` and s_0, s_1, ... what torch's scheduler gives at its successive calls, row t is::

        s_0 * (t + 1) / (W + 1)                  t < W, never 0, and s_0 at t = W
        s_(t - W)                                t >= W, per step
        s_floor((t - W) / steps_per_epoch)       t >= W, per epoch

    which is torch's ``SequentialLR`` of a ``LinearLR(start_factor=1 / (W + 1), total_iters=W)`` and the scheduler.
    A length of the scheduler that is None (see `LENGTHS`) becomes the number of its calls left after the warm-up.

    Args:
        make_scheduler: builds torch's scheduler from an optimizer; None is a constant rate.
        lr: the optimizer's learning rate.
        momentum: the optimizer's momentum or first beta; None when it has neither.
        steps_per_epoch: optimizer updates in one pass over the training part.
        epochs: passes.
        per: see `Schedule`.
        warmup_steps: see `Schedule`.

    Returns:
        The table.

    Raises:
        ConfigError: when the warm-up is as long as the run, or the scheduler does not fit: it follows a metric, is
            shorter than the run, or cycles a momentum the optimizer has not got.
    """
    import torch

    Schedule(per=per, warmup_steps=warmup_steps)
    total = steps_per_epoch * epochs
    if warmup_steps and warmup_steps >= total:
        raise ConfigError(f"scheduler.warmup_steps = {warmup_steps}: the run has {total} steps")
    stride = steps_per_epoch if per == "epoch" else 1
    calls = math.ceil((total - warmup_steps) / stride)
    values = torch.tensor(_calls(make_scheduler, lr, momentum, calls), dtype=torch.float64).reshape(-1, 2)
    step = torch.arange(total)
    rows = values[((step - warmup_steps) // stride).clamp(min=0)]
    rows[:warmup_steps, 0] *= (step[:warmup_steps] + 1) / torch.tensor(warmup_steps + 1, dtype=torch.float64)
    cycled = momentum is not None and bool((rows[:, 1] != momentum).any())
    return Table(rows[:, 0].contiguous(), rows[:, 1].contiguous() if cycled else None)


def _calls(
    make_scheduler: "Callable[[Optimizer], LRScheduler] | None", lr: float, momentum: float | None, calls: int
) -> list[tuple[float, float]]:
    """Step torch's scheduler on an optimizer without a gradient; return (lr, momentum) at each of its calls."""
    optimizer = _dummy(lr, momentum)
    try:
        scheduler = _build(make_scheduler, optimizer, calls) if make_scheduler and calls else None
        optimizer.step()
        values = [_current(optimizer)]
        for _ in range(1, calls):
            if scheduler:
                scheduler.step()
            values.append(_current(optimizer))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(f"scheduler: {error}") from error
    return values


def _dummy(lr: float, momentum: float | None) -> "Optimizer":
    import torch

    parameters = [torch.zeros(1, requires_grad=True)]
    if momentum is None:
        return torch.optim.Adagrad(parameters, lr=lr)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum)


def _current(optimizer: "Optimizer") -> tuple[float, float]:
    group = optimizer.param_groups[0]
    return float(group["lr"]), float(group.get("momentum", math.nan))


def _build(make_scheduler: "Callable[..., LRScheduler]", optimizer: "Optimizer", calls: int) -> "LRScheduler":
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    given = make_scheduler.keywords if isinstance(make_scheduler, functools.partial) else {}
    lengths = {name: calls for name in LENGTHS if name in given and given[name] is None}
    scheduler = make_scheduler(optimizer, **lengths)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ConfigError("scheduler: ReduceLROnPlateau follows a metric, so it has no table")
    return scheduler
