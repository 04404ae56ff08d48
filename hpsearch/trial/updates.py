"""Optimizer updates one after the other, as `hpsearch.trial.loop.train` makes them and as short runs do."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer

from hpsearch.base import rng
from hpsearch.base.errors import ConfigError
from hpsearch.base.steps import label_count
from hpsearch.data.sampling import addresses, balanced_rows
from hpsearch.data.streamed import taken
from hpsearch.losses.class_weights import reported_losses
from hpsearch.losses.fit import check_fit
from hpsearch.metrics.meter import try_out
from hpsearch.nn.dropout import Dropout, address_dropout, advance, locate
from hpsearch.optim.stepping import quick_step
from hpsearch.trial.accelerator import Accelerator, accelerator
from hpsearch.trial.backward import backward
from hpsearch.trial.groups import Groups
from hpsearch.trial.job import Job
from hpsearch.trial.watch import Step


def rehearse(job: Job) -> float:
    """Run the forward and backward pass of the first step, without its update; refuse what does not fit together.

    Args:
        job: the trial; its weights stay, its gradients and the statistics of normalization layers do not.

    Returns:
        The loss, without penalties.
    """
    with torch_state(job, 1):
        rows = epoch_order(job, 1)[: job.batching.size]
        training_mode(job)
        named = trained_parameters(job)
        ((x, y),) = _batches(job, rows, 1)
        with torch.no_grad():
            outputs = forward_pass(job, x)
            check_fit(job.loss, outputs, y, job.splits.task, job.splits.num_outputs)
            try_out(job.metrics, outputs, y)
            if not named:
                return float(job.loss(outputs, y))
        return Groups(job).train(partial(_backward, job, named, *mixed(job, x, y, 0)))[1].item()


def take_steps(job: Job, rates: Sequence[float], stop: Callable[[Sequence[float]], bool]) -> list[float]:
    """Train for some steps at rates of their own, whatever the schedule says, without evaluations.

    Passes over the training split follow each other as `train` makes them, with the same draws.

    Args:
        job: the trial; its model and its optimizer are changed.
        rates: learning rate of each step.
        stop: told the losses so far after each step, whether to end.

    Returns:
        The loss of each step's batch before the step's update, without penalties.

    Raises:
        ConfigError: no parameter is trained.
    """
    named = trained_parameters(job)
    if not named:
        raise ConfigError("model: no parameter is trained")
    trained = [parameter for _, parameter in named]
    losses: list[float] = []
    groups = Groups(job)
    prepare_model(job)
    for epoch in range(1, math.ceil(len(rates) / job.steps_per_epoch) + 1):
        done = (epoch - 1) * job.steps_per_epoch
        rows = [(rate, None) for rate in rates[done : done + job.steps_per_epoch]]
        with torch_state(job, epoch):
            for step in epoch_steps(job, groups, epoch, done, rows, lambda _: update_weights(job, named, trained)):
                losses.append(step.loss.item())
                if stop(losses):
                    return losses
    return losses


def prepare_model(job: Job) -> None:
    """Address the draws of dropout, lay out the weights and compile, as the trainer says."""
    address_dropout(job.model, job.seed)
    if job.trainer.channels_last:
        job.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not among the types of torch
    if job.trainer.compile:
        job.model.compile()
    accelerator(job.device).begin_peak()


Draws: TypeAlias = tuple[Tensor, Tensor | None]
"""Where torch's global generators stand: of the host, and of a device that has one of its own."""


def drawn_so_far(job: Job) -> Draws:
    """Return where torch's global generators stand."""
    return torch.get_rng_state(), accelerator(job.device).drawn()


