"""Schedules made of schedules.

Every part is stepped on an optimizer of its own, because torch's own combinations let the constructors of their parts
meet in one optimizer, where those that set the rate (one-cycle, lambda) undo those that multiply it.
"""

import math
from collections.abc import Callable, Sequence

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from hpsearch.base.errors import ConfigError
from hpsearch.schedules.formulas import check_milestones
from hpsearch.schedules.table import Run, rows

Parts = Sequence[Callable[..., LRScheduler]]


class Rows(LRScheduler):
    """A schedule that is known call by call.

    Args:
        optimizer: its rate and, where it has one, its momentum are set.
        values: (lr, momentum) of each call; the last one stays.
    """

    def __init__(self, optimizer: Optimizer, values: Sequence[tuple[float, float]]) -> None:
        self._values = values
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of the present call, and set its momentum."""
        lr, momentum = self._values[min(self.last_epoch, len(self._values) - 1)]
        for group in self.optimizer.param_groups:
            if "momentum" in group:
                group["momentum"] = momentum
        return [lr] * len(self.optimizer.param_groups)


def sequential(optimizer: Optimizer, parts: Parts, milestones: Sequence[int], run: Run) -> LRScheduler:
    """Chain schedules: each follows the one before it from its milestone on, counting from 0 (torch's SequentialLR).

    Args:
        optimizer: its rate is changed.
        parts: the schedules in order.
        milestones: calls at which the next part takes over, one fewer than parts.
        run: its length; a part's length that is null is that of its segment.

    Returns:
        The scheduler.

    Raises:
        ConfigError: when milestones and parts do not match.
    """
    _check_parts(parts)
    check_milestones(milestones)
    if len(milestones) != len(parts) - 1:
        raise ConfigError(f"scheduler.milestones = {list(milestones)}: {len(parts)} parts need {len(parts) - 1}")
    values: list[tuple[float, float]] = []
    ends = (*milestones, max(run.calls, milestones[-1] + 1 if milestones else 1))
    for make, end in zip(parts, ends, strict=True):
        values += _rows(make, optimizer, run, end - len(values))
    return Rows(optimizer, values)


def chained(optimizer: Optimizer, parts: Parts, run: Run) -> LRScheduler:
    """Multiply schedules: lr times the product of their factors (torch's ChainedScheduler, for every schedule).

    Args:
        optimizer: its rate is changed.
        parts: the schedules.
        run: its length.

    Returns:
        The scheduler.

    Raises:
        ConfigError: when a part changes the momentum, of which there is no product.
    """
    _check_parts(parts)
    lr = optimizer.param_groups[0]["lr"]
    momentum = optimizer.param_groups[0].get("momentum", math.nan)
    columns = [_rows(make, optimizer, run, run.calls) for make in parts]
    for place, column in enumerate(columns):
        if any(value != momentum for _, value in column if not math.isnan(value)):
            raise ConfigError(f"scheduler.parts[{place}]: changes the momentum, which a product cannot")
    return Rows(
        optimizer, [(lr * math.prod(rate / lr for rate, _ in call), momentum) for call in zip(*columns, strict=True)]
    )


def _check_parts(parts: Parts) -> None:
    if not parts:
        raise ConfigError("scheduler.parts = []: must hold one schedule or more")
    for place, part in enumerate(parts):
        if not callable(part):
            raise ConfigError(f"scheduler.parts[{place}]: needs `_partial_: true`")


def _rows(make: Callable[..., LRScheduler], optimizer: Optimizer, run: Run, calls: int) -> list[tuple[float, float]]:
    group = optimizer.param_groups[0]
    part = Run(calls, run.steps_per_call, run.steps_per_epoch, run.seed)
    return rows(make, group["lr"], group.get("momentum"), part)
