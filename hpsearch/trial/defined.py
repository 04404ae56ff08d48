"""Which metrics the samples of a data set leave undefined; importing this module loads no torch."""

from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Objective
from hpsearch.metrics.base import Metric, names_of, undefined_on

if TYPE_CHECKING:
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
        if y is not None and (why := undefined_on(name, metrics, part, y)):
            raise ConfigError(f"objective.metric = '{each.metric}': {why}; take another metric, or other samples")
    return metrics


def notes_of(job: "Job") -> tuple[str, ...]:
    """Return what a user is told of a trial's data, and of every number that is nan on a part of it why it is."""
    parts = {"train": job.splits.train, "valid": job.splits.valid, "test": job.splits.test}
    names = [name for key, metric in job.metrics.items() for name in names_of(key, metric)]
    told = [
        undefined_on(name, job.metrics, p, part.y) for p, part in parts.items() if part is not None for name in names
    ]
    return (*job.splits.notes, *(f"{why}; it is nan" for why in told if why))
