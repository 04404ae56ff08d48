"""The plain training loop: one trial, `torch.optim`, any `nn.Module`; what every faster loop is measured against."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import torch

from hpsearch.base.errors import ConfigError
from hpsearch.base.outcome import state_after
from hpsearch.base.types import Decision, Message, Report, Started, TrialResult, TrialRun, TrialState
from hpsearch.data.base import Part
from hpsearch.data.views import averaged
from hpsearch.metrics.reported import followed
from hpsearch.optim.compiler import postpone_compiler
from hpsearch.trial import checkpoint
from hpsearch.trial.averaging import Average
from hpsearch.trial.checkpoint import Best, Progress
from hpsearch.trial.evaluate import evaluate
from hpsearch.trial.groups import Groups
from hpsearch.trial.job import Job, Trainer
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.reading import CONTINUABLE, end_of
from hpsearch.trial.reference import divergence_limit
from hpsearch.trial.updates import (
    epoch_steps,
    forward_pass,
    prepare_model,
    torch_state,
    trained_parameters,
    update_weights,
)
from hpsearch.trial.watch import Diverged, EpochLog, measured, measured_steps

postpone_compiler()

__all__ = ["LOGGED_STEPS", "Job", "Trainer", "train"]

LOGGED_STEPS = 100
"""Thinned losses kept per epoch unless `Trainer.log_every` says otherwise."""


def train(job: Job) -> TrialRun:
    """Train one trial, from its checkpoint if it has one.

    The metrics of a report are means over the epoch or, for ``valid/``, over the split:

    - ``train/loss``, ``train/acc``, ...: running over the epoch's batches, each before its update;
      ``train/penalty``: the sum of the regularizers' penalties, where there are any;
    - ``valid/loss``, ``valid/acc``, ...: after the epoch's last update. A loss is the plain one, without weights, label
      smoothing, focus and penalties, so that trials that differ in these can be compared;
    - ``train/weighted_loss``, ``valid/weighted_loss``, ...: the loss that is trained on, where it is not the plain one;
    - ``lr``: learning rate of the last update;
    - ``grad_norm``: |g|₂ over all parameters, before clipping; ``update_ratio``: |Δw|₂ / |w|₂ of an update. Both are
      means over a few (`MEASURED_STEPS`) evenly spaced steps of the epoch;
    - ``epoch_sec``, ``samples_per_sec``: of the training alone, without evaluations;
    - ``gpu_memory_mib``: the most that tensors took of the GPU so far in this process;
    - ``test/loss``, ``test/acc``, ...: in the last report when `Trainer.test` is set, of the best weights when the
      objective reduces a curve to its best value, else of the last weights.

    The best weights, kept in ``best.safetensors``, are those after the epoch with the best value of the objective's
    metric; of epochs with equal values the first counts.

    Where weights are averaged (`Job.averaging`), what is evaluated, best and tested is the average, once there is one;
    ``train/`` is of the weights that are trained, with which a checkpoint goes on.

    A report's `steps` hold (step, loss of its batch) of every n-th step, from the first.

    Args:
        job: the trial.

    Yields:
        Started, every report that the checkpoint holds, then a report after each epoch.

    Returns:
        COMPLETE after the last epoch, early stopping's too, whatever the decision on it; PRUNED on STOP; PAUSED, with
        a checkpoint, on PAUSE; INFEASIBLE when a step's loss is not finite or beyond
        `hpsearch.trial.reference.divergence_limit`, or when the validation loss is not finite after an epoch.
    """
    progress = checkpoint.restore_last(job.folder, job.key, job.read, job.model, job.optimizer) or begun(job)
    groups = Groups(job, progress.micro)
    average = Average(job, groups, progress.average)
    progress.average = average.kept
    layers = LayerWatch(
        job.model, job.folder, job.epochs, progress.epoch, job.trainer.watch_layers, not job.trainer.compile
    )
    saved = time.monotonic()
    try:
        for message in _messages(job, groups, progress, layers, average):
            (decision,) = yield (message,)
            if _over(job, progress.epoch, progress.reports):
                continue
            ended = state_after(decision, progress.epoch or 0)
            if ended and decision is Decision.STOP:
                return (_end(job, progress, layers, *ended, groups.facts),)
            if ended or time.monotonic() - saved >= job.trainer.checkpoint_sec:
                layers.write()
                checkpoint.save_last(job.folder, job.key, job.read, job.model, job.optimizer, progress)
                saved = time.monotonic()
            if ended:
                return (TrialResult(*ended, artifacts=(checkpoint.LAST,), time=time.time()),)
    except Diverged as diverged:
        facts: dict[str, float] = {"diverged_step": diverged.step, **groups.facts}
        if progress.limit is not None:
            facts["reference_loss"] = progress.limit.reference
        return (_end(job, progress, layers, TrialState.INFEASIBLE, str(diverged), facts),)
    last = progress.epoch or 0
    early = {"stopped_epoch": last} if last < job.epochs else {}
    return (_end(job, progress, layers, TrialState.COMPLETE, facts={**early, **groups.facts}),)


def begun(job: Job) -> Progress:
    """Return where a trial begins: at the start, or at the last state of the trial that it continues.

    Args:
        job: the trial; its model and its optimizer take that state.

    Returns:
        The progress, with the reports of that trial.

    Raises:
        ConfigError: nothing would be trained.
    """
    if job.trainer.continued is None:
        return Progress()
    progress = checkpoint.take_over(end_of(job.trainer.continued), job.model, job.optimizer)
    done = progress.epoch or 0
    if done >= job.epochs:
        raise ConfigError(
            f"trainer.epochs: {job.trainer.continued} has trained {done} epochs already, and {job.epochs} are asked for"
        )
    if _over(job, done, progress.reports):
        raise ConfigError(f"{job.trainer.continued} was stopped early after epoch {done}: leave early_stopping out")
    return progress


def _messages(job: Job, groups: Groups, progress: Progress, layers: LayerWatch, average: Average) -> Iterator[Message]:
    prepare_model(job)
    yield Started(progress.epoch, job.facts, time.time())
    yield from tuple(progress.reports)
    if progress.epoch is None:
        progress.epoch = 0
        if job.trainer.eval_initial or not job.epochs:
            with torch_state(job, 0):
                values = _evaluate(job, groups, job.splits.valid, "valid")
                if job.splits.test is not None and not job.epochs:
                    values |= _evaluate(job, groups, job.splits.test, "test")
            report = Report(0, 0, values, time=time.time())
            progress.reports.append(report)
            yield report
    for epoch in range(progress.epoch + 1, job.epochs + 1):
        if _over(job, progress.epoch, progress.reports):
            return
        with torch_state(job, epoch):
            report = _run_epoch(job, groups, progress, layers, average, epoch)
        progress.reports.append(report)
        progress.epoch = epoch
        yield report


def _run_epoch(
    job: Job, groups: Groups, progress: Progress, layers: LayerWatch, average: Average, epoch: int
) -> Report:
    started = time.perf_counter()
    values, steps = _train_epoch(job, groups, progress, layers, average, epoch)
    seconds = time.perf_counter() - started
    done = min(epoch * job.steps_per_epoch, job.steps)
    share = (done - (epoch - 1) * job.steps_per_epoch) / job.steps_per_epoch
    values |= {"epoch_sec": seconds, "samples_per_sec": share * job.batching.rows / seconds}
    with average.shown(epoch):
        with layers.outputs():
            values |= _evaluate(job, groups, job.splits.valid, "valid")
        if not math.isfinite(values["valid/loss"]):
            raise Diverged(done, f"validation loss {values['valid/loss']} after it")
        progress.best = _better(job, progress.best, values, epoch)
    report = Report(epoch, done, values, steps, time.time())
    if _over(job, epoch, [*progress.reports, report]):
        restored = job.early_stopping is not None and job.early_stopping.restore_best
        best = progress.best if job.objective.reduce == "best" or restored else None
        if best is not None:
            progress.weights = checkpoint.copy_weights(job.model)
            job.model.load_state_dict(best.weights)
        if job.splits.test is not None:
            with nullcontext() if best is not None else average.shown(epoch):
                values |= _evaluate(job, groups, job.splits.test, "test")
    if job.device.type == "cuda":
        values["gpu_memory_mib"] = torch.cuda.max_memory_allocated(job.device) / 2**20
    return replace(report, metrics=values, time=time.time())


def _over(job: Job, epoch: int | None, reports: Sequence[Report]) -> bool:
    """Whether this epoch is the last, which its number or early stopping says."""
    if epoch == job.epochs or job.early_stopping is None:
        return epoch == job.epochs
    metric, maximize = followed(job.early_stopping.metric, job.objective, job.metrics)
    return job.early_stopping.stops(_curve(reports, metric), maximize)


def _train_epoch(
    job: Job, groups: Groups, progress: Progress, layers: LayerWatch, average: Average, epoch: int
) -> tuple[dict[str, float], tuple[tuple[int, float], ...]]:
    """Train one epoch; return its metrics and its thinned losses."""
    done = (epoch - 1) * job.steps_per_epoch
    steps = min(job.steps_per_epoch, job.steps - done)
    named = trained_parameters(job)
    trained = [parameter for _, parameter in named]
    plain_update = partial(update_weights, job, named, trained)
    progress.limit = progress.limit or divergence_limit(job, groups)
    log = EpochLog(job.metrics, done, progress.limit, job.device)
    norms, penalties = torch.zeros(3, device=job.device), torch.zeros((), device=job.device)
    measure, place = measured_steps(steps), layers.place(epoch, steps)
    rates = _rates(job, progress.reports, done)

    def update(index: int) -> None:
        one = partial(layers.measure, plain_update) if index == place else plain_update
        if index in measure:
            norms.add_(measured(one, trained))
        else:
            one()
        average.update(done + index + 1)

    for index, step in enumerate(epoch_steps(job, groups, epoch, done, rates, update)):
        if index == place:
            layers.keep(epoch, done + index + 1, step.loss)
        if step.penalty is not None:
            penalties += step.penalty
        log.add(step)
    log.read()
    progress.micro = groups.training
    gradient, change, weight = norms.tolist()
    values = {f"train/{name}": value for name, value in log.means().items()}
    if job.regularizers:
        values["train/penalty"] = penalties.item() / steps
    values |= {"lr": rates[-1][0], "grad_norm": gradient / len(measure)}
    values |= {"update_ratio": change / weight if weight else math.nan}
    return values, log.thinned(job.trainer.log_every or math.ceil(steps / LOGGED_STEPS))


def _rates(job: Job, reports: Sequence[Report], done: int) -> list[tuple[float, float | None]]:
    """Return (learning rate, momentum) of every step of an epoch, `done` steps after the start."""
    rows = slice(done, done + job.steps_per_epoch)
    factor = 1.0 if job.plateau is None else job.plateau.factor(_curve(reports, job.plateau.metric))
    lr = (job.table.lr[rows] * factor).tolist()
    momentum = job.table.momentum
    return list(zip(lr, [None] * len(lr) if momentum is None else momentum[rows].tolist(), strict=True))


def _curve(reports: Sequence[Report], metric: str) -> list[float]:
    """Return a metric after each epoch so far; reports are in the checkpoint, so that a resumed trial has the same."""
    return [report.metrics[metric] for report in reports if report.epoch > 0]


def _evaluate(job: Job, groups: Groups, split: Part, part: str) -> dict[str, float]:
    forward = averaged(partial(forward_pass, job), job.trainer.eval_views, job.splits.task)
    values = groups.evaluate(lambda size: evaluate(job.model, forward, job.loss, split, size, job.metrics))
    return {f"{part}/{name}": value for name, value in values.items()}


def _better(job: Job, best: Best | None, values: Mapping[str, float], epoch: int) -> Best | None:
    score = values.get(job.objective.metric, math.nan)
    if math.isnan(score) or (best is not None and not job.objective.better(score, best.score)):
        return best
    return Best(score, epoch, checkpoint.copy_weights(job.model))


def _end(
    job: Job,
    progress: Progress,
    layers: LayerWatch,
    state: TrialState,
    reason: str = "",
    facts: Mapping[str, int | float] | None = None,
) -> TrialResult:
    layers.write()
    found: dict[str, str | int | float] = dict(facts or {})
    artifacts = (*job.artifacts, *layers.files)
    if progress.best is not None:
        found |= {"best_epoch": progress.best.epoch, "best_score": progress.best.score}
        artifacts = (*artifacts, checkpoint.save_best(job.folder, progress.best, job.key))
    if (
        state in CONTINUABLE
        and checkpoint.size_mib(job.model, job.optimizer, progress.average) <= job.trainer.keep_end_mib
    ):
        checkpoint.keep_end(job.folder, job.key, job.read, job.model, job.optimizer, progress)
    checkpoint.remove_last(job.folder)
    return TrialResult(state, reason, facts=found, artifacts=artifacts, time=time.time())
