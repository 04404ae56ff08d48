"""Schedules that follow a metric: a factor on the table, moved after each evaluation.

The factor is a function of the metric's values so far, which the trial's checkpoint holds in its reports: so a resumed
trial goes on with the factor it had, without any state of its own.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hpsearch.base.errors import ConfigError, check_float
from hpsearch.schedules.table import dummy


@dataclass(frozen=True)
class Plateau:
    """A scheduler that follows a metric.

    Attributes:
        make: builds it from an optimizer.
        lr: the optimizer's learning rate.
        metric: what it follows.
    """

    make: functools.partial[Any]
    lr: float
    metric: str

    def __post_init__(self) -> None:
        """Refuse what the scheduler refuses.

        Raises:
            ConfigError: in one line.
        """
        try:
            self.factor(())
        except (TypeError, ValueError) as error:
            raise ConfigError(f"scheduler: {error}") from error

    def factor(self, values: Sequence[float]) -> float:
        """Return what the table's rates are multiplied by.

        Args:
            values: the metric after each epoch so far.

        Returns:
            The scheduler's rate over the optimizer's; 1 before the first value.
        """
        optimizer = dummy(self.lr, None)
        scheduler = self.make(optimizer)
        for value in values:
            scheduler.step(value)
        return float(optimizer.param_groups[0]["lr"]) / self.lr


class ReduceOnPlateau(ReduceLROnPlateau):
    """Torch's ``ReduceLROnPlateau`` with a floor that is a share of lr, and none on how small a change may be.

    Args:
        optimizer: its rate is changed.
        mode: ``min`` or ``max``: which metric is better.
        factor: what the rate is multiplied by.
        patience: evaluations without an improvement that leave the rate alone.
        threshold: smallest change that is an improvement.
        threshold_mode: ``rel``, as a share of the best metric, or ``abs``.
        cooldown: evaluations after a change that are not counted.
        min_factor: the rate does not fall below this share of lr.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 3,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_factor: float = 0.0,
    ) -> None:
        check_float("scheduler.min_factor", min_factor, "[0, 1]")
        floor = min_factor * optimizer.param_groups[0]["lr"]
        super().__init__(optimizer, mode, factor, patience, threshold, threshold_mode, cooldown, floor, eps=0.0)


class HalveWhenFlat(ReduceLROnPlateau):
    """Multiply the rate by a factor whenever the metric changes by less than a threshold from one epoch to the next.

    Args:
        optimizer: its rate is changed.
        factor: what the rate is multiplied by.
        threshold: smallest change, up or down, that leaves the rate alone.
        min_factor: the rate does not fall below this share of lr.
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 0.5, threshold: float = 1e-3, min_factor: float = 0.0
    ) -> None:
        check_float("scheduler.factor", factor, "(0, 1)")
        check_float("scheduler.threshold", threshold, "[0, inf)")
        check_float("scheduler.min_factor", min_factor, "[0, 1]")
        floor = min_factor * optimizer.param_groups[0]["lr"]
        super().__init__(optimizer, factor=factor, threshold=threshold, min_lr=floor)
        self._before: float | None = None

    def step(self, metrics: float | Tensor, epoch: int | None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Take the metric's value after another epoch."""
        value = float(metrics)
        if self._before is not None and abs(value - self._before) < self.threshold:
            for group in self.optimizer.param_groups:
                group["lr"] = min(group["lr"], max(group["lr"] * self.factor, self.min_lrs[0]))
        self._before = value


def follows_a_metric(make: "functools.partial[Any]") -> bool:
    """Return whether a scheduler has no table because it follows a metric."""
    return isinstance(make.func, type) and issubclass(make.func, ReduceLROnPlateau)


def with_mode(make: "functools.partial[Any]", maximize: bool) -> "functools.partial[Any]":
    """Fill in a ``mode`` that is null: ``max`` where larger is better, else ``min``."""
    if "mode" in make.keywords and make.keywords["mode"] is None:
        return functools.partial(make, mode="max" if maximize else "min")
    return make
