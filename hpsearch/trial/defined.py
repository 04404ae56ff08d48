"""Which metrics the samples of a data set leave undefined; importing this module loads no torch."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError
from hpsearch.base.steps import labels
from hpsearch.base.types import Objective, Report, end_values
from hpsearch.base.words import epoch_text, plain_number
from hpsearch.metrics.base import Metric, names_of, undefined_on

if TYPE_CHECKING:
    from torch import Tensor

    from hpsearch.data.base import Splits
    from hpsearch.trial.job import Job


def defined(metrics: dict[str, Metric], objective: Objective, splits: "Splits") -> dict[str, Metric]:
    """Refuse an objective that the samples it is measured on leave undefined, as that of every trial would be nan.

    Args:
        metrics: what the trial measures, by key.
        objective: what the search optimizes.
        splits: the data.

    Returns:
        The metrics.

    Raises:
        ConfigError: saying why it is undefined.
    """
    for each in objective.each:
        part, _, name = each.metric.rpartition("/")
        y = {"train": splits.train.y, "valid": splits.valid.y}.get(part)
        if y is not None and (why := undefined_on(name, metrics, part, labels(y))):
            raise ConfigError(f"objective.metric = '{each.metric}': {why}; take another metric, or other samples")
    return metrics


def notes_of(job: "Job") -> tuple[str, ...]:
    """Return what a user is told of a trial's data, and of every number that is nan on a part of it why it is."""
    parts = {"train": job.splits.train, "valid": job.splits.valid, "test": job.splits.test}
    names = [name for key, metric in job.metrics.items() for name in names_of(key, metric)]
    told = [
        undefined_on(name, job.metrics, p, labels(part.y))
        for p, part in parts.items()
        if part is not None
        for name in names
    ]
    return (*job.splits.notes, *(f"{why}; it is nan" for why in told if why))


def undefined_scores(job: "Job", reports: Sequence[Report]) -> str:
    """Return why a trial that came to its end has no score, though its loss is finite; empty where it has one.

    A metric may be undefined on what an epoch happened to see: on a last pass that was cut short, or without what
    `data.drop_last` left out.

    Args:
        job: the trial.
        reports: all of it.
    """
    return "; ".join(filter(None, (_why_nan(job, each, reports) for each in job.objective.each)))


def _why_nan(job: "Job", objective: Objective, reports: Sequence[Report]) -> str:
    curve = {report.epoch: report.metrics[objective.metric] for report in reports if objective.metric in report.metrics}
    if not curve or not math.isnan(objective.score(curve, end_values(reports[-1], objective.metric))):
        return ""
    report = next(each for each in reversed(reports) if math.isnan(each.metrics.get(objective.metric, 0.0)))
    part, _, name = objective.metric.rpartition("/")
    after = f"after epoch {epoch_text(report.epoch)}"
    if (y := _seen(job, part, report)) is not None and (why := undefined_on(name, job.metrics, part, labels(y))):
        return f"{why} {after}"
    loss = plain_number(report.metrics.get("valid/loss", math.nan))
    return f"{objective.metric} is not defined: it is nan {after}, where valid/loss is {loss}"


def _seen(job: "Job", part: str, report: Report) -> "Tensor | None":
    """Return the targets of a part of the data that a report is of, None of another part."""
    if part != "train":
        found = {"valid": job.splits.valid, "test": job.splits.test}.get(part)
        return None if found is None else found.y
    from hpsearch.trial.updates import epoch_order

    epoch = math.ceil(report.epoch)
    rows = (report.step - (epoch - 1) * job.steps_per_epoch) * job.batching.size
    return job.splits.train.y[epoch_order(job, epoch)[:rows].to(job.splits.train.y.device)]
