"""The plain training loop: one trial, `torch.optim`, any `nn.Module`; what every faster loop is measured against."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from hpsearch.base.clock import time_of_day
from hpsearch.base.epochs import last_by_epoch
from hpsearch.base.errors import ConfigError
from hpsearch.base.outcome import NOT_COMPARED, state_after
from hpsearch.base.types import (
    Decision,
    Message,
    Report,
    Started,
    TrialResult,
    TrialState,
    Wait,
    WaitingRun,
)
from hpsearch.base.widths import facts_of_widths
from hpsearch.metrics.reported import followed
from hpsearch.optim.compiler import postpone_compiler
from hpsearch.trial import checkpoint
from hpsearch.trial.accelerator import accelerator
from hpsearch.trial.averaging import Average
from hpsearch.trial.checkpoint import Best, Progress
from hpsearch.trial.defined import undefined_scores
from hpsearch.trial.engine import Alone, Engine
from hpsearch.trial.epoch import LOGGED_STEPS, Epoch
from hpsearch.trial.fit import save_fit
from hpsearch.trial.job import Job, Trainer
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.limits import EACH
from hpsearch.trial.reading import CONTINUABLE, end_of
from hpsearch.trial.reference import constant_facts
from hpsearch.trial.samples import forget_samples, save_samples
from hpsearch.trial.updates import prepare_model, torch_state
from hpsearch.trial.watch import Diverged

postpone_compiler()

__all__ = ["LOGGED_STEPS", "Job", "Trainer", "train"]


def train(job: Job, engine_of: Callable[[Job, Progress, LayerWatch], Engine] = Alone) -> WaitingRun:
    """Train one trial, from its checkpoint if it has one.

    The trial is evaluated after the updates that `hpsearch.trial.evaluations.evaluation_steps` names, by default the
    last of every epoch. The metrics of a report are means over the present epoch up to there, whenever the report
    before it was, or, for ``valid/``, over the split; so they are the same at the end of an epoch however often is
    evaluated, and so is what is trained:

    - ``train/loss``, ``train/acc``, ...: running over the epoch's batches, each before its update;
      ``train/penalty``: the sum of the regularizers' penalties, where there are any;
    - ``valid/loss``, ``valid/acc``, ...: after the report's update. A loss is the plain one, without weights, label
      smoothing, focus and penalties, so that trials that differ in these can be compared;
    - ``train/weighted_loss``, ``valid/weighted_loss``, ...: the loss that is trained on, where it is not the plain one;
    - ``lr``: learning rate of the last update;
    - ``grad_norm``: |g|₂ over all parameters, before clipping; ``update_ratio``: |Δw|₂ / |w|₂ of an update. Both are
      means over a few (`MEASURED_STEPS`) evenly spaced steps of the epoch, as far as they come before the report;
    - ``epoch_sec``, ``samples_per_sec``: of the training of the epoch up to there, without evaluations; of a trial that
      is trained as one program with others, its share of their time;
    - ``gpu_memory_mib``: the most that tensors took of the GPU so far in this process;
    - ``test/loss``, ``test/acc``, ...: in the last report when `Trainer.test` is set, of the best weights when the
      objective reduces a curve to its best value or early stopping restores them, else of the last weights;
      ``train_eval/loss``, ``train_eval/acc``, ...: of the training part in evaluation mode, when `Trainer.eval_train`
      is set, of the same weights; where it is ``each``, in every report, of that report's weights.

    Where an objective is the mean of evaluations at the end (`Objective.reduce`), the trial is evaluated after the
    updates that `hpsearch.trial.evaluations.end_steps` names as well. These evaluations are in `Report.end` of the last
    report, each with ``valid/`` and, where they are asked for, ``test/`` and ``train_eval/``; no pruner, schedule or
    early stopping sees them, and no best weights are taken from them. Early stopping ends a trial where nobody foresaw
    it: then `Report.end` holds the evaluation whose weights it restores, the one before it and the one after it, as far
    as there are such, the other parts measured at the restored one alone; without restored weights, of a trial that was
    stopped before its last update, the last evaluation alone.

    The best weights, kept in ``best.safetensors``, are those of the evaluation with the best value of the objective's
    metric; of equal values the first counts.

    Where weights are averaged (`Job.averaging`), what is evaluated, best and tested is the average, once there is one;
    ``train/`` is of the weights that are trained, with which a checkpoint goes on.

    The last state is written at the ends of epochs. A trial that is told to pause between two goes on to the next
    end; one that is killed between two reports the evaluations after its last state again, with the same values.

    What the evaluations that make the score gave of every single sample goes to a small file in the trial's folder, see
    `hpsearch.trial.samples`.

    A report's `steps` hold (step, loss of its batch) of every n-th step, from the first.

    Args:
        job: the trial.
        engine_of: makes what trains and evaluates it, of the trial, how far it has come and what measures its layers.

    Yields:
        Started, every report that the checkpoint holds, then a report after each evaluation; a Wait where others have
        to train first.

    Returns:
        COMPLETE after the last epoch, early stopping's too, whatever the decision on it; PRUNED on STOP; PAUSED, with
        a checkpoint, on PAUSE; INFEASIBLE when a step's loss is not finite or beyond
        `hpsearch.trial.reference.divergence_limit`, when the validation loss is not finite after an epoch, and at the
        end when a metric of the objective is not defined.
    """
    progress = checkpoint.restore_last(job.folder, job.key, job.read, job.model, job.optimizer) or begun(job)
    layers = LayerWatch(
        job.model, job.folder, job.epochs, progress.epoch, job.trainer.watch_layers, not job.trainer.compile
    )
    engine = engine_of(job, progress, layers)
    average = Average(job, engine.groups, progress.average)
    progress.average = average.kept
    saved, told = time.monotonic(), Decision.CONTINUE
    facts: dict[str, str | int | float]
    try:
        for message in _messages(job, engine, progress, layers, average):
            if isinstance(message, Wait):
                yield (message,)
                continue
            if message is not None:
                (decision,) = yield (message,)
                told = told if decision is Decision.CONTINUE else decision
            if _over(job, progress.epoch, progress.reports):
                continue
            ended = state_after(told, _last_epoch(progress))
            if ended and told is Decision.STOP:
                return (_end(job, progress, layers, *ended, engine.facts),)
            if progress.between:  # a state is kept at the end of an epoch
                continue
            if ended or time.monotonic() - saved >= job.trainer.checkpoint_sec:
                layers.write()
                checkpoint.save_last(job.folder, job.key, job.read, job.model, job.optimizer, progress)
                saved = time.monotonic()
            if ended:
                path = facts_of_widths(progress.widths, job.device.type)  # it may go no further, and be trained again
                return (TrialResult(*ended, facts=path, artifacts=(checkpoint.LAST,), time=time_of_day()),)
    except Diverged as diverged:
        facts = {"diverged_step": diverged.step, **engine.facts}
        if progress.limit is not None:
            facts["reference_loss"] = progress.limit.reference
        return (_end(job, progress, layers, TrialState.INFEASIBLE, str(diverged), facts),)
    finally:
        engine.leave()
    facts = dict(engine.facts)
    if (progress.epoch or 0) < job.epochs:
        facts["stopped_epoch"] = _last_epoch(progress)
    undefined = undefined_scores(job, progress.reports)
    state = TrialState.INFEASIBLE if undefined else TrialState.COMPLETE
    reason = f"{NOT_COMPARED}: {undefined}" if undefined else ""
    return (_end(job, progress, layers, state, reason, facts),)


def _last_epoch(progress: Progress) -> float:
    return max([progress.epoch or 0, *(report.epoch for report in progress.reports[-1:])])


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


def _messages(
    job: Job, engine: Engine, progress: Progress, layers: LayerWatch, average: Average
) -> Iterator[Message | Wait | None]:
    """Yield what is said of the trial; a Wait where others have to train first; None at an end without evaluation."""
    prepare_model(job)
    yield Started(progress.epoch, {**constant_facts(job), **job.facts}, time_of_day())
    yield from tuple(progress.reports)
    if progress.epoch is None:
        progress.epoch = 0
        if job.trainer.eval_initial or not job.epochs:
            with torch_state(job, 0):
                values = engine.evaluate("valid", 0) | _train_each(job, engine, 0)
                if job.splits.test is not None and not job.epochs:
                    values |= engine.evaluate("test", 0)
            report = Report(0, 0, values, time=time_of_day())
            progress.reports.append(report)
            yield report
    evaluated, ends = frozenset(job.evaluations), frozenset(job.ends)
    for number in range(progress.epoch + 1, job.epochs + 1):
        if _over(job, progress.epoch, progress.reports):
            return
        epoch = engine.epoch(average, number, _rates(job, progress.reports, number))
        yield from _reports(job, engine, progress, layers, average, epoch, evaluated, ends)


def _reports(
    job: Job,
    engine: Engine,
    progress: Progress,
    layers: LayerWatch,
    average: Average,
    epoch: Epoch,
    evaluated: Collection[int],
    ends: Collection[int],
) -> Iterator[Report | Wait | None]:
    """Train an epoch; yield its reports, and None at its end where it is not evaluated there."""
    for step in range(epoch.done + 1, epoch.end + 1):
        told = step in evaluated or step == epoch.end
        if not told and step not in ends:
            continue
        report = None
        yield from epoch.waits(step)
        progress.widths[epoch.number - 1 :] = [epoch.width]
        with epoch.trained_to(step):
            if step in ends and step not in evaluated:
                with average.shown():
                    progress.end += ((step, _valid(engine, step) | _further(job, engine, step)),)
            if not told:
                continue
            progress.steps += epoch.thinned()
            if step in evaluated:
                report = _report(job, engine, progress, layers, average, epoch)
                progress.reports.append(report)
                progress.steps = ()
                forget_samples(job, progress)
        if step == epoch.end:
            progress.epoch = epoch.number
        over = step == job.steps or _over(job, progress.epoch, progress.reports)
        if over:  # the others need not wait for what is said of this one
            engine.leave()
        yield report
        if over:
            return


def _report(job: Job, engine: Engine, progress: Progress, layers: LayerWatch, average: Average, epoch: Epoch) -> Report:
    values, at, whole = epoch.values(), job.epoch_at(epoch.done), epoch.done == epoch.end
    with average.shown():
        with layers.outputs() if whole else nullcontext():
            valid = _valid(engine, epoch.done)
        valid |= _train_each(job, engine, epoch.done)
        values |= valid
        progress.best = _better(job, progress.best, values, at)
        if epoch.done in job.ends:
            progress.end += ((epoch.done, valid | _further(job, engine, epoch.done, valid)),)
    report = Report(at, epoch.done, values, progress.steps, time_of_day())
    if epoch.done == job.steps or _over(job, progress.epoch, [*progress.reports, report]):
        report = _last_report(job, engine, progress, average, report)
    peak = accelerator(job.device).peak_mib()
    metrics = report.metrics if peak is None else {**report.metrics, "gpu_memory_mib": peak}
    return replace(report, metrics=metrics, time=time_of_day())


def _last_report(job: Job, engine: Engine, progress: Progress, average: Average, report: Report) -> Report:
    """Return a trial's last report with what is measured once and the evaluations at its end; restore its weights."""
    best = progress.best if job.objective.reduce == "best" or job.restores else None
    if best is not None:
        progress.weights = checkpoint.copy_weights(job.model)
        job.model.load_state_dict(best.weights)
        engine.leave()
        further = _further(job, engine, report.step)
    elif progress.end and progress.end[-1][0] == report.step:
        further = {k: v for k, v in progress.end[-1][1].items() if k not in report.metrics}
    else:
        with average.shown():
            further = _further(job, engine, report.step, report.metrics)
    end, progress.end = progress.end, ()
    if job.by_end and (job.restores or report.step < job.steps):
        reports = [each for each in (*progress.reports, report) if each.epoch > 0]
        at = next((i for i, each in enumerate(reports) if best and each.epoch == best.epoch), len(reports) - 1)
        near = reports[max(at - 1, 0) : at + 2] if job.restores else reports[at:]
        end = tuple((each.step, _of_valid(each.metrics) | (further if each is reports[at] else {})) for each in near)
    return replace(report, metrics={**further, **report.metrics}, end=end)


