"""What the arms of an ablation cost: time per update and epoch, and how much of it to a target."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.base.columns import metric_column
from hpsearch.base.outcome import diverged
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.statistics.intervals import Estimate, estimate
from hpsearch.statistics.survival import kaplan_meier_median

if TYPE_CHECKING:
    import pandas as pd

UNITS = ("epochs", "updates", "seconds")


@dataclass(frozen=True, slots=True)
class TimeToTarget:
    """How much of a unit trials needed to the target; those that did not get there are censored, see `time_to_target`.

    Attributes:
        unit: ``epochs``, ``updates`` or ``seconds``.
        target: value to reach.
        replicates: (seed, fold) of each trial, ascending.
        values: per trial, what it needed, or where it is censored.
        reached: per trial, whether it got there.
        median: Kaplan and Meier's median; None when fewer than half get there.
        gaps: per trial, how much of the unit lies between the evaluation that it got there by and the one before; nan
            where it did not get there.
    """

    unit: str
    target: float
    replicates: tuple[tuple[int, int], ...]
    values: tuple[float, ...]
    reached: tuple[bool, ...]
    median: float | None
    gaps: tuple[float, ...] = ()

    @property
    def n(self) -> int:
        """How many trials."""
        return len(self.values)

    @property
    def missed(self) -> int:
        """How many did not get there."""
        return self.n - sum(self.reached)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an arm costs, over its trials that did not diverge; times are those of training alone, without evaluation.

    Attributes:
        arm: its name.
        timed: (seed, fold) of each trial whose times are known, ascending: those of the three estimates of seconds.
        update_sec: seconds per update, each trial's first epoch left out where there are more.
        epoch_sec: seconds per epoch, likewise.
        seconds: of the whole training.
        updates: how many it made.
        epochs: how many passes that were.
        best_epoch: where the objective's metric was best.
        best: its value there.
        final: its value at the end.
        slack: final minus best, at most 0 where larger is better: what the last epochs lost.
        to_target: by unit; empty where no target is set.
    """

    arm: str
    timed: tuple[tuple[int, int], ...]
    update_sec: Estimate
    epoch_sec: Estimate
    seconds: Estimate
    updates: Estimate
    epochs: Estimate
    best_epoch: Estimate
    best: Estimate
    final: Estimate
    slack: Estimate
    to_target: Mapping[str, TimeToTarget]


@dataclass(frozen=True, slots=True)
class Training:
    """The training of one trial, epoch by epoch from 1 on.

    Attributes:
        replicate: its seed and fold.
        epochs: how many were done by the end of each: whole numbers, but for a last one that `trainer.steps` cut short.
        updates: done by the end of each.
        seconds: spent training by the end of each; nan where times were not recorded.
        values: the objective's metric after each.
        diverged: whether its loss ran away.
    """

    replicate: tuple[int, int]
    epochs: tuple[float, ...]
    updates: tuple[float, ...]
    seconds: tuple[float, ...]
    values: tuple[float, ...]
    diverged: bool = False

    def spent(self, unit: str, index: int = -1) -> float:
        """Return how much of a unit was used up by the end of an epoch, the last one if none is given."""
        return float({"epochs": self.epochs, "updates": self.updates, "seconds": self.seconds}[unit][index])


def costs_of(table: TrialTable, arms: Sequence[Arm], objective: Objective, target: float | None) -> tuple[Cost, ...]:
    """Measure what the arms cost.

    Args:
        table: the study.
        arms: its arms.
        objective: whose metric says what is best.
        target: value of that metric to reach; None for none.

    Returns:
        One record per arm, in their order.
    """
    trainings = trainings_of(table, metric_column(objective.metric))
    return tuple(_cost(arm, trainings.get(arm.point, []), objective, target) for arm in arms)


def trainings_of(table: TrialTable, metric: str) -> dict[int, list[Training]]:
    """Return the trials of each point that trained for an epoch or more, diverged ones among them.

    Args:
        table: the study.
        metric: a column of the curves.
    """
    rows = table.curves
    if metric not in rows or not len(rows):
        return {}
    rows = rows[rows["epoch"] > 0].sort_values(["point", "seed", "fold", "epoch"])
    ended = table.trials[["point", "seed", "fold", "state", "reason"]].itertuples(index=False)
    broke = {(int(t.point), int(t.seed), int(t.fold)) for t in ended if diverged(t.state, t.reason)}
    whole = _updates_of_an_epoch(table)
    trainings: dict[int, list[Training]] = {}
    for key, epochs in rows.groupby(["point", "seed", "fold"], sort=True):
        if not epochs[metric].notna().any():
            continue
        point, seed, fold = (int(part) for part in key)
        training = _training((seed, fold), epochs, metric, (point, seed, fold) in broke, whole.get((point, seed, fold)))
        trainings.setdefault(point, []).append(training)
    return trainings


