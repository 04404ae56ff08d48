"""Losses against learning rates: short runs at fixed rates, and one run at a growing rate."""

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from hpsearch.trial.fused.probing import losses_together, pays
from hpsearch.trial.job import Job
from hpsearch.trial.reference import divergence_limit
from hpsearch.trial.updates import take_steps
from hpsearch.trial.watch import Limit

TAIL = 0.1
"""Share of a probe's steps, the last ones, whose mean loss it reports."""
LOST = 2
"""Neighbouring rates that must diverge before a probe leaves out those above."""
RANGE_FACTOR = 4.0
"""A range test ends when its loss is above this many times that of a model that knows nothing."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What short runs at fixed rates came to.

    Attributes:
        rates: learning rates, ascending.
        losses: training loss after them; infinite where the run diverged.
        diverged: the step, from 1, whose loss said so; 0 where none did, None where rates below had diverged already.
        untrained: the loss of the same batches without any update.
        passes: passes over the training split that all steps together make.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    diverged: tuple[int | None, ...]
    untrained: float
    passes: float


@dataclass(frozen=True, slots=True)
class RangeTest:
    """What a run at a growing rate came to.

    Attributes:
        rates: learning rate of each step taken.
        losses: loss of each step's batch before its update.
        passes: passes over the training split that the steps make.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    passes: float


def log_spaced(low: float, high: float, count: int) -> tuple[float, ...]:
    """Return `count` rates from `low` to `high` with equal ratios."""
    ratio = math.log(high / low) / max(count - 1, 1)
    return tuple(low * math.exp(place * ratio) for place in range(count))


def fixed_rate_probe(job: Job, rates: Sequence[float], steps: int = 100) -> Probe:
    """Train for some steps at each rate, from the same initialization and on the same batches.

    The loss reported is the mean over the last tenth of the steps, each before its update: as long as the steps make
    less than a pass, on samples that the run has not seen. It is what training itself shows, dropout, augmentation and
    batch statistics included, it costs nothing, and all rates share its batches, so that their noise moves the curve as
    a whole and not its shape. Running statistics of normalization layers, which an evaluation would need, are not
    warm after so few steps. A run diverges by the rule of `train`, see `hpsearch.trial.reference.divergence_limit`.
    After `LOST` neighbouring divergences the rates above are not tried. Momentum, weight decay and all else are as
    configured; the schedule is left out. Where it pays, all rates are trained as one program.

    Args:
        job: the trial; its model and optimizer are as before, after the call.
        rates: learning rates, ascending.
        steps: updates at each.

    Returns:
        The loss against the rate.
    """
    limit = divergence_limit(job)
    together = losses_together(job, (0.0, *rates), steps) if pays(job) else None
    given = _one_by_one(job, (0.0, *rates), steps, limit) if together is None else iter(together)
    untrained, *runs = [_end(losses, limit, steps) for losses in _until_lost(given, limit)]
    found = [*((loss, diverged) for loss, diverged, _ in runs), *[(math.inf, None)] * (len(rates) - len(runs))]
    losses, diverged = zip(*found, strict=True)
    taken = sum(each.taken for each in (untrained, *runs))
    return Probe(tuple(rates), losses, diverged, untrained.loss, taken / job.steps_per_epoch)


class _End(NamedTuple):
    """What a run came to: its loss, the step at which it diverged or 0, and its steps."""

    loss: float
    diverged: int
    taken: int


def _end(losses: Sequence[float], limit: Limit, steps: int) -> _End:
    """Return what a run came to; steps after it diverged do not count."""
    diverged = next((step for step, loss in enumerate(losses, 1) if limit.broken_by(loss)), 0)
    if diverged:
        return _End(math.inf, diverged, diverged)
    tail = losses[-max(1, round(TAIL * steps)) :]
    return _End(math.fsum(tail) / len(tail), 0, len(losses))


def _one_by_one(job: Job, rates: Sequence[float], steps: int, limit: Limit) -> Iterator[list[float]]:
    """Yield the losses of a run at each rate, up to where it diverges."""
    for rate in rates:
        with restored(job):
            yield take_steps(job, [rate] * steps, lambda so_far: bool(limit.broken_by(so_far[-1])))


def _until_lost(runs: Iterable[list[float]], limit: Limit) -> Iterator[list[float]]:
    """Yield the run without updates and those after it, up to `LOST` neighbouring ones that diverged."""
    lost = 0
    for place, losses in enumerate(runs):
        yield losses
        lost = lost + 1 if place and any(map(limit.broken_by, losses)) else 0
        if lost == LOST:
            return


def range_test(job: Job, low: float, high: float, steps: int = 100) -> RangeTest:
    """Train one run whose rate grows from `low` to `high` by the same factor at each step.

    It ends when a loss is not finite or is over `RANGE_FACTOR` times that of a model that knows nothing, see
    `hpsearch.trial.reference.divergence_limit`: the best loss so far may be that of one lucky batch. Each step's
    weights come from all rates before, so that the curve depends on its speed. Source: Smith, https://arxiv.org/abs/1506.01186.

    Args:
        job: the trial; its model and its optimizer are changed.
        low: rate of the first step.
        high: rate of the last one.
        steps: updates.

    Returns:
        The loss against the rate; the last loss is the one that ended it.
    """
    rates = log_spaced(low, high, steps)
    limit = replace(divergence_limit(job), factor=RANGE_FACTOR)
    losses = take_steps(job, rates, lambda so_far: bool(limit.broken_by(so_far[-1])))
    return RangeTest(rates[: len(losses)], tuple(losses), len(losses) / job.steps_per_epoch)


@contextmanager
def restored(job: Job) -> Iterator[None]:
    """Put the weights and the optimizer's state back after the block."""
    model, optimizer = copy.deepcopy(job.model.state_dict()), copy.deepcopy(job.optimizer.state_dict())
    try:
        yield
    finally:
        job.model.load_state_dict(model)
        job.optimizer.load_state_dict(optimizer)