def _of_valid(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name.startswith("valid/")}


def _valid(engine: Engine, step: int) -> dict[str, float]:
    values = engine.evaluate("valid", step)
    if not math.isfinite(values["valid/loss"]):
        raise Diverged(step, f"validation loss {values['valid/loss']} after it")
    return values


def _train_each(job: Job, engine: Engine, step: int) -> dict[str, float]:
    return engine.evaluate("train_eval", step) if job.trainer.eval_train == EACH else {}


def _further(job: Job, engine: Engine, step: int, known: Collection[str] = ()) -> dict[str, float]:
    """Evaluate the parts beside the validation split that are asked for; the training part unless it is known."""
    wanted = job.trainer.eval_train and "train_eval/loss" not in known
    values = engine.evaluate("train_eval", step) if wanted else {}
    return values | (engine.evaluate("test", step) if job.splits.test is not None else {})


def _over(job: Job, epoch: int | None, reports: Sequence[Report]) -> bool:
    """Whether nothing is trained after this epoch and these reports, which its number or early stopping says."""
    if epoch == job.epochs or job.early_stopping is None:
        return epoch == job.epochs
    metric, maximize = followed(job.early_stopping.metric, job.objective, job.metrics)
    return job.early_stopping.stops(_curve(reports, metric), maximize)


