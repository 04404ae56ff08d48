"""The plain training loop: one trial, `torch.optim`, any `nn.Module`; what every faster loop is measured against."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer

from hpsearch import metrics
from hpsearch.base import rng
from hpsearch.base.errors import ConfigError
from hpsearch.base.outcome import state_after
from hpsearch.base.types import Decision, Message, Report, Started, TrialResult, TrialRun, TrialState
from hpsearch.data.base import Part
from hpsearch.data.views import averaged
from hpsearch.losses import check_fit
from hpsearch.nn.dropout import Dropout, address_dropout, advance
from hpsearch.trial import checkpoint
from hpsearch.trial.checkpoint import Best, Progress
from hpsearch.trial.evaluate import evaluate
from hpsearch.trial.job import Job, Trainer
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.watch import Diverged, EpochLog, measured, measured_steps

__all__ = ["LOGGED_STEPS", "Job", "Trainer", "rehearse", "take_steps", "train"]

LOGGED_STEPS = 100
"""Thinned losses kept per epoch unless `Trainer.log_every` says otherwise."""


def train(job: Job) -> TrialRun:
    """Train one trial, from its checkpoint if it has one.

    The metrics of a report are means over the epoch or, for ``valid/``, over the split:

    - ``train/loss``, ``train/acc``, ...: running over the epoch's batches, each before its update, without penalties;
      ``train/penalty``: the sum of the regularizers' penalties, where there are any;
    - ``valid/loss``, ``valid/acc``, ...: after the epoch's last update;
    - ``lr``: learning rate of the last update;
    - ``grad_norm``: |g|₂ over all parameters, before clipping; ``update_ratio``: |Δw|₂ / |w|₂ of an update. Both are
      means over a few (`MEASURED_STEPS`) evenly spaced steps of the epoch;
    - ``epoch_sec``, ``samples_per_sec``: of the training alone, without evaluations;
    - ``gpu_memory_mib``: the most that tensors took of the GPU so far in this process;
    - ``test/loss``, ``test/acc``, ...: in the last report when `Trainer.test` is set, of the best weights when the
      objective reduces a curve to its best value, else of the last weights.

    A report's `steps` hold (step, loss of its batch) of every n-th step, from the first.

    Args:
        job: the trial.

    Yields:
        Started, every report that the checkpoint holds, then a report after each epoch.

    Returns:
        COMPLETE after the last epoch, early stopping's too, whatever the decision on it; PRUNED on STOP; PAUSED, with
        a checkpoint, on PAUSE; INFEASIBLE when a step's loss is not finite or above `Trainer.diverge_factor` times the
        first step's, or when the validation loss is not finite after an epoch.
    """
    progress = checkpoint.restore_last(job.folder, job.key, job.model, job.optimizer) or Progress()
    layers = LayerWatch(
        job.model, job.folder, job.epochs, progress.epoch, job.trainer.watch_layers, not job.trainer.compile
    )
    saved = time.monotonic()
    try:
        for message in _messages(job, progress, layers):
            (decision,) = yield (message,)
            if _over(job, progress.epoch, progress.reports):
                continue
            ended = state_after(decision, progress.epoch or 0)
            if ended and decision is Decision.STOP:
                return (_end(job, progress, layers, *ended),)
            if ended or time.monotonic() - saved >= job.trainer.checkpoint_sec:
                layers.write()
                checkpoint.save_last(job.folder, job.key, job.model, job.optimizer, progress)
                saved = time.monotonic()
            if ended:
                return (TrialResult(*ended, artifacts=(checkpoint.LAST,), time=time.time()),)
    except Diverged as diverged:
        facts = {"diverged_step": diverged.step, "first_loss": diverged.first_loss}
        return (_end(job, progress, layers, TrialState.INFEASIBLE, str(diverged), facts),)
    last = progress.epoch or 0
    early = {"stopped_epoch": last} if last < job.epochs else None
    return (_end(job, progress, layers, TrialState.COMPLETE, facts=early),)


def rehearse(job: Job) -> float:
    """Run the forward and backward pass of the first step, without its update; refuse what does not fit together.

    A batch of one sample at the end of an epoch is tried too: batch normalization has no variance then.

    Args:
        job: the trial; its weights stay, its gradients and the statistics of normalization layers do not.

    Returns:
        The loss, without penalties.
    """
    with _torch_state(job, 1):
        rows = _order(job, 1)[: job.batch_size]
        _training_mode(job)
        named = _trained(job)
        if len(job.splits.train) % job.batch_size == int(job.batch_size > 1):
            _check_one(job, rows[:1])
        ((x, y),) = _batches(job, rows, 1)
        with torch.no_grad():
            outputs = _forward(job, x)
            check_fit(job.loss, outputs, y, job.splits.task, job.splits.num_outputs)
            if not named:
                return float(job.loss(outputs, y))
        _, loss, _ = _backward(job, named, *_mixed(job, x, y, 0))
        return loss.item()


def _check_one(job: Job, row: Tensor) -> None:
    """Refuse a model that cannot be trained on the single sample that a batch of each epoch has."""
    ((x, _),) = _batches(job, row, 1)
    try:
        with torch.no_grad():
            _forward(job, x)
    except ValueError as error:
        rows = f"{len(job.splits.train)} samples, so a batch has 1"
        raise ConfigError(f"data.batch_size = {job.batch_size}: training has {rows}; model: {error}") from error


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
    named = _trained(job)
    if not named:
        raise ConfigError("model: no parameter is trained")
    trained = [parameter for _, parameter in named]
    losses: list[float] = []
    _prepare(job)
    for epoch in range(1, math.ceil(len(rates) / job.steps_per_epoch) + 1):
        done = (epoch - 1) * job.steps_per_epoch
        rows = [(rate, None) for rate in rates[done : done + job.steps_per_epoch]]
        with _torch_state(job, epoch):
            for _, _, loss, _ in _steps(job, epoch, done, rows, lambda _: _update(job, named, trained)):
                losses.append(loss.item())
                if stop(losses):
                    return losses
    return losses


def _messages(job: Job, progress: Progress, layers: LayerWatch) -> Iterator[Message]:
    _prepare(job)
    yield Started(progress.epoch, job.facts, time.time())
    yield from tuple(progress.reports)
    if progress.epoch is None:
        progress.epoch = 0
        if job.trainer.eval_initial or not job.epochs:
            with _torch_state(job, 0):
                values = _evaluate(job, job.splits.valid, "valid")
                if job.splits.test is not None and not job.epochs:
                    values |= _evaluate(job, job.splits.test, "test")
            report = Report(0, 0, values, time=time.time())
            progress.reports.append(report)
            yield report
    for epoch in range(progress.epoch + 1, job.epochs + 1):
        if _over(job, progress.epoch, progress.reports):
            return
        with _torch_state(job, epoch):
            report = _run_epoch(job, progress, layers, epoch)
        progress.reports.append(report)
        progress.epoch = epoch
        yield report


def _prepare(job: Job) -> None:
    address_dropout(job.model, job.seed)
    if job.trainer.channels_last:
        job.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not among the types of torch
    if job.trainer.compile:
        job.model.compile()
    if job.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(job.device)


@contextmanager
def _torch_state(job: Job, epoch: int) -> Iterator[None]:
    """Give layers that draw from torch's global generators an address too, and leave no trace of it."""
    cuda = job.device.type == "cuda"
    before = torch.are_deterministic_algorithms_enabled()
    if job.trainer.deterministic and cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    torch.use_deterministic_algorithms(job.trainer.deterministic or before)
    try:
        with torch.random.fork_rng([job.device] if cuda else []):
            seed = rng.address(job.seed, "torch", epoch)
            torch.default_generator.manual_seed(seed)  # torch.manual_seed takes milliseconds where CUDA is not in use
            if cuda:
                torch.cuda.manual_seed(seed)
            yield
    finally:
        torch.use_deterministic_algorithms(before)


