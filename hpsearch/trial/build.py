"""One trial from its configuration: build everything, then drive the loop.

Importing this module loads no torch: the driver names `execute` to its workers, and only they call `preload`.
"""

import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hpsearch.base.clock import time_of_day
from hpsearch.base.errors import ConfigError, DataError, HpsearchError, first_line, nearest, out_of_memory
from hpsearch.base.outcome import beyond_limits
from hpsearch.base.types import Objective, Started, TrialResult, TrialSpec, TrialState, WaitingRun
from hpsearch.config.build import build
from hpsearch.config.limits import target_part
from hpsearch.metrics.base import Metric, bounded_by_0_and_1, check_fit, in_units, names_of
from hpsearch.metrics.counts import of_class
from hpsearch.metrics.f1_spans import of_labels
from hpsearch.metrics.reported import USUAL, check_names, followed, reported, with_usual
from hpsearch.metrics.steps import of_steps
from hpsearch.trial.defined import defined, notes_of
from hpsearch.trial.reading import read
from hpsearch.trial.same_code import check_code

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from hpsearch.data.augment import Augment
    from hpsearch.data.base import DataSource, Splits
    from hpsearch.schedules import Table
    from hpsearch.schedules.plateau import Plateau
    from hpsearch.trial.finetune import Tuned
    from hpsearch.trial.loop import Job, Trainer

LATE_FACTS = ("best_epoch", "best_score")
"""Facts that a trial of ours has at its end."""


def preload() -> None:
    """Import in a worker what every trial needs, so that the first one starts at once."""
    import hpsearch.trial.loop  # noqa: F401

    # This loads what `build` needs.
    build("objective", {"_target_": "hpsearch.base.types.Objective", "metric": "valid/loss"})


def execute(specs: tuple[TrialSpec, ...]) -> WaitingRun:
    """Train a batch of one trial.

    Errors go on to the launcher, which makes results of them.

    Args:
        specs: the trial.

    Yields:
        What `hpsearch.trial.loop.train` yields.

    Returns:
        What it returns; INFEASIBLE before it trains where a fact is beyond its limit.
    """
    from hpsearch.data.picture import draw_once
    from hpsearch.trial.batching import check_single, takes_one
    from hpsearch.trial.loop import train
    from hpsearch.trial.together import engine_of

    (spec,) = specs
    check_code(spec.code, spec.targets)
    folder = Path(spec.folder)
    job = prepare(spec.config, spec.key, folder, spec.source)
    _check_data(spec, job)
    if beyond := beyond_limits(job.objective.limits, job.facts):
        yield (Started(None, job.facts, time_of_day()),)
        return (TrialResult(TrialState.INFEASIBLE, beyond, time=time_of_day()),)
    check_single(job.batching, functools.partial(takes_one, job.model, job.frozen, job.splits))
    artifacts = draw_once(job.augment, job.splits.train, folder, spec.id.point)
    return (yield from train(replace(job, artifacts=artifacts), engine_of(spec, job)))


def _check_data(spec: TrialSpec, job: "Job") -> None:
    """Refuse to train beside trials of other data: files that changed since the command began."""
    if spec.files and job.data.of_files.digest != spec.files:
        raise DataError("the data changed since this command began; run it again, and it says what changed")


