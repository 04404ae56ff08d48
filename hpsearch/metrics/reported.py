"""The names of everything that a trial reports, and which way each of them is better."""

from collections.abc import Iterable, Mapping

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Objective
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.base import Metric, TaskMetric, names_of
from hpsearch.metrics.mae import MeanAbsoluteError
from hpsearch.metrics.r2 import R2
from hpsearch.metrics.rmse import RootMeanSquaredError

LOOP = ("lr", "grad_norm", "update_ratio", "epoch_sec", "samples_per_sec")
"""What the loop reports of an epoch besides the loss and the metrics of each part of the data."""

USUAL: Mapping[str, Mapping[str, type[TaskMetric]]] = {
    "classification": {"acc": Accuracy},
    "regression": {"rmse": RootMeanSquaredError, "mae": MeanAbsoluteError, "r2": R2},
}
"""The metrics that every trial of a task reports."""

COSTS = ("loss", "weighted_loss", "penalty")


def with_usual(task: str, chosen: Mapping[str, Metric]) -> dict[str, Metric]:
    """Return the usual metrics of a task and those chosen, by key; one chosen under a usual key takes its place."""
    return {**{key: make() for key, make in USUAL[task].items()}, **chosen}


def check_names(metrics: Mapping[str, Metric]) -> None:
    """Refuse two numbers of one name.

    Args:
        metrics: what a trial measures, by key.

    Raises:
        ConfigError: a metric has the name of another one's number, or of a cost.
    """
    taken = dict.fromkeys(COSTS, "the training")
    for key, metric in metrics.items():
        for name in names_of(key, metric):
            if name in taken:
                raise ConfigError(f"metric.{key}: reports '{name}', which is what {taken[name]} reports")
            taken[name] = f"metric.{key}"


def reported(
    metrics: Mapping[str, Metric],
    test: bool,
    penalty: bool = False,
    gpu: bool = False,
    losses: Iterable[str] = ("loss",),
) -> tuple[str, ...]:
    """Return the names of everything a trial reports per epoch.

    Args:
        metrics: what it measures, by key.
        test: whether the test part is evaluated.
        penalty: whether regularizers add to the loss.
        gpu: whether it trains on a GPU.
        losses: what it reports of the loss.

    Returns:
        ``train/loss``, ``valid/loss`` and so on, then `LOOP`, ``train/penalty`` and ``gpu_memory_mib`` if they are.
    """
    parts = ("train", "valid", "test") if test else ("train", "valid")
    own = (*losses, *(name for key, metric in metrics.items() for name in names_of(key, metric)))
    more = [name for name, present in (("train/penalty", penalty), ("gpu_memory_mib", gpu)) if present]
    return (*(f"{part}/{name}" for part in parts for name in own), *LOOP, *more)


def followed(metric: str | None, objective: Objective, metrics: Mapping[str, Metric]) -> tuple[str, bool]:
    """Return the metric that something follows, and whether larger is better.

    Args:
        metric: its name; None: the objective's.
        objective: what the search optimizes.
        metrics: what the trial measures, by key.

    Returns:
        Name and direction; what says no direction of its own is better when it is larger.
    """
    if metric is None or metric == objective.metric:
        return objective.metric, objective.maximize
    name = metric.rpartition("/")[2]
    found = (each for key, each in metrics.items() if name in names_of(key, each))
    return metric, name not in COSTS and getattr(next(found, None), "higher_is_better", None) is not False
