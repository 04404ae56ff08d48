"""What the arms of an ablation cost: time per update and epoch, and how much of it to a target."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.kit.points import diverged
from hpsearch.statistics.intervals import Estimate, estimate
from hpsearch.statistics.survival import kaplan_meier_median

if TYPE_CHECKING:
    import pandas as pd

UNITS = ("epochs", "updates", "seconds")


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of a unit trials needed to reach the target; those that did not are right-censored, see `reach`.

    Attributes:
        unit: ``epochs``, ``updates`` or ``seconds``.
        target: value to reach.
        replicates: (seed, fold) of each trial, ascending.
        values: per trial, what it needed, or where it is censored.
        reached: per trial, whether it got there.
        median: Kaplan and Meier's median; None when fewer than half get there.
    """

    unit: str
    target: float
    replicates: tuple[tuple[int, int], ...]
    values: tuple[float, ...]
    reached: tuple[bool, ...]
    median: float | None

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
    """What an arm costs, over its trials that trained; times are those of training alone, without evaluation.

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
    to_target: Mapping[str, Reach]


@dataclass(frozen=True, slots=True)
class Run:
    """The training of one trial, epoch by epoch from 1 on.

    Attributes:
        replicate: its seed and fold.
        epochs: numbers of the epochs.
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

    def spent(self, unit: str, place: int = -1) -> float:
        """Return how much of a unit was used up by an epoch."""
        return float({"epochs": self.epochs, "updates": self.updates, "seconds": self.seconds}[unit][place])


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
    runs = runs_of(table, objective.metric)
    return tuple(_cost(arm, runs.get(arm.point, []), objective, target) for arm in arms)


def runs_of(table: TrialTable, metric: str) -> dict[int, list[Run]]:
    """Return the trials of each point that trained for an epoch or more, diverged ones among them."""
    rows = table.curves
    if metric not in rows or not len(rows):
        return {}
    rows = rows[(rows["epoch"] > 0) & rows[metric].notna()].sort_values(["point", "seed", "fold", "epoch"])
    ended = table.trials[["point", "seed", "fold", "state", "reason"]].itertuples(index=False)
    away = {(int(t.point), int(t.seed), int(t.fold)) for t in ended if diverged(t.state, t.reason)}
    runs: dict[int, list[Run]] = {}
    for place, trial in rows.groupby(["point", "seed", "fold"], sort=True):
        point, seed, fold = (int(part) for part in place)
        runs.setdefault(point, []).append(_run((seed, fold), trial, metric, (point, seed, fold) in away))
    return runs


def reach(runs: Sequence[Run], objective: Objective, target: float, unit: str) -> Reach:
    """Return how much trials needed until the metric was first at the target or better.

    Args:
        runs: the trials; of those that did not get there, one that diverged is censored at the largest amount of any
            trial, for it never will, any other at its own. One whose amount is not known is left out.
        objective: says what is better.
        target: value to reach.
        unit: ``epochs``, ``updates`` or ``seconds``.

    Returns:
        The times with their median.
    """
    known = [run for run in runs if math.isfinite(run.spent(unit))]
    most = max((run.spent(unit) for run in known), default=0.0)
    values, reached = [], []
    for run in known:
        place = next((i for i, value in enumerate(run.values) if not objective.better(target, value)), None)
        values.append(run.spent(unit, place) if place is not None else most if run.diverged else run.spent(unit))
        reached.append(place is not None)
    replicates = tuple(run.replicate for run in known)
    return Reach(unit, target, replicates, tuple(values), tuple(reached), kaplan_meier_median(values, reached))


def _cost(arm: Arm, runs: Sequence[Run], objective: Objective, target: float | None) -> Cost:
    best = [max(run.values) if objective.maximize else min(run.values) for run in runs]
    final = [run.values[-1] for run in runs]
    timed = [run for run in runs if math.isfinite(run.spent("seconds"))]
    at = [run.epochs[run.values.index(value)] for run, value in zip(runs, best, strict=True)]
    return Cost(
        arm=arm.name,
        timed=tuple(run.replicate for run in timed),
        update_sec=estimate([_per(run, "updates") for run in timed]),
        epoch_sec=estimate([_per(run, "epochs") for run in timed]),
        seconds=estimate([run.spent("seconds") for run in timed]),
        updates=_known([run.spent("updates") for run in runs]),
        epochs=_known([run.spent("epochs") for run in runs]),
        best_epoch=_known(at),
        best=_known(best),
        final=_known(final),
        slack=_known([b - a for a, b in zip(best, final, strict=True)]),
        to_target={} if target is None else {unit: reach(runs, objective, target, unit) for unit in UNITS},
    )


def _known(values: Sequence[float]) -> Estimate:
    return estimate([value for value in values if math.isfinite(value)])


def _per(run: Run, unit: str) -> float:
    """Return seconds per unit without the first epoch, which also warms caches up, where there are others."""
    first = 0 if len(run.epochs) > 1 else None
    before = (run.spent("seconds", first), run.spent(unit, first)) if first is not None else (0.0, 0.0)
    return (run.spent("seconds") - before[0]) / (run.spent(unit) - before[1])


def _run(replicate: tuple[int, int], trial: "pd.DataFrame", metric: str, away: bool) -> Run:
    columns = (trial["epoch"], trial["step"], trial[metric])
    epochs, updates, values = (tuple(map(float, column)) for column in columns)
    spent = np.cumsum(np.asarray(trial["epoch_sec"], dtype=np.float64)) if "epoch_sec" in trial else None
    seconds = (math.nan,) * len(epochs) if spent is None else tuple(spent.tolist())
    return Run(replicate, epochs, updates, seconds, values, away)