def _run_epoch(job: Job, progress: Progress, layers: LayerWatch, epoch: int) -> Report:
    started = time.perf_counter()
    values, steps = _train_epoch(job, progress, layers, epoch)
    seconds = time.perf_counter() - started
    done = min(epoch * job.steps_per_epoch, job.steps)
    share = (done - (epoch - 1) * job.steps_per_epoch) / job.steps_per_epoch
    values |= {"epoch_sec": seconds, "samples_per_sec": share * len(job.splits.train) / seconds}
    with layers.outputs():
        values |= _evaluate(job, job.splits.valid, "valid")
    if not math.isfinite(values["valid/loss"]):
        raise Diverged(done, f"validation loss {values['valid/loss']} after it", progress.first_loss or math.nan)
    progress.best = _better(job, progress.best, values, epoch)
    report = Report(epoch, done, values, steps, time.time())
    if _over(job, epoch, [*progress.reports, report]):
        restored = job.early_stopping is not None and job.early_stopping.restore_best
        if (job.objective.reduce == "best" or restored) and progress.best is not None:
            job.model.load_state_dict(progress.best.weights)
        if job.splits.test is not None:
            values |= _evaluate(job, job.splits.test, "test")
    if job.device.type == "cuda":
        values["gpu_memory_mib"] = torch.cuda.max_memory_allocated(job.device) / 2**20
    return replace(report, metrics=values, time=time.time())


def _over(job: Job, epoch: int | None, reports: Sequence[Report]) -> bool:
    """Whether this epoch is the last, which its number or early stopping says."""
    if epoch == job.epochs or job.early_stopping is None:
        return epoch == job.epochs
    metric, maximize = metrics.followed(job.early_stopping.metric, job.objective)
    return job.early_stopping.stops(_curve(reports, metric), maximize)


