"""Short trainings that say whether a set-up can learn: with inputs against without, and a small sample by heart."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError
from hpsearch.base.leftovers import temporary_folder
from hpsearch.base.rng import seeded
from hpsearch.base.steps import UNKNOWN, label_counts, labelled, per_step
from hpsearch.base.types import Decision, Report
from hpsearch.data.part import Part, Split
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.base import Metric
from hpsearch.metrics.steps import of_steps
from hpsearch.nn.dropout import Dropout
from hpsearch.trial.batching import Batching
from hpsearch.trial.build import prepare
from hpsearch.trial.evaluate import evaluate
from hpsearch.trial.job import Job
from hpsearch.trial.loop import train
from hpsearch.trial.measure.checks import FEW, first_rows, plain
from hpsearch.trial.measure.probe import restored
from hpsearch.trial.reference import divergence_limit
from hpsearch.trial.updates import take_steps, trained_parameters

BLOCKS = 20
"""Equal shares of the validation rows; the spread of their differences gives the standard error."""
VALID_ROWS, LINEAR_ROWS, LINEAR_FEATURES = 2000, 5000, 512
RIDGE = 0.1
"""Of the linear fit, relative to the variance of a standardized feature."""
LOOK_EVERY = 10
"""Steps between two looks at whether the small sample is fitted."""
REPEATS = 10
"""Copies of the small sample in a pass, because a pass costs time of its own."""
ROSE = 1.1
"""Times its first value from which on a loss has risen."""
STILL, STILL_STEPS = 1e-3, 100
"""A run ends when its loss has moved by less than this share within so many steps: it stands still."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Training with inputs and with zeroed ones, at one rate.

    Attributes:
        rate: learning rate.
        real: mean validation loss with inputs; infinite where the run diverged.
        zeroed: the same without.
        errors: by how many standard errors the inputs help.
    """

    rate: float
    real: float
    zeroed: float
    errors: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """Whether the inputs say something of the targets.

    Attributes:
        runs: in the order tried; the last one is the first whose inputs help.
        passes: over the training split, of all runs together.
        linear_errors: by how many standard errors a linear fit of the targets beats their mean on validation rows.
    """

    runs: tuple[Compared, ...]
    passes: float
    linear_errors: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Training on a small sample at one rate.

    Attributes:
        rate: learning rate.
        losses: of each step, before its update.
        accuracy: share of the sample that is right at the end; nan for a regression.
        final: its loss at the end, in evaluation mode.
        fitted: whether the goal was reached.
        diverged: whether a loss was not finite or above `hpsearch.trial.reference.divergence_limit`.
    """

    rate: float
    losses: tuple[float, ...]
    accuracy: float
    final: float
    fitted: bool
    diverged: bool


@dataclass(frozen=True, slots=True)
class Overfit:
    """Whether a small sample can be learnt by heart.

    Attributes:
        runs: at the configured rate first, then at others until one fits.
        samples: in the sample.
        guess: its loss at the best constant output, of a regression; that of outputs 0, of a classification.
        gradients: root mean square of the gradient of each weight at the start, in the model's order.
        passes: over as many samples as the training split has, of all runs together.
    """

    runs: tuple[Fit, ...]
    samples: int
    guess: float
    gradients: Mapping[str, float]
    passes: float


def input_baseline(job: Job, factors: Sequence[float], steps: int, errors: float) -> Baseline:
    """Train with the inputs and with zeros in their place, and compare the validation losses.

    Args:
        job: the trial; left as it was.
        factors: on the configured learning rate, tried in this order until the inputs help.
        steps: updates of each run.
        errors: standard errors of the difference from which on the inputs help.

    Returns:
        What was compared. A linear fit is only made when no run helps: it tells inputs that say nothing from a model
        that has not learnt.
    """
    first_rows(job, FEW)
    runs: list[Compared] = []
    for factor in factors:
        rate = factor * rate_of(job)
        real, zeroed = _blocks(job, rate, steps, False), _blocks(job, rate, steps, True)
        runs.append(Compared(rate, float(real.mean()), float(zeroed.mean()), standard_errors(zeroed - real)))
        if runs[-1].errors >= errors:
            break
    passes = 2 * len(runs) * steps / job.steps_per_epoch
    return Baseline(tuple(runs), passes, math.nan if runs[-1].errors >= errors else _linear_errors(job))