@contextmanager
def torch_state(job: Job, epoch: int, draws: Draws | None = None) -> Iterator[None]:
    """Give layers that draw from torch's global generators an address too, and leave no trace of it.

    Args:
        job: the trial.
        epoch: the last word of the address.
        draws: where the generators go on; None: from the beginning of the epoch.
    """
    device, before = accelerator(job.device), torch.are_deterministic_algorithms_enabled()
    if job.trainer.deterministic and job.device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    changed = job.trainer.deterministic and not before
    if changed:  # the call loads torch's compiler
        torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng([]), _kept(device):
            seed = rng.address(job.seed, "torch", epoch)
            torch.default_generator.manual_seed(seed)  # torch.manual_seed takes milliseconds where CUDA is not in use
            device.seed(seed)
            if draws is not None:
                torch.set_rng_state(draws[0])
                device.go_on(draws[1])
            yield
    finally:
        if changed:
            torch.use_deterministic_algorithms(False)


def trained_parameters(job: Job) -> list[tuple[str, Tensor]]:
    """Return the parameters that require a gradient, by name."""
    return [(name, parameter) for name, parameter in job.model.named_parameters() if parameter.requires_grad]


def epoch_steps(
    job: Job,
    groups: Groups,
    epoch: int,
    done: int,
    rates: Sequence[tuple[float, float | None]],
    update: Callable[[int], None],
) -> Iterator[Step]:
    """Take an epoch's steps, `done` before it, at (rate, momentum) each, and yield them."""
    named, reported = trained_parameters(job), reported_losses(job.loss)
    drops = any(isinstance(module, Dropout) and module.active for module in job.model.modules())
    training_mode(job)
    for index, (rate, (x, y)) in enumerate(zip(rates, _batches(job, epoch_order(job, epoch), epoch), strict=False)):
        set_rates(job.optimizer, *rate)
        if drops:
            advance(job.model, done + index)
        x, targets = mixed(job, x, y, done + index)
        outputs, loss, penalty = groups.train(partial(_backward, job, named, x, targets))
        losses = {name: loss if each is job.loss else each(outputs, targets) for name, each in reported.items()}
        update(index)
        yield Step(y, outputs, losses, loss, penalty)