def _train_epoch(
    job: Job, progress: Progress, layers: LayerWatch, epoch: int
) -> tuple[dict[str, float], tuple[tuple[int, float], ...]]:
    """Train one epoch; return its metrics and its thinned losses."""
    task, done = job.splits.task, (epoch - 1) * job.steps_per_epoch
    steps = min(job.steps_per_epoch, job.steps - done)
    named = _trained(job)
    trained = [parameter for _, parameter in named]
    plain_update = partial(_update, job, named, trained)
    asked = metrics.wholes(task, job.trainer.metrics)
    log = EpochLog(task, done, progress.first_loss, job.trainer.diverge_factor, job.device, asked)
    norms, penalties = torch.zeros(3, device=job.device), torch.zeros((), device=job.device)
    measure, place = measured_steps(steps), layers.place(epoch, steps)
    rates = _rates(job, progress.reports, done)

    def update(index: int) -> None:
        one = partial(layers.measure, plain_update) if index == place else plain_update
        if index in measure:
            norms.add_(measured(one, trained))
        else:
            one()

    for index, (y, outputs, loss, penalty) in enumerate(_steps(job, epoch, done, rates, update)):
        if index == place:
            layers.keep(epoch, done + index + 1, loss)
        if penalty is not None:
            penalties += penalty
        log.add(loss, outputs, y)
    log.read()
    progress.first_loss = log.first_loss
    gradient, change, weight = norms.tolist()
    values = {f"train/{name}": value for name, value in log.means().items()}
    if job.regularizers:
        values["train/penalty"] = penalties.item() / steps
    values |= {"lr": rates[-1][0], "grad_norm": gradient / len(measure)}
    values |= {"update_ratio": change / weight if weight else math.nan}
    return values, log.thinned(job.trainer.log_every or math.ceil(steps / LOGGED_STEPS))


def _trained(job: Job) -> list[tuple[str, Tensor]]:
    return [(name, parameter) for name, parameter in job.model.named_parameters() if parameter.requires_grad]


def _steps(
    job: Job, epoch: int, done: int, rates: Sequence[tuple[float, float | None]], update: Callable[[int], None]
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """Take an epoch's steps, `done` before it, at (rate, momentum) each; yield targets, outputs, loss and penalty."""
    named = _trained(job)
    drops = any(isinstance(module, Dropout) and module.active for module in job.model.modules())
    _training_mode(job)
    for index, (rate, (x, y)) in enumerate(zip(rates, _batches(job, _order(job, epoch), epoch), strict=False)):
        _set_rates(job.optimizer, *rate)
        if drops:
            advance(job.model, done + index)
        outputs, loss, penalty = _backward(job, named, *_mixed(job, x, y, done + index))
        update(index)
        yield y, outputs, loss, penalty


def _training_mode(job: Job) -> None:
    job.model.train()
    for module in job.frozen:
        module.eval()


def _batches(job: Job, order: Tensor, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Go through rows of the training split in batches, as the epoch sees them."""
    batches = job.splits.train.batches(order, job.batch_size, job.seed, epoch)
    for rows, (x, y) in zip(torch.split(order, job.batch_size), batches, strict=True):
        yield (x if job.augment is None else job.augment(x, rows, epoch)), y


def _order(job: Job, epoch: int) -> Tensor:
    size = len(job.splits.train)
    if not job.shuffle:
        return torch.arange(size, device=job.device)
    return torch.randperm(size, generator=rng.generator(job.seed, "order", epoch)).to(job.device)


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


def _set_rates(optimizer: Optimizer, lr: float, momentum: float | None) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("rate_factor", 1.0)
        if momentum is not None and "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        elif momentum is not None:
            group["momentum"] = momentum


def _mixed(job: Job, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor]:
    return (x, y) if job.mixing is None else job.mixing.mix(x, y, job.splits.num_outputs, job.seed, step)


def _backward(
    job: Job, named: Sequence[tuple[str, Tensor]], x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Put the gradient of the penalized loss into the parameters; return outputs [B, C], bare loss, penalty if any."""
    for _, parameter in named:
        parameter.grad = None
    outputs = _forward(job, x)
    loss = total = job.loss(outputs, y)
    penalty = None
    for regularizer in job.regularizers.values():
        each = regularizer.penalty(named)
        total = total + each
        penalty = each.detach() if penalty is None else penalty + each.detach()
    total.backward()
    return outputs.detach(), loss.detach(), penalty


def _forward(job: Job, x: Tensor) -> Tensor:
    if job.trainer.precision == "float32":
        outputs: Tensor = job.model(x)
        return outputs
    with torch.autocast(job.device.type, torch.bfloat16):
        outputs = job.model(x)
    return outputs.float()


def _update(job: Job, named: Sequence[tuple[str, Tensor]], parameters: Sequence[Tensor]) -> None:
    if job.trainer.clip_norm is not None:
        clip_grad_norm_(parameters, job.trainer.clip_norm)
    if job.trainer.clip_value is not None:
        clip_grad_value_(parameters, job.trainer.clip_value)
    job.optimizer.step()
    for constraint in job.constraints:
        constraint.apply_(named)


def _evaluate(job: Job, split: Part, part: str) -> dict[str, float]:
    forward = averaged(partial(_forward, job), job.trainer.eval_views, job.splits.task)
    asked = metrics.wholes(job.splits.task, job.trainer.metrics)
    values = evaluate(job.model, forward, job.loss, split, job.trainer.eval_batch_size, job.splits.task, asked)
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
    checkpoint.remove_last(job.folder)
    return TrialResult(state, reason, facts=found, artifacts=artifacts, time=time.time())