def overfit_small(job: Job, samples: int, steps: int, factors: Sequence[float], goal: float) -> Overfit:
    """Train on a small sample until it is known by heart, without anything that regularizes.

    The sample is one batch; penalties, constraints, weight decay, dropout, mixing and augmentation are off. When the
    configured rate does not get there, others are tried, the nearest first; of two at the same distance the larger one,
    unless the loss rose.

    Args:
        job: the trial; what regularizes is taken out of it.
        samples: as evenly over the classes as there are.
        steps: updates at most, at each rate.
        factors: on the configured rate.
        goal: share of the guess's loss below which a regression is fitted; a classification must be right everywhere.

    Returns:
        The runs.

    Raises:
        ConfigError: the learning rate is 0.
    """
    rate = rate_of(job)
    if not rate:
        raise ConfigError("optimizer.lr = 0: nothing is trained")
    first_rows(job, FEW)
    small = _small(job, samples)
    guess = _guess(small)
    gradients = _gradients(small)
    runs = [_fit(small, rate, steps, goal * guess)]
    rose = runs[0].diverged or max(runs[0].losses) > ROSE * runs[0].losses[0]
    for factor in sorted(factors, key=lambda f: (round(2 * abs(math.log10(f))), (f > 1) == rose)):
        if runs[-1].fitted:
            break
        runs.append(_fit(small, factor * rate, steps, goal * guess))
    passes = sum(len(run.losses) for run in runs) * small.batching.size / len(job.splits.train)
    return Overfit(tuple(runs), small.batching.size, guess, gradients, passes)


