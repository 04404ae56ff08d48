"""Schedules that torch has not got, and torch's cyclic ones relative to the optimizer's rate.

Each is a function from an optimizer to torch's scheduler, t the number of the call from 0, lr the optimizer's rate.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LRScheduler, OneCycleLR

from hpsearch.base import rng
from hpsearch.base.errors import ConfigError, check_choice, check_float, check_int
from hpsearch.schedules.expression import Formula, parse
from hpsearch.schedules.table import Run

NUDGE = 1e-12
"""By this share the rise of a one-cycle schedule is longer than one call, or shorter where one call is all."""


def polynomial_cycling(optimizer: Optimizer, period: int, power: float, end_factor: float) -> LRScheduler:
    """Return a polynomial decay to ``end_factor * lr`` that rises again whenever it gets there.

    With D = period * max(1, ceil(t / period)), TensorFlow's ``polynomial_decay(cycle=True)``::

        lr * ((1 - end_factor) * (1 - t / D) ** power + end_factor)

    Args:
        optimizer: its rate is changed.
        period: calls of the first decay.
        power: degree of the polynomial.
        end_factor: lowest rate as a share of lr.

    Returns:
        The scheduler.
    """
    check_int("scheduler.period", period, 1)
    check_float("scheduler.power", power, "(0, inf)")
    check_float("scheduler.end_factor", end_factor, "[0, 1]")

    def factor(t: int) -> float:
        length = period * max(1, math.ceil(t / period))
        return (1 - end_factor) * float((1 - t / length) ** power) + end_factor

    return LambdaLR(optimizer, factor)


def linear_cosine(optimizer: Optimizer, total_iters: int, num_periods: float, alpha: float, beta: float) -> LRScheduler:
    """Return the linear cosine decay of Bello et al., Neural Optimizer Search, ICML 2017.

    With T = total_iters and t at most T::

        lr * ((alpha + (T - t) / T) * (1 + cos(2 pi num_periods t / T)) / 2 + beta)

    Args:
        optimizer: its rate is changed.
        total_iters: T; null in a configuration: the run's length.
        num_periods: periods of the cosine.
        alpha: added to the linear part.
        beta: added to the product.

    Returns:
        The scheduler.
    """
    return _linear_cosine(optimizer, total_iters, num_periods, alpha, beta, [0.0] * (total_iters + 1))


def noisy_linear_cosine(
    optimizer: Optimizer,
    total_iters: int,
    num_periods: float,
    alpha: float,
    beta: float,
    initial_variance: float,
    variance_decay: float,
    run: Run,
) -> LRScheduler:
    """Return the linear cosine decay with noise that fades (Bello et al., Neural Optimizer Search, ICML 2017).

    `linear_cosine` with n_t added to the linear part, n_t normal of mean 0 and variance
    initial_variance / (1 + t) ** variance_decay. The noise is a function of the trial's seed; where it would make the
    rate negative, the rate is 0.

    Args:
        optimizer: its rate is changed.
        total_iters: see `linear_cosine`.
        num_periods: see `linear_cosine`.
        alpha: see `linear_cosine`.
        beta: see `linear_cosine`.
        initial_variance: variance of the first call's noise.
        variance_decay: power at which the variance falls.
        run: carries the seed.

    Returns:
        The scheduler.
    """
    check_float("scheduler.initial_variance", initial_variance, "[0, inf)")
    check_float("scheduler.variance_decay", variance_decay, "[0, inf)")
    check_int("scheduler.total_iters", total_iters, 1)
    drawn = torch.randn(
        total_iters + 1, generator=rng.seeded(torch.Generator(), run.seed, "schedule"), dtype=torch.float64
    )
    spread = (initial_variance / (1 + torch.arange(total_iters + 1, dtype=torch.float64)) ** variance_decay).sqrt()
    return _linear_cosine(optimizer, total_iters, num_periods, alpha, beta, (drawn * spread).tolist())


def _linear_cosine(
    optimizer: Optimizer, total_iters: int, num_periods: float, alpha: float, beta: float, noise: Sequence[float]
) -> LRScheduler:
    check_int("scheduler.total_iters", total_iters, 1)
    check_float("scheduler.num_periods", num_periods, "[0, inf)")
    check_float("scheduler.alpha", alpha, "[0, inf)")
    check_float("scheduler.beta", beta, "[0, inf)")

    def factor(call: int) -> float:
        t = min(call, total_iters)
        cosine = 0.5 * (1 + math.cos(2 * math.pi * num_periods * t / total_iters))
        return max(0.0, (alpha + (total_iters - t) / total_iters + noise[t]) * cosine + beta)

    return LambdaLR(optimizer, factor)


def piecewise_constant(optimizer: Optimizer, milestones: Sequence[int], factors: Sequence[float]) -> LRScheduler:
    """Return lr * factors[i] from call milestones[i - 1] on, factors[0] before the first milestone.

    Args:
        optimizer: its rate is changed.
        milestones: rising numbers of calls.
        factors: shares of lr, one more than milestones.

    Returns:
        The scheduler.

    Raises:
        ConfigError: when milestones do not rise or factors do not match them.
    """
    check_milestones(milestones)
    if len(factors) != len(milestones) + 1:
        raise ConfigError(f"scheduler.factors = {list(factors)}: {len(milestones)} milestones need one factor more")
    for place, each in enumerate(factors):
        check_float(f"scheduler.factors[{place}]", each, "[0, inf)")
    return LambdaLR(optimizer, lambda t: factors[bisect_right(milestones, t)])


def expression(optimizer: Optimizer, factor: str, run: Run) -> LRScheduler:
    """Return lr times an arithmetic expression of step, epoch, steps and epochs.

    step and epoch (a fraction when the schedule moves per step) count from the end of the warm-up; steps and epochs
    are how many there are. See `hpsearch.schedules.expression.parse` for what may be written.

    Args:
        optimizer: its rate is changed.
        factor: the expression.
        run: where the variables come from.

    Returns:
        The scheduler.
    """
    formula = parse("scheduler.factor", factor, ("step", "epoch", "steps", "epochs"))
    steps = float(run.calls * run.steps_per_call)

    def value(t: int) -> float:
        step = float(t * run.steps_per_call)
        names = {"step": step, "epoch": step / run.steps_per_epoch}
        found = _computed(formula, factor, names | {"steps": steps, "epochs": steps / run.steps_per_epoch})
        check_float(f"scheduler.factor = {factor!r} at step {step:g}", found, "[0, inf)")
        return found

    return LambdaLR(optimizer, value)


def _computed(formula: Formula, text: str, names: dict[str, float]) -> float:
    try:
        return float(formula(names))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise ConfigError(f"scheduler.factor = {text!r} at step {names['step']:g}: {error}") from error


def cyclic(
    optimizer: Optimizer, low: float, step_size_up: int | None, cycle_momentum: bool, run: Run, **options: Any
) -> LRScheduler:
    """Return torch's ``CyclicLR`` between ``low * lr`` and lr (Smith, Cyclical Learning Rates, WACV 2017).

    Args:
        optimizer: its rate is the top of the first cycle.
        low: the bottom, as a share of lr.
        step_size_up: calls from bottom to top; None makes four cycles of the run.
        cycle_momentum: whether momentum falls while the rate rises.
        run: gives the length.
        **options: as torch takes them: ``step_size_down`` (None: as up), ``mode``, ``gamma``, ``base_momentum`` and
            ``max_momentum``; what they may be stands in `hpsearch.schedules.limits`.

    Returns:
        The scheduler.
    """
    _check_momentum(optimizer, cycle_momentum)
    lr = optimizer.param_groups[0]["lr"]
    return CyclicLR(
        optimizer,
        base_lr=low * lr,
        max_lr=lr,
        step_size_up=step_size_up or max(1, run.calls // 8),
        cycle_momentum=cycle_momentum,
        **options,
    )


def one_cycle(
    optimizer: Optimizer, total_steps: int, pct_start: float, cycle_momentum: bool, **options: Any
) -> LRScheduler:
    """Return torch's ``OneCycleLR`` with lr as its top (Smith and Topin, Super-Convergence, 2018).

    A rise of exactly one call, where torch divides by zero, has the rate that every longer rise begins with.

    Args:
        optimizer: its rate is the top.
        total_steps: calls of the cycle; null in a configuration: the run's length.
        pct_start: share of them in which the rate rises.
        cycle_momentum: whether momentum, or the first beta, falls while the rate rises.
        **options: as torch takes them: ``anneal_strategy``, ``base_momentum``, ``max_momentum``, ``div_factor``,
            ``final_div_factor`` and ``three_phase``; what they may be stands in `hpsearch.schedules.limits`.

    Returns:
        The scheduler.
    """
    _check_momentum(optimizer, cycle_momentum)
    top = optimizer.param_groups[0]["lr"]
    if pct_start * total_steps == 1:
        pct_start *= 1 + NUDGE if total_steps > 1 else 1 - NUDGE
    return OneCycleLR(
        optimizer, top, total_steps=total_steps, pct_start=pct_start, cycle_momentum=cycle_momentum, **options
    )


def _check_momentum(optimizer: Optimizer, cycle_momentum: bool) -> None:
    check_choice("scheduler.cycle_momentum", cycle_momentum, (True, False))
    if cycle_momentum and not optimizer.param_groups[0].get("momentum"):
        raise ConfigError("scheduler.cycle_momentum = True: the optimizer has no momentum or beta to cycle, use false")


def check_milestones(milestones: Sequence[int]) -> None:
    """Refuse milestones that are no rising positive whole numbers.

    Args:
        milestones: ``scheduler.milestones``.
    """
    low = 1
    for place, milestone in enumerate(milestones):
        check_int(f"scheduler.milestones[{place}]", milestone, low)
        low = milestone + 1
