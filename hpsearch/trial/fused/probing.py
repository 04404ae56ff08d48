"""A trial at several fixed learning rates at once, from the same weights and on the same batches.

Axes: S step, K rate, B sample.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from hpsearch.nn.stacked import Stacked
from hpsearch.trial.fused import fusing
from hpsearch.trial.fused.step import Update, copied
from hpsearch.trial.job import Job
from hpsearch.trial.updates import mixed, prepare_model, torch_state, training_batches, training_mode

SMALL = 2**19
"""Weights times samples of a batch up to which a processor is faster at several copies than at one after the other: at
14 copies 2.4 times for the network on digits (3e5), 1.4 times for a linear one on Fashion-MNIST (5e5), 1.0 times for a
network there (3e6), and half as fast for LeNet with batches of 512."""
DENSE = (nn.Linear, nn.BatchNorm1d, nn.LayerNorm)


def pays(job: Job) -> bool:
    """Return whether copies of a trial can be trained as one program, and are faster; not measured, so as not to vary.

    Args:
        job: the trial.
    """
    weights = sum(each.numel() for each in job.model.parameters())
    layers = (each for each in job.model.modules() if next(each.parameters(False), None) is not None)
    small = weights * job.batching.size <= SMALL and all(isinstance(layer, DENSE) for layer in layers)
    return (small or job.device.type != "cpu") and not fusing.fault(job)


def losses_together(job: Job, rates: Sequence[float], steps: int) -> list[list[float]] | None:
    """Train copies of a trial at rates of their own, as `hpsearch.trial.updates.take_steps` trains one.

    Args:
        job: the trial, one without a `fusing.fault`; it is left as it was, but for what `prepare_model` does.
        rates: learning rate of each copy.
        steps: updates of each.

    Returns:
        The loss of each step's batch before the step's update, without penalties, by rate; None where memory does not
        suffice for every single one.
    """
    prepare_model(job)
    training_mode(job)
    jobs = [copied(job) for _ in rates]
    stack = Stacked([each.model for each in jobs])
    stack.follow(job.model)
    update, lr_K = Update(jobs, stack), torch.tensor(rates, dtype=torch.float64, device=job.device)
    losses: list[Tensor] = []
    for done, (x, y, targets) in _batches(job, steps):
        x, y, targets = (each.expand(len(jobs), *each.shape) for each in (x, y, targets))
        step = update.backward(x, y, targets, torch.full((len(jobs),), done, device=job.device))
        if step is None or update.failed:
            return None
        update.update(lr_K, None)
        losses.append(step.loss)
    return torch.stack(losses, 1).tolist()


def _batches(job: Job, steps: int) -> Iterator[tuple[int, tuple[Tensor, Tensor, Tensor]]]:
    """Yield the updates so far, and inputs, targets and blended targets of the next one."""
    for epoch in range(1, math.ceil(steps / job.steps_per_epoch) + 1):
        begin = (epoch - 1) * job.steps_per_epoch
        with torch_state(job, epoch):
            for done, (x, y) in enumerate(training_batches(job, epoch), begin):
                if done == steps:
                    return
                blended, targets = mixed(job, x, y, done)
                yield done, (blended, y, targets)