def time_to_target(trainings: Sequence[Training], objective: Objective, target: float, unit: str) -> TimeToTarget:
    """Return how much trials needed until the metric was first at the target or better.

    Args:
        trainings: of the trials; of those that did not get there, one that diverged is censored at the largest amount
            of any trial, for it never will, any other at its own. One whose amount is not known is left out.
        objective: says what is better.
        target: value to reach.
        unit: ``epochs``, ``updates`` or ``seconds``.

    Returns:
        The times with their median.
    """
    known = [training for training in trainings if math.isfinite(training.spent(unit))]
    most = max((training.spent(unit) for training in known), default=0.0)
    values, reached, gaps = [], [], []
    for training in known:
        first = next((i for i, value in enumerate(training.values) if not objective.better(target, value)), None)
        censored = most if training.diverged else training.spent(unit)
        values.append(censored if first is None else training.spent(unit, first))
        reached.append(first is not None)
        before = training.spent(unit, first - 1) if first else 0.0
        gaps.append(math.nan if first is None else values[-1] - before)
    replicates = tuple(training.replicate for training in known)
    median = kaplan_meier_median(values, reached)
    return TimeToTarget(unit, target, replicates, tuple(values), tuple(reached), median, tuple(gaps))


def _cost(arm: Arm, trials: Sequence[Training], objective: Objective, target: float | None) -> Cost:
    trainings = [training for training in trials if not training.diverged] or trials
    best = [max(t.values) if objective.maximize else min(t.values) for t in trainings]
    final = [t.values[-1] for t in trainings]
    timed = [t for t in trainings if math.isfinite(t.spent("seconds"))]
    best_epochs = [t.epochs[t.values.index(value)] for t, value in zip(trainings, best, strict=True)]
    return Cost(
        arm=arm.name,
        timed=tuple(t.replicate for t in timed),
        update_sec=estimate([_seconds_per(t, "updates") for t in timed]),
        epoch_sec=estimate([_seconds_per(t, "epochs") for t in timed]),
        seconds=estimate([t.spent("seconds") for t in timed]),
        updates=_of_finite([t.spent("updates") for t in trainings]),
        epochs=_of_finite([t.spent("epochs") for t in trainings]),
        best_epoch=_of_finite(best_epochs),
        best=_of_finite(best),
        final=_of_finite(final),
        slack=_of_finite([b - a for a, b in zip(best, final, strict=True)]),
        to_target={} if target is None else {u: time_to_target(trials, objective, target, u) for u in UNITS},
    )


def _of_finite(values: Sequence[float]) -> Estimate:
    return estimate([value for value in values if math.isfinite(value)])


def _seconds_per(training: Training, unit: str) -> float:
    """Return seconds per unit without the first epoch, which also warms caches up, where there are others."""
    if len(training.epochs) == 1:
        return training.spent("seconds") / training.spent(unit)
    first, last = ((training.spent("seconds", i), training.spent(unit, i)) for i in (0, -1))
    return (last[0] - first[0]) / (last[1] - first[1])


def _updates_of_an_epoch(table: TrialTable) -> dict[tuple[int, int, int], int]:
    """Return, of each trial whose samples and batch size are known, how many updates a pass over them is."""
    data = (table.study.get("config") or {}).get("data") or {}
    found = {}
    for row in table.trials.to_dict("records"):
        samples, batch = row.get("data.train_size"), row.get("data.batch_size", data.get("batch_size"))
        if isinstance(samples, int | float) and isinstance(batch, int | float) and samples > 0 and batch > 0:
            found[int(row["point"]), int(row["seed"]), int(row["fold"])] = math.ceil(samples / batch)
    return found


def _training(
    replicate: tuple[int, int], rows: "pd.DataFrame", metric: str, diverged: bool, whole: int | None
) -> Training:
    known = rows[metric].notna().to_numpy()
    columns = (rows["epoch"], rows["step"], rows[metric])
    epochs, updates, values = (tuple(map(float, column[known])) for column in columns)
    spent = np.full(len(rows), math.nan)
    if "epoch_sec" in rows:
        spent = np.cumsum(_seconds_between([float(epoch) for epoch in rows["epoch"]], rows["epoch_sec"]))
    seconds = tuple(spent[known].tolist())
    return Training(replicate, _passes(epochs, updates, whole), updates, seconds, values, diverged)


def _passes(epochs: tuple[float, ...], updates: Sequence[float], whole: int | None) -> tuple[float, ...]:
    """Return how many epochs were done: of the last one, numbered like a whole one, the share that was.

    Args:
        epochs: numbers of those that were reported, ascending.
        updates: done by the end of each.
        whole: updates of a whole epoch; None where that is not known, then those of the ones before the last.
    """
    if any(not epoch.is_integer() for epoch in epochs):  # evaluated within epochs, which counts their share
        return epochs
    every = updates[0] / epochs[0] if len(epochs) > 1 else whole
    if not every or updates[-1] >= every * epochs[-1]:
        return epochs
    return (*epochs[:-1], updates[-1] / every)


def _seconds_between(epochs: Sequence[float], epoch_sec: Iterable[float]) -> list[float]:
    """Return the seconds trained between a trial's reports.

    Args:
        epochs: of the reports, ascending.
        epoch_sec: seconds trained of the epoch of each, up to it. Epochs that were not reported are taken to be as fast
            as the one after them.
    """
    between, before, so_far = [], 0.0, 0.0
    for epoch, seconds in zip(epochs, map(float, epoch_sec), strict=True):
        start = math.ceil(epoch) - 1
        if before > start:
            between.append(seconds - so_far)
        else:
            between.append(seconds + (start - before) * seconds / (epoch - start))
        before, so_far = epoch, seconds
    return between