def first_batches(job: Job, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets of the first batches of epoch 1 as its steps see them; the model is made to train."""
    training_mode(job)
    for step, (x, y) in enumerate(_batches(job, epoch_order(job, 1)[: count * job.batching.size], 1)):
        yield mixed(job, x, y, step)


def training_batches(job: Job, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets of an epoch's batches, augmented, before any mixing."""
    return _batches(job, epoch_order(job, epoch), epoch)


def training_mode(job: Job) -> None:
    """Put the model into training mode, all but what is frozen."""
    job.model.train()
    for module in job.frozen:
        module.eval()


def _batches(job: Job, order: Tensor, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Go through rows of the training split in batches, as the epoch sees them."""
    batches, size = job.splits.train.batches(order, job.batching.size, job.seed, epoch), job.batching.size
    visits = addresses(order, len(job.splits.train)) if job.sampling else order
    for rows, (x, y) in zip(torch.split(visits, size), batches, strict=True):
        yield (x if job.augment is None else job.augment(x, rows, epoch)), y


def epoch_order(job: Job, epoch: int) -> Tensor:
    """Return the rows of the training split that an epoch visits, in its order, without those left out."""
    size = len(job.splits.train)
    order = torch.arange(size)
    if job.sampling:
        order = balanced_rows(job.splits.train.y, job.seed, epoch)
    elif job.shuffle:
        order = torch.randperm(size, generator=rng.seeded(torch.Generator(), job.seed, "order", epoch))
    return order[: job.batching.rows].to(job.device)


def set_rates(optimizer: Optimizer, lr: float, momentum: float | None) -> None:
    """Give an optimizer the rate of its next update, and the momentum where a schedule moves it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("rate_factor", 1.0)
        if momentum is not None and "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        elif momentum is not None:
            group["momentum"] = momentum


def mixed(job: Job, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of a batch as training sees them, `step` updates before it."""
    return (x, y) if job.mixing is None else job.mixing.mix(x, y, job.splits.num_outputs, job.seed, step)


def _backward(
    job: Job, named: Sequence[tuple[str, Tensor]], x: Tensor, y: Tensor, at_once: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Put the gradient of the penalized loss of a batch into the parameters.

    Args:
        job: the trial.
        named: the trained parameters.
        x: [B, ...] inputs of the whole batch.
        y: [B] or [B, C] its targets.
        at_once: samples that go through the model at once; of a larger batch the loss, and so the gradient, is the sum
            of those of groups, each times its share of the labels.

    Returns:
        Outputs [B, C], the 0-d loss without penalties, and the sum of the penalties if there are any.
    """
    for _, parameter in named:
        parameter.grad = None
    if y.shape[0] <= at_once:
        outputs = forward_pass(job, x)
        loss = job.loss(outputs, y)
        total, penalty = _penalized(job, named, loss)
        backward(total)
        return outputs.detach(), loss.detach(), penalty
    outputs, loss = _in_groups(job, x, y, at_once)
    total, penalty = _penalized(job, named, torch.zeros_like(loss))
    if total.requires_grad:
        backward(total)
    return outputs, loss, penalty


def _penalized(job: Job, named: Sequence[tuple[str, Tensor]], loss: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return a loss with the penalties, and their sum if there are any."""
    total, penalty = loss, None
    for regularizer in job.regularizers.values():
        each = regularizer.penalty(named)
        total = total + each
        penalty = each.detach() if penalty is None else penalty + each.detach()
    return total, penalty


def outputs_of(job: Job, x: Any, size: int, at_once: int) -> Tensor:
    """Return the outputs [B, C] of a batch as training sees it, without a gradient.

    Args:
        job: the trial.
        x: [B, ...] inputs.
        size: B.
        at_once: samples that go through the model at once.
    """
    if size <= at_once:
        return forward_pass(job, x).detach()
    outputs = []
    for start in range(0, size, at_once):
        rows = slice(start, min(start + at_once, size))
        locate(job.model, start, rows.stop - start)
        outputs.append(forward_pass(job, taken(x, rows)).detach())
    locate(job.model, 0, size)
    return torch.cat(outputs)


def _in_groups(job: Job, x: Tensor, y: Tensor, at_once: int) -> tuple[Tensor, Tensor]:
    """Add up the gradients of a batch's groups; return its outputs [B, C] and its loss."""
    outputs, losses, labels = [], [], label_count(y)
    for start in range(0, len(y), at_once):
        rows = slice(start, min(start + at_once, len(y)))
        size = rows.stop - start
        locate(job.model, start, size)
        each = forward_pass(job, taken(x, rows))
        loss = job.loss(each, y[rows]) * (label_count(y[rows]) / labels)
        backward(loss)
        outputs.append(each.detach())
        losses.append(loss.detach())
    locate(job.model, 0, len(y))
    return torch.cat(outputs), torch.stack(losses).sum()


def forward_pass(job: Job, x: Tensor) -> Tensor:
    """Return the outputs [B, C] of a batch, in float32 whatever the precision."""
    if job.trainer.precision == "float32":
        outputs: Tensor = job.model(x)
        return outputs
    with torch.autocast(job.device.type, torch.bfloat16):
        outputs = job.model(x)
    return outputs.float()


def update_weights(job: Job, named: Sequence[tuple[str, Tensor]], parameters: Sequence[Tensor]) -> None:
    """Clip the gradient, let the optimizer step, and apply the constraints."""
    if job.trainer.clip_norm is not None:
        clip_grad_norm_(parameters, job.trainer.clip_norm)
    if job.trainer.clip_value is not None:
        clip_grad_value_(parameters, job.trainer.clip_value)
    quick_step(job.optimizer)()
    for constraint in job.constraints:
        constraint.apply_(named)


@contextmanager
def _kept(device: Accelerator) -> Iterator[None]:
    """Put a device's own generator back where it was."""
    drawn = device.drawn()
    try:
        yield
    finally:
        device.go_on(drawn)