def preflight(
    config: Mapping[str, Any], source: str | None = None, digest: str = "", targets: Sequence[str] = ()
) -> dict[str, Any]:
    """Build a configuration and run one forward and backward pass on its first batch, without training.

    Called in a worker before anything is created; it leaves the data loaded there.

    Args:
        config: a trial's resolved configuration.
        source: where `finetune.source` was found.
        digest: of the code of a user's own that trains it, see `check_code`.
        targets: by which that is found.

    Returns:
        The trial's facts; ``state``: what is read (a `DataState`); ``metrics``: the names of all metrics it will
            report; ``further``: these and the facts that are numbers, which an objective beside the first may name;
            ``steps_per_epoch``; ``loss`` of the first batch, unless memory runs out; ``notes``: what was guessed or
            left out in reading the data. What cannot be built or does not fit together raises an error for the user.
    """
    from hpsearch.trial.batching import check_folds, takes_one
    from hpsearch.trial.updates import rehearse

    check_code(digest, targets)
    job = prepare(config, source=source)
    names = reported_metrics(job)
    data: DataSource = build("data", config["data"], tuple(config["plugins"]))
    check_folds(data, job.splits, functools.partial(takes_one, job.model, job.frozen, job.splits))
    try:
        with fitting():
            loss = {"loss": rehearse(job)}
    except Exception as error:
        if not out_of_memory(error):
            raise
        loss = {}  # such a trial is INFEASIBLE, and so only where it is trained
    further = (*names, *(name for name, value in job.facts.items() if not isinstance(value, str)), *LATE_FACTS)
    known = {"state": job.data, "metrics": names, "further": further, "notes": notes_of(job), **_lineage(job)}
    return {**job.facts, **known, "steps_per_epoch": job.steps_per_epoch, **loss}


def _lineage(job: "Job") -> dict[str, Any]:
    """Return what is said of a trial that continues another: its epoch, and the rates there and from there on."""
    if job.trainer.continued is None:
        return {}
    from hpsearch.trial.loop import begun

    progress = begun(job)
    epoch, last = progress.epoch or 0, progress.reports[-1].metrics.get("lr") if progress.reports else None
    return {"continued": (epoch, last, float(job.table.lr[epoch * job.steps_per_epoch]))}