def small_sample(job: Job, samples: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of the small sample that `overfit_small` trains on.

    Args:
        job: the trial.
        samples: as evenly over the classes as there are.
    """
    rows = _spread(job.splits.train.y[: len(job.splits.train)], samples, job.splits.task).to(job.device)
    ((x, y),) = job.splits.train.batches(rows, len(rows), job.seed)
    return x, y


def training_losses(config: Mapping[str, Any]) -> list[float]:
    """Train a trial without leaving anything behind.

    Args:
        config: a trial's resolved configuration.

    Returns:
        Its training loss by epoch, from epoch 1, up to where it diverged.
    """
    losses: list[float] = []
    with temporary_folder() as folder:
        job = prepare(config, folder=Path(folder))
        run = train(replace(job, trainer=replace(job.trainer, eval_every=1, eval_steps=None)))
        try:
            messages = next(run)
            while True:
                reports = [message for message in messages if isinstance(message, Report) and message.epoch]
                losses += [report.metrics["train/loss"] for report in reports]
                messages = run.send((Decision.CONTINUE,))
        except StopIteration:
            return losses


def rate_of(job: Job) -> float:
    """Return the configured learning rate."""
    return float(job.optimizer.defaults["lr"])


def standard_errors(differences: Tensor) -> float:
    """Return a mean difference over its standard error; 0 where it is not finite."""
    if not differences.isfinite().all():
        return 0.0
    mean, error = float(differences.mean()), float(differences.std() / math.sqrt(len(differences)))
    return mean / error if error else 0.0


def _blocks(job: Job, rate: float, steps: int, zeroed: bool) -> Tensor:
    """Train, and return the loss of each block of validation rows; infinite where training diverged."""
    hook = job.model.register_forward_pre_hook(lambda _, given: (_emptied(given[0]),)) if zeroed else None
    rows = _shuffled(job, len(job.splits.valid), VALID_ROWS)
    size = max(1, len(rows) // BLOCKS)
    try:
        with restored(job), torch.no_grad():
            with torch.enable_grad():
                losses = take_steps(job, [rate] * steps, lambda so_far: not math.isfinite(so_far[-1]))
            job.model.eval()
            if not math.isfinite(losses[-1]):
                return torch.full((BLOCKS,), math.inf, dtype=torch.float64)
            pairs = job.splits.valid.batches(rows[: size * BLOCKS], size)
            return torch.stack([job.loss(job.model(x), y) for x, y in pairs]).cpu().double()
    finally:
        if hook is not None:
            hook.remove()


def _emptied(x: Tensor) -> Tensor:
    """Return inputs that say nothing: zeros; of words only that there are some, each of them unknown."""
    return torch.zeros_like(x) if x.is_floating_point() else x.clamp(max=UNKNOWN)


def _shuffled(job: Job, size: int, most: int) -> Tensor:
    return torch.randperm(size, generator=seeded(torch.Generator(), job.seed, "baseline"))[:most].to(job.device)


def _linear_errors(job: Job) -> float:
    """Fit the targets by ridge regression on standardized inputs; compare squared errors with those of the mean."""
    train, valid = (
        _flat(job, part, most) for part, most in ((job.splits.train, LINEAR_ROWS), (job.splits.valid, VALID_ROWS))
    )
    (x, y, _), (x_valid, y_valid, of) = train, valid
    shift, scale = x.mean(0), x.std(0)
    scale = torch.where(scale > 0, scale, 1)
    x, x_valid = (x - shift) / scale, (x_valid - shift) / scale
    mean = y.mean(0)
    gram = x.T @ x + RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    weight = torch.linalg.solve(gram, x.T @ (y - mean))
    gained = (y_valid - mean).square().sum(1) - (y_valid - mean - x_valid @ weight).square().sum(1)
    return standard_errors(gained.new_zeros(int(of[-1]) + 1).index_add(0, of, gained))


def _flat(job: Job, part: Part, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return features and targets of samples, or of each word (which one it is), and which sample each is of."""
    rows = _shuffled(job, len(part), most)
    ((x, y),) = part.batches(rows, len(rows))
    x, y, of = x.flatten(1).cpu(), y.cpu(), torch.arange(len(rows))
    if per_step(y):
        of = of.repeat_interleave(label_counts(y))
        x, y = labelled(x, y)
        x = (
            _projection(job.splits.vocabulary)[x]
            if job.splits.vocabulary > LINEAR_FEATURES
            else nn.functional.one_hot(x, job.splits.vocabulary)
        )
    x = x.double()
    if x.shape[1] > LINEAR_FEATURES:
        x = x @ _projection(x.shape[1])
    if job.splits.task == "classification":
        y = nn.functional.one_hot(y, job.splits.num_outputs)
    return x, y.double(), of


def _projection(features: int) -> Tensor:
    draws = seeded(torch.Generator(), 0, "projection")
    return torch.randn(features, LINEAR_FEATURES, dtype=torch.float64, generator=draws)


def _small(job: Job, samples: int) -> Job:
    """Return the trial on a small sample in one batch, which is also its validation split, without regularization."""
    x, y = small_sample(job, samples)
    for module in job.model.modules():
        _without_dropout(module)
    for group in job.optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = 0.0
    copies = Split(x.repeat(REPEATS, *[1] * (x.ndim - 1)), y.repeat(REPEATS, *[1] * (y.ndim - 1)))
    splits = replace(job.splits, train=copies, valid=Split(x, y))
    return replace(plain(job), splits=splits, batching=Batching(len(x), len(x)), shuffle=False, sampling=None)


def _without_dropout(module: nn.Module) -> None:
    if isinstance(module, Dropout):
        module.active = False
    elif isinstance(module, nn.modules.dropout._DropoutNd):
        module.p = 0.0
    elif isinstance(getattr(module, "dropout", None), float):
        module.dropout = 0.0  # type: ignore[assignment]  # of torch's recurrent and attention layers


def _spread(y: Tensor, samples: int, task: str) -> Tensor:
    """Return row numbers: of classes of samples the first of every class, then the second, and so on."""
    if task != "classification" or per_step(y):
        return torch.arange(min(samples, len(y)))
    y = y.cpu()
    places = torch.zeros_like(y)
    for label in torch.unique(y):
        mine = y == label
        places[mine] = torch.arange(int(mine.sum()))
    return torch.argsort(places, stable=True)[:samples]


def _guess(job: Job) -> float:
    ((x, y),) = job.splits.valid.in_order(job.batching.size)
    with torch.no_grad():
        job.model.eval()
        outputs = torch.zeros_like(job.model(x))
        return float(job.loss(outputs + y.mean(0) if job.splits.task == "regression" else outputs, y))


def _gradients(job: Job) -> dict[str, float]:
    """Return the root mean square of the gradient of each weight, without an update."""
    with restored(job):
        take_steps(job, [0.0], lambda _: True)
    weights = [(name, p) for name, p in trained_parameters(job) if p.ndim > 1]
    return {name: float(p.grad.square().mean().sqrt()) for name, p in weights if p.grad is not None}


def _fit(job: Job, rate: float, steps: int, goal: float) -> Fit:
    """Train at a rate until the sample is fitted."""
    looked: dict[str, float] = {}
    fitted, limit = _fitted(job, goal), divergence_limit(job)

    def stop(losses: Sequence[float]) -> bool:
        if limit.broken_by(losses[-1]) or _stands(losses):
            return True
        return len(losses) % LOOK_EVERY == 0 and fitted(looked)

    with restored(job):
        losses = take_steps(job, [rate] * steps, stop)
        done = fitted(looked)
    diverged = bool(limit.broken_by(losses[-1])) or not math.isfinite(looked["loss"])
    return Fit(rate, tuple(losses), looked.get("acc", math.nan), looked["loss"], done, diverged)


def _stands(losses: Sequence[float]) -> bool:
    recent = losses[-STILL_STEPS:]
    return len(losses) > STILL_STEPS and max(recent) - min(recent) < STILL * abs(recent[0])


def _fitted(job: Job, goal: float) -> Callable[[dict[str, float]], bool]:
    acc: Metric = of_steps(Accuracy()) if job.splits.vocabulary else Accuracy()
    metrics = {"acc": acc} if job.splits.task == "classification" else {}
    look = partial(evaluate, job.model, job.model, job.loss, job.splits.valid, job.batching.size, metrics)

    def fitted(looked: dict[str, float]) -> bool:
        looked.update(look())
        return looked["acc"] == 1 if metrics else looked["loss"] < goal

    return fitted