def _rates(job: Job, reports: Sequence[Report], epoch: int) -> list[tuple[float, float | None]]:
    """Return (learning rate, momentum) of every step of an epoch, before which there were these reports."""
    done = (epoch - 1) * job.steps_per_epoch
    rows = slice(done, done + job.steps_per_epoch)
    factor = 1.0
    if job.plateau is not None:
        factor = job.plateau.factor(tuple(last_by_epoch(_curve(reports, job.plateau.metric)).values()))
    lr = (job.table.lr[rows] * factor).tolist()
    momentum = job.table.momentum
    return list(zip(lr, [None] * len(lr) if momentum is None else momentum[rows].tolist(), strict=True))


def _curve(reports: Sequence[Report], metric: str) -> dict[float, float]:
    """Return a metric by epoch so far; reports are in the checkpoint, so that a resumed trial has the same.

    Norms are missing where none of the updates before a report was measured.
    """
    return {report.epoch: report.metrics[metric] for report in reports if report.epoch > 0 and metric in report.metrics}


def _better(job: Job, best: Best | None, values: Mapping[str, float], epoch: float) -> Best | None:
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
    facts: Mapping[str, str | int | float] | None = None,
) -> TrialResult:
    layers.write()
    found = {**(facts or {}), **facts_of_widths(progress.widths, job.device.type)}
    artifacts = (*job.artifacts, *layers.files)
    if progress.best is not None:
        found |= {"best_epoch": progress.best.epoch, "best_score": progress.best.score}
        artifacts = (*artifacts, checkpoint.save_best(job.folder, progress.best, job.key))
    if state is TrialState.COMPLETE:
        save_samples(job, progress)
        artifacts = (*artifacts, *save_fit(job, progress.epoch or 0))
    if (
        state in CONTINUABLE
        and not progress.between
        and checkpoint.size_mib(job.model, job.optimizer, progress.average) <= job.trainer.keep_end_mib
    ):
        checkpoint.keep_end(job.folder, job.key, job.read, job.model, job.optimizer, progress)
    checkpoint.remove_last(job.folder)
    return TrialResult(state, reason, facts=found, artifacts=artifacts, time=time_of_day())