@contextmanager
def fitting() -> Iterator[None]:
    """Turn whatever a model, a loss or an optimizer raises when it meets the data into an error for the user."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Using a target size")  # a loss that broadcasts is a wrong one
            yield
    except HpsearchError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        what = first_line(error) or type(error).__name__
        raise ConfigError(f"model, data and loss do not fit together: {what}") from error


def reported_metrics(job: "Job") -> tuple[str, ...]:
    """Return the names of what a trial will report, after checking those that it follows.

    Args:
        job: the trial.

    Returns:
        Names of metrics, with their parts.

    Raises:
        ConfigError: the schedule or early stopping follows a metric that is not among them.
    """
    from hpsearch.losses.class_weights import reported_losses

    gpu = job.device.type == "cuda"
    names = reported(job.metrics, job.trainer.test, bool(job.regularizers), gpu, reported_losses(job.loss))
    if not job.epochs:
        return tuple(name for name in names if name.startswith(("valid/", "test/")))
    watched = {
        "scheduler.metric": job.plateau and job.plateau.metric,
        "regularizer.early_stopping.metric": job.early_stopping and job.early_stopping.metric,
    }
    for key, name in watched.items():
        if name and (name not in names or name.startswith("test/")):
            raise ConfigError(f"{key} = '{name}': is not reported{nearest(name, names)} ({', '.join(names)})")
    return names


def prepare(config: Mapping[str, Any], key: str = "", folder: Path = Path(), source: str | None = None) -> "Job":
    """Build everything that a configuration describes, on its device.

    Args:
        config: a trial's resolved configuration.
        key: its hash, which its files are kept under.
        folder: where its files go.
        source: where `finetune.source` was found; None: it is a path.

    Returns:
        What the loop trains.

    Raises:
        ConfigError: what is described does not go together.
    """
    from hpsearch.data.views import check_views
    from hpsearch.losses.class_weights import with_class_weights
    from hpsearch.losses.fit import loss_of
    from hpsearch.trial.averaging import with_averaging
    from hpsearch.trial.batching import batching_of, takes_one
    from hpsearch.trial.facts import facts_of, origins
    from hpsearch.trial.loop import Job
    from hpsearch.trial.model import make_model, prior

    plugins, seed = tuple(config["plugins"]), config["seed"]
    trainer: Trainer = build("trainer", config["trainer"], plugins)
    objective: Objective = build("objective", config["objective"], plugins)
    device = trainer.find_device()
    data: DataSource = build("data", config["data"], plugins)
    splits, state = read(config, data, trainer.test, device, source)
    check_views(trainer.eval_views, splits.in_shape)
    regularizers = _regularizers(config["regularizer"], plugins)
    if regularizers["mixing"] and (isinstance(splits.in_shape, dict) or splits.vocabulary):
        what = "words" if splits.vocabulary else "dicts"
        raise ConfigError(f"regularizer.{regularizers['mixing'].option}: blends tensors, and the inputs are {what}")
    model = make_model(config, plugins, seed, splits)
    tuned: Tuned = build("finetune", config["finetune"], plugins).apply(model, source)
    model = model.to(device)
    optimizer = _optimizer(config["optimizer"], plugins, model, tuned.rate_factors)
    batching = batching_of(data, len(splits.train), functools.partial(takes_one, model, tuned.frozen, splits))
    loss = loss_of(_loss(config["loss"], plugins, splits.num_outputs), model, splits.task)
    metrics = defined(_metrics(config["metric"], plugins, splits), objective, splits)
    table, plateau = schedule_of(config, optimizer, batching.steps, trainer.epochs, objective, trainer.steps, metrics)
    job = Job(
        key=key,
        folder=folder,
        seed=seed,
        trainer=trainer,
        objective=objective,
        splits=splits,
        batching=batching,
        model=model,
        loss=_fitted(with_class_weights(loss, splits.class_weights, prior(splits, data.sampling)), splits).to(device),
        optimizer=optimizer,
        shuffle=data.shuffle,
        sampling=data.sampling,
        augment=_augment(config, splits),
        table=table,
        plateau=plateau,
        **regularizers,
        facts={**facts_of(model, splits, device), **batching.facts, **tuned.facts, **origins(state, trainer)},
        data=state,
        metrics=metrics,
        frozen=tuned.frozen,
    )
    return with_averaging(job)


def _augment(config: Mapping[str, Any], splits: "Splits") -> "Augment | None":
    from hpsearch.data.augment import augment

    steps = {name: build("augment", each, config["plugins"]) for name, each in config["augment"].items()}
    return augment(config["seed"], steps, splits.train)


def _loss(config: Mapping[str, Any], plugins: tuple[str, ...], num_outputs: int) -> "nn.Module":
    """Build the loss; the weights that torch takes as a tensor are a list of one number per output."""
    import torch

    tensors = ("weight", "pos_weight") if str(config["_target_"]).startswith("torch.") else ()
    lists = {name: config[name] for name in tensors if isinstance(config.get(name), list)}
    loss: nn.Module = build("loss", {**config, **dict.fromkeys(lists)}, plugins)
    for name, values in lists.items():
        if len(values) != num_outputs:
            raise ConfigError(f"loss.{name} = {values}: must hold {num_outputs} numbers, one per output")
        setattr(loss, name, torch.tensor(values, dtype=torch.float32))
    return loss


def _fitted(loss: "nn.Module", splits: "Splits") -> "nn.Module":
    """Return a loss that takes the targets of the data: one per sample, or one per word."""
    from hpsearch.losses.steps import StepLoss

    return StepLoss(loss) if splits.vocabulary else loss


def _optimizer(
    config: Mapping[str, Any], plugins: tuple[str, ...], model: "nn.Module", rate_factors: Mapping[str, float]
) -> "Optimizer":
    from hpsearch.optim.groups import parameter_groups

    options, decay_all = target_part("optimizer", config), config.get("decay_bias_and_norm", False)
    groups = parameter_groups(model, options.get("weight_decay", 0.0), decay_all, rate_factors)
    optimizer: Optimizer = build("optimizer", options, plugins, params=groups)
    return optimizer


def _metrics(config: Mapping[str, Any], plugins: tuple[str, ...], splits: "Splits") -> dict[str, Metric]:
    chosen: dict[str, Metric] = {key: build("metric", each, plugins) for key, each in config.items()}
    for key, metric in chosen.items():
        if splits.vocabulary:
            of_labels(metric, splits.class_names)
        check_fit(key, metric, splits.task, splits.num_outputs)
        of_class(metric, splits.positive)
    metrics = with_usual(splits.task, chosen)
    check_names(metrics)
    if splits.vocabulary:
        return {key: of_steps(metric) for key, metric in metrics.items()}
    if (scaling := splits.target_scaling) is None:
        return metrics
    return {key: in_units(metric, scaling.scale, scaling.shift) for key, metric in metrics.items()}


def objective_of(config: Mapping[str, Any]) -> Objective:
    """Return what a configuration optimizes, its metric known for a share where the metric's class says so."""
    objective: Objective = build("objective", config["objective"], config["plugins"])
    if objective.share is not None:
        return objective
    return replace(objective, share=_is_share(objective.metric.rpartition("/")[2], config))


