"""What a loss is measured against before a trial has learnt anything."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from hpsearch.base.steps import label_counts, labels, per_step
from hpsearch.data.part import Part
from hpsearch.losses.class_weights import WEIGHTED, reported_losses, summed
from hpsearch.losses.constants import best_margins, constant_outputs, margin_of
from hpsearch.nn.dropout import address_dropout, advance
from hpsearch.trial.groups import Groups
from hpsearch.trial.job import Job
from hpsearch.trial.updates import epoch_order, first_batches, outputs_of, torch_state
from hpsearch.trial.watch import Limit

BATCHES = 8
"""Of the untrained model; and hardest ones of a constant prediction."""
CHUNK = 10_000
"""Samples whose losses are taken at once."""
EVEN = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Parts of the classes' shares that constant predictions deal out evenly: the best one depends on the loss."""


_known: "WeakKeyDictionary[Part, WeakKeyDictionary[Part, dict[Any, Mapping[str, float]]]]" = WeakKeyDictionary()
"""Of constant predictions, by the training and the validation part and what else the facts depend on."""


def constant_facts(job: Job) -> Mapping[str, float]:
    """Return what predictions cost that know nothing of the inputs, which reports hold a trial's end against.

    Args:
        job: the trial.

    Returns:
        ``constant.train/loss`` and ``constant.valid/loss``: the loss that is trained on, of the outputs that are the
        best for all training samples alike, over each part; ``constant.valid/acc``: the largest share of a class in
        the validation part. Nothing of a loss that refuses such outputs. Trials of the same data and a loss of torch
        without weights share them.
    """
    loss, splits = job.loss, job.splits
    if not type(loss).__module__.startswith("torch.nn.") or any(True for _ in loss.buffers()):
        return _constant_facts(job)
    options = {name: value for name, value in vars(loss).items() if not name.startswith("_")}
    key = (type(loss), *sorted(options.items()), splits.task, splits.num_outputs)
    known = _known.setdefault(splits.train, WeakKeyDictionary()).setdefault(splits.valid, {})
    if key not in known:
        known[key] = _constant_facts(job)
    return known[key]


@torch.no_grad()
def _constant_facts(job: Job) -> Mapping[str, float]:
    train, valid = (labels(split.y.to(job.device)) for split in (job.splits.train, job.splits.valid))
    columns = {job.splits.num_outputs, 1} if job.splits.num_outputs == 2 else {job.splits.num_outputs}
    even = EVEN if job.splits.task == "classification" else (0.0,)
    outputs = [each for c in columns for e in even for each in constant_outputs(train, c, job.splits.task, e)]
    for c in columns:
        with suppress(Exception):  # of a user's loss, which may refuse as many outputs
            outputs += best_margins(job.loss, train, c)
    costs = [_mean_loss(job, each, train) for each in outputs]
    best = costs.index(min(costs))
    found = {"train/loss": costs[best], "valid/loss": _mean_loss(job, outputs[best], valid)}
    if job.splits.task == "classification":
        found["valid/acc"] = float(torch.bincount(valid).max()) / len(valid)
    return {f"constant.{name}": value for name, value in found.items() if math.isfinite(value)}


def _mean_loss(job: Job, outputs: Tensor, y: Tensor) -> float:
    """Return the loss of constant outputs over a part as reports give it; infinite where a user's loss refuses it."""
    losses = reported_losses(job.loss)
    loss = losses.get(WEIGHTED, losses["loss"])
    try:
        sums = [summed(loss, outputs.expand(len(chunk), -1), chunk) for chunk in torch.split(y, CHUNK)]
        mean = math.fsum(float(total) for total, _ in sums) / math.fsum(float(weight) for _, weight in sums)
    except Exception:
        return math.inf
    return mean if math.isfinite(mean) else math.inf


