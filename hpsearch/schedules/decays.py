"""Decays of the rate that hold once they have ended, and those that go on for ever.

Each is a function from an optimizer to torch's scheduler, t the number of the call from 0, lr the optimizer's rate.
Every constant is a share of lr or a number of calls, so that a schedule keeps its shape when the rate is searched.
"""

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, LambdaLR, LRScheduler

from hpsearch.base.errors import check_float, check_int
from hpsearch.base.limits import flag


def polynomial(optimizer: Optimizer, total_iters: int, power: float, end_factor: float) -> LRScheduler:
    """Return a polynomial decay to ``end_factor * lr``, which stays.

    With T = total_iters and t at most T, TensorFlow's ``polynomial_decay``, and torch's ``PolynomialLR`` at
    end_factor = 0::

        lr * ((1 - end_factor) * (1 - t / T) ** power + end_factor)

    Args:
        optimizer: its rate is changed.
        total_iters: T; null in a configuration: the run's length.
        power: degree of the polynomial.
        end_factor: last rate as a share of lr.

    Returns:
        The scheduler.
    """
    check_int("scheduler.total_iters", total_iters, 1)
    check_float("scheduler.power", power, "(0, inf)")
    check_float("scheduler.end_factor", end_factor, "[0, 1]")

    def factor(t: int) -> float:
        left = 1 - min(t, total_iters) / total_iters
        return (1 - end_factor) * float(left**power) + end_factor

    return LambdaLR(optimizer, factor)


def cosine(optimizer: Optimizer, T_max: int, min_factor: float) -> LRScheduler:
    """Return cosine annealing to ``min_factor * lr``, which stays (Loshchilov and Hutter, SGDR, ICLR 2017).

    With t at most T_max, torch's ``CosineAnnealingLR``, which rises again behind T_max::

        lr * (min_factor + (1 - min_factor) * (1 + cos(pi * t / T_max)) / 2)

    Args:
        optimizer: its rate is changed.
        T_max: calls until the lowest rate; null in a configuration: the run's length.
        min_factor: lowest rate as a share of lr.

    Returns:
        The scheduler.
    """
    check_int("scheduler.T_max", T_max, 1)
    check_float("scheduler.min_factor", min_factor, "[0, 1]")
    return _HeldCosine(optimizer, T_max, min_factor * optimizer.param_groups[0]["lr"])


class _HeldCosine(CosineAnnealingLR):
    def get_lr(self) -> list[float | Tensor]:
        """Return torch's rates up to the lowest one, and that one from there on."""
        if self.last_epoch >= self.T_max:
            return [self.eta_min for _ in self.optimizer.param_groups]
        return super().get_lr()


def cosine_restarts(optimizer: Optimizer, T_0: int, T_mult: int, min_factor: float) -> LRScheduler:
    """Return torch's ``CosineAnnealingWarmRestarts`` between lr and ``min_factor * lr``.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017.

    Args:
        optimizer: its rate is changed.
        T_0: calls until the first restart.
        T_mult: each further period is so many times as long.
        min_factor: lowest rate as a share of lr.

    Returns:
        The scheduler.
    """
    check_float("scheduler.min_factor", min_factor, "[0, 1]")
    return CosineAnnealingWarmRestarts(optimizer, T_0, T_mult, min_factor * optimizer.param_groups[0]["lr"])


def exponential(optimizer: Optimizer, gamma: float, decay_steps: int, staircase: bool) -> LRScheduler:
    """Return lr * gamma ** (t / decay_steps), TensorFlow's ``exponential_decay``; torch's at decay_steps = 1.

    Args:
        optimizer: its rate is changed.
        gamma: what the rate is multiplied by in decay_steps calls.
        decay_steps: calls in which it is.
        staircase: fall once every decay_steps calls: the exponent is a whole number, t // decay_steps.

    Returns:
        The scheduler.
    """
    check_float("scheduler.gamma", gamma, "(0, inf)")
    _check_steps(decay_steps, staircase)
    return LambdaLR(optimizer, lambda t: gamma ** _periods(t, decay_steps, staircase))


def natural_exponential(optimizer: Optimizer, rate: float, decay_steps: int, staircase: bool) -> LRScheduler:
    """Return lr * exp(-rate * t / decay_steps), the decay of TensorFlow's ``natural_exp_decay``.

    Args:
        optimizer: its rate is changed.
        rate: how much the logarithm falls in decay_steps calls.
        decay_steps: calls in which it does.
        staircase: fall once every decay_steps calls.

    Returns:
        The scheduler.
    """
    check_float("scheduler.rate", rate, "[0, inf)")
    _check_steps(decay_steps, staircase)
    return LambdaLR(optimizer, lambda t: math.exp(-rate * _periods(t, decay_steps, staircase)))


def inverse_time(optimizer: Optimizer, a: float, b: float, decay_steps: int, staircase: bool) -> LRScheduler:
    """Return lr * a / (b + t / decay_steps), which satisfies the conditions of Robbins and Monro (1951).

    TensorFlow's ``inverse_time_decay``, lr / (1 + rate * t / decay_steps), is a = b = 1 / rate.

    Args:
        optimizer: its rate is changed.
        a: numerator; a = b starts at lr.
        b: times decay_steps, the calls until the first value is halved.
        decay_steps: unit in which calls are counted.
        staircase: fall once every decay_steps calls.

    Returns:
        The scheduler.
    """
    check_float("scheduler.a", a, "(0, inf)")
    check_float("scheduler.b", b, "(0, inf)")
    _check_steps(decay_steps, staircase)
    return LambdaLR(optimizer, lambda t: a / (b + _periods(t, decay_steps, staircase)))


def _check_steps(decay_steps: int, staircase: bool) -> None:
    check_int("scheduler.decay_steps", decay_steps, 1)
    flag("scheduler.staircase", staircase)


def _periods(t: int, decay_steps: int, staircase: bool) -> float:
    """Return how many times a decay has happened at call t."""
    return t // decay_steps if staircase else t / decay_steps