def _is_share(name: str, config: Mapping[str, Any]) -> bool:
    """Return whether a metric lies between 0 and 1; only one that no usual metric has the name of is built for it."""
    known = next((usual[name] for usual in USUAL.values() if name in usual), None)
    if known is not None:
        return bounded_by_0_and_1(known)
    made = ((key, build("metric", each, tuple(config["plugins"]))) for key, each in config.get("metric", {}).items())
    return any(name in names_of(key, metric) and bounded_by_0_and_1(metric) for key, metric in made)


def _regularizers(config: Mapping[str, Any], plugins: tuple[str, ...]) -> dict[str, Any]:
    """Build the regularizers and sort them by where the loop uses them."""
    from hpsearch.regularizers import Averaging, Constraint, EarlyStopping, Mixing, Penalty

    built = {name: build("regularizer", each, plugins) for name, each in config.items()}
    single = {"mixing": Mixing, "averaging": Averaging, "early_stopping": EarlyStopping}
    found = {field: [name for name, each in built.items() if isinstance(each, kind)] for field, kind in single.items()}
    for names in found.values():
        if len(names) > 1:
            raise ConfigError(f"regularizer = [{', '.join(names)}]: only one of these at a time")
    return {
        "regularizers": {name: each for name, each in built.items() if isinstance(each, Penalty)},
        "constraints": tuple(each for each in built.values() if isinstance(each, Constraint)),
        **{field: built[names[0]] if names else None for field, names in found.items()},
    }


def schedule_of(
    config: Mapping[str, Any],
    optimizer: "Optimizer",
    steps_per_epoch: int,
    epochs: int,
    objective: Objective,
    total: int | None = None,
    metrics: Mapping[str, Metric] = MappingProxyType({}),
) -> tuple["Table", "Plateau | None"]:
    """Return the schedule that a configuration describes.

    Args:
        config: a trial's resolved configuration.
        optimizer: its optimizer.
        steps_per_epoch: updates in one pass over the training part.
        epochs: passes.
        objective: what is followed unless the schedule says otherwise.
        total: updates in place of whole passes; None: what `epochs` give.
        metrics: what the trial measures, by key.

    Returns:
        The table of all steps, and what moves its rates where the schedule follows a metric.
    """
    from hpsearch.schedules import MomentumWarmup, table
    from hpsearch.schedules.limits import OPTIONS
    from hpsearch.schedules.plateau import Plateau, follows_a_metric, with_mode

    options, plateau = dict(config["scheduler"]), None
    ours = {name: options.pop(name) for name in ("per", "warmup", "warmup_steps") if name in options}
    watched = options.pop("metric", None)
    make: Any = build("scheduler", options, tuple(config["plugins"]))
    known = optimizer.defaults
    lr, momentum = known["lr"], known.get("momentum", known.get("betas", (None,))[0])
    if follows_a_metric(make):
        metric, maximize = followed(watched, objective, metrics)
        make, plateau = None, Plateau(with_mode(make, maximize), lr, metric)
    moving = {name: value for name, value in config["optimizer"].items() if name in OPTIONS["optimizer"]}
    early = MomentumWarmup(**moving)
    rows = table(
        make,
        lr,
        momentum,
        steps_per_epoch,
        epochs,
        **ours,
        seed=config["seed"],
        momentum_warmup=early,
        total=total,
    )
    return rows, plateau