def divergence_limit(job: Job, groups: Groups | None = None) -> Limit:
    """Return the loss above which training has diverged: `Trainer.diverge_factor` times the larger of

    - the untrained model's mean loss over the first `BATCHES` batches of epoch 1, as training sees them;
    - the loss of a constant prediction, all outputs 0 or the best constant there is, on the hardest batch of epoch 1:
      that with the rarest classes, or with the targets farthest from their mean.

    A single batch would not do: with pretrained weights, a bias that knows the classes' shares, one sample per batch or
    a loss that looks away from what is easy, the first one may cost next to nothing and the second one is normal.

    A loss without margin, such as the perceptron's, has no limit: it grows and shrinks with the scale of the outputs,
    which nothing ties to the labels.

    Args:
        job: the trial, untrained; its weights, its buffers and its draws stay as they are.
        groups: how many samples go through its model at once.
    """
    if margin_of(job.loss) == 0:
        return Limit(0.0, "a constant prediction", job.trainer.diverge_factor)
    untrained, columns = _untrained(job, groups or Groups(job))
    constant = max((loss for loss in _constants(job, columns) if math.isfinite(loss)), default=0.0)
    of, reference = ("a constant prediction", constant) if constant > untrained else ("the untrained model", untrained)
    return Limit(reference if math.isfinite(reference) else 0.0, of, job.trainer.diverge_factor)


def _untrained(job: Job, groups: Groups) -> tuple[float, int]:
    """Return the mean loss over the first batches, and the number of outputs."""
    losses = []
    address_dropout(job.model, job.seed)
    with torch_state(job, 1), _same_buffers(job.model, job.loss):
        for step, (x, y) in enumerate(first_batches(job, BATCHES)):
            advance(job.model, step)
            outputs = groups.train(partial(outputs_of, job, x, len(y)))
            losses.append(job.loss(outputs, y))
    return float(torch.stack(losses).mean()), outputs.shape[-1]


@contextmanager
def _same_buffers(*modules: nn.Module) -> Iterator[None]:
    """Put back what a forward pass in training mode moves, such as the running statistics of normalization layers."""
    before = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, value in before:
            buffer.copy_(value)


@torch.no_grad()
def _constants(job: Job, columns: int) -> Iterator[float]:
    """Yield the losses of constant predictions on the hardest batches of epoch 1."""
    y = job.splits.train.y.to(job.device)
    zeros, *others = constant_outputs(labels(y), columns, job.splits.task)
    others += best_margins(job.loss, labels(y), columns)
    best = min(others, key=lambda outputs: _loss(job, outputs, y))
    for rows in _hardest_batches(job, y):
        yield from (_loss(job, outputs, y[rows]) for outputs in (zeros, best))


def _loss(job: Job, outputs: Tensor, y: Tensor) -> float:
    """Return the loss of constant outputs; infinite where a loss of the user's refuses what its model never gives."""
    y = labels(y)
    try:
        loss = float(job.loss(outputs.repeat(len(y), 1), y))
    except Exception:
        return math.inf
    return loss if math.isfinite(loss) else math.inf


def _hardest_batches(job: Job, y: Tensor) -> Iterator[Tensor]:
    """Yield the rows of the batches of epoch 1 that a constant prediction is farthest from."""
    order = epoch_order(job, 1)
    batch = torch.arange(len(order), device=job.device) // job.batching.size
    surprise = _surprise(job, y)[order]
    sums = surprise.new_zeros(job.steps_per_epoch).index_add(0, batch, surprise)
    for place in (sums / torch.bincount(batch)).topk(min(BATCHES, len(sums))).indices.tolist():
        yield order[place * job.batching.size : (place + 1) * job.batching.size]


def _surprise(job: Job, y: Tensor) -> Tensor:
    """Return [N] how far each target is from what a constant prediction expects."""
    if job.splits.task == "regression":
        return (y - y.mean(0)).square().sum(1)
    known = labels(y)
    surprise = -(torch.bincount(known).float() / len(known)).log()
    if not per_step(y):
        return surprise[y]
    mean: Tensor = torch.where(y >= 0, surprise[y.clamp(min=0)], 0).sum(1) / label_counts(y)
    return mean
