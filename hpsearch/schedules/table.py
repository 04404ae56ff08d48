"""Learning-rate schedules as tables: one row per step, computed once before training.

Importing this module loads no torch.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpsearch.base.errors import ConfigError, check_float
from hpsearch.base.limits import check_values, rules_of
from hpsearch.schedules.limits import LIMITS, OPTIONS

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

LENGTHS = ("T_max", "total_iters", "total_steps")
"""Arguments of schedulers that mean the length of the run when they are null."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The keys of a scheduler option that are ours; they are taken out before the scheduler is built.

    Attributes:
        per: ``step`` or ``epoch``: when the scheduler moves on.
        warmup: shape of the warm-up, ``linear`` or ``exponential``.
        warmup_steps: steps of warm-up in front of it.
    """

    per: str = "epoch"
    warmup: str = "linear"
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no run can follow."""
        check_values("scheduler", OPTIONS["scheduler"], vars(self))


@dataclass(frozen=True, kw_only=True)
class MomentumWarmup:
    """A smaller momentum for the first steps, while gradients are large and change their direction.

    Source: Hinton, A Practical Guide to Training Restricted Boltzmann Machines, 2010, section 9: 0.5 at first, 0.9 when
    the large initial progress has settled down. In the table it is the momentum column of the first rows.

    Attributes:
        initial_momentum: momentum, or first beta, of the first steps.
        initial_momentum_steps: how many steps have it.
    """

    initial_momentum: float = 0.5
    initial_momentum_steps: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no momentum or no number of steps."""
        check_values("optimizer", OPTIONS["optimizer"], vars(self))


@dataclass(frozen=True, slots=True)
class Run:
    """What a scheduler may have to know of the run that it is for.

    Attributes:
        calls: times its value is used: steps or epochs left after the warm-up.
        steps_per_call: optimizer updates from one call to the next.
        steps_per_epoch: optimizer updates in one pass over the training part.
        seed: the trial's seed, for schedules with noise.
    """

    calls: int
    steps_per_call: int = 1
    steps_per_epoch: int = 1
    seed: int = 0


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
    warmup: str = "linear",
    seed: int = 0,
    momentum_warmup: MomentumWarmup | None = None,
    total: int | None = None,
) -> Table:
    """Compute the table of a run of T = `steps_per_epoch` * `epochs` steps, or of `total`.

    With W = `warmup_steps` and s_0, s_1, ... what the scheduler gives at its successive calls, row t is::

        s_0 * (t + 1) / (W + 1)                  t < W, linear: never 0, and s_0 at t = W
        s_0 * (W + 1) ** (t / W - 1)             t < W, exponential: the same ends, evenly in the logarithm
        s_(t - W)                                t >= W, per step
        s_floor((t - W) / steps_per_epoch)       t >= W, per epoch

    The linear one is torch's ``SequentialLR`` of a ``LinearLR(start_factor=1 / (W + 1), total_iters=W)`` and the
    scheduler, the exponential one that of an ``ExponentialLR`` that starts at s_0 / (W + 1). A length of the scheduler
    that is None (see `LENGTHS`) becomes the number of its calls left after the warm-up; an argument called ``run`` is
    given the `Run`.

    Args:
        make_scheduler: builds the scheduler from an optimizer; None is a constant rate.
        lr: the optimizer's learning rate.
        momentum: the optimizer's momentum or first beta; None when it has neither.
        steps_per_epoch: optimizer updates in one pass over the training part.
        epochs: passes.
        per: see `Schedule`.
        warmup_steps: see `Schedule`.
        warmup: see `Schedule`.
        seed: the trial's seed.
        momentum_warmup: fills the first rows of the momentum column.
        total: optimizer updates in all, in place of whole passes.

    Returns:
        The table.

    Raises:
        ConfigError: when the warm-up is as long as the run, or the scheduler does not fit: it follows a metric, is
            shorter than the run, gives a negative rate or a momentum of 1 or more, or changes a momentum that the
            optimizer has not got.
    """
    import torch

    Schedule(per=per, warmup_steps=warmup_steps, warmup=warmup)
    total = total or steps_per_epoch * epochs
    if warmup_steps and warmup_steps >= total:
        raise ConfigError(f"scheduler.warmup_steps = {warmup_steps}: the run has {total} steps")
    stride = steps_per_epoch if per == "epoch" else 1
    run = Run(math.ceil((total - warmup_steps) / stride), stride, steps_per_epoch, seed)
    calls = rows(make_scheduler, lr, momentum, run)
    _check_values(calls)
    values = torch.tensor(calls, dtype=torch.float64).reshape(-1, 2)
    step = torch.arange(total)
    filled = values[((step - warmup_steps) // stride).clamp(min=0)]
    filled[:warmup_steps, 0] *= _warmup_factors(warmup, warmup_steps)
    if momentum_warmup is not None and momentum_warmup.initial_momentum_steps:
        if momentum is None:
            raise ConfigError("optimizer.initial_momentum: this optimizer has neither a momentum nor betas")
        filled[: momentum_warmup.initial_momentum_steps, 1] = momentum_warmup.initial_momentum
    cycled = momentum is not None and bool((filled[:, 1] != momentum).any())
    return Table(filled[:, 0].contiguous(), filled[:, 1].contiguous() if cycled else None)


def _check_values(values: Sequence[tuple[float, float]]) -> None:
    for call, (rate, momentum) in enumerate(values):
        check_float(f"scheduler: the learning rate of call {call}", rate, "[0, inf)")
        if not math.isnan(momentum):
            check_float(f"scheduler: the momentum of call {call}", momentum, "[0, 1)")


def _warmup_factors(warmup: str, steps: int) -> "Tensor":
    """Return [W] factors of the first value."""
    import torch

    step = torch.arange(steps, dtype=torch.float64)
    if warmup == "exponential":
        return torch.tensor(steps + 1, dtype=torch.float64) ** (step / max(steps, 1) - 1)
    return (step + 1) / torch.tensor(steps + 1, dtype=torch.float64)


def rows(
    make_scheduler: "Callable[..., LRScheduler] | None", lr: float, momentum: float | None, run: Run
) -> list[tuple[float, float]]:
    """Step a scheduler on an optimizer without a gradient.

    Args:
        make_scheduler: builds it; None is a constant rate.
        lr: the optimizer's learning rate.
        momentum: the optimizer's momentum; None when it has none.
        run: what it is for.

    Returns:
        (lr, momentum) at each of its calls, at least one row; momentum is nan where there is none.

    Raises:
        ConfigError: what the scheduler refuses.
    """
    optimizer = dummy(lr, momentum)
    try:
        scheduler = _build(make_scheduler, optimizer, run) if make_scheduler and run.calls else None
        optimizer.step()
        values = [_current(optimizer)]
        for _ in range(1, run.calls):
            if scheduler:
                scheduler.step()
            values.append(_current(optimizer))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(f"scheduler: {error}") from error
    return values


def dummy(lr: float, momentum: float | None) -> "Optimizer":
    """Return an optimizer of one number, for a scheduler to work on."""
    import torch

    parameters = [torch.zeros(1, requires_grad=True)]
    if momentum is None:
        return torch.optim.Adagrad(parameters, lr=lr)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum)


def _current(optimizer: "Optimizer") -> tuple[float, float]:
    group = optimizer.param_groups[0]
    return float(group["lr"]), float(group.get("momentum", math.nan))


def _build(make_scheduler: "Callable[..., LRScheduler]", optimizer: "Optimizer", run: Run) -> "LRScheduler":
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    _check_arguments(make_scheduler)
    scheduler = make_scheduler(optimizer, **_run_arguments(make_scheduler, run))
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ConfigError(f"scheduler: {type(scheduler).__name__} follows a metric, so it has no table")
    return scheduler


def _check_arguments(make_scheduler: "Callable[..., LRScheduler]") -> None:
    """Refuse, with its key, what torch's schedulers fail on later or not at all."""
    if isinstance(make_scheduler, functools.partial):
        target = f"{make_scheduler.func.__module__}.{make_scheduler.func.__qualname__}"
        check_values("scheduler", rules_of(LIMITS, target), make_scheduler.keywords)


def _run_arguments(make_scheduler: "Callable[..., LRScheduler]", run: Run) -> Mapping[str, Any]:
    """Return the arguments of a scheduler that come from the run: lengths that are null, and the run itself."""
    given: Mapping[str, Any] = make_scheduler.keywords if isinstance(make_scheduler, functools.partial) else {}
    target = make_scheduler.func if isinstance(make_scheduler, functools.partial) else make_scheduler
    found: dict[str, Any] = {name: run.calls for name in LENGTHS if name in given and given[name] is None}
    if "run" in inspect.signature(target).parameters:
        found["run"] = run
    return found
