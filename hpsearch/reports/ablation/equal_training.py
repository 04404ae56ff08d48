"""Arms compared at equal training accuracy: where each first reaches the level with which the lowest arm ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.base.columns import metric_column
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.contrasts import Contrast, Replicate, contrasts
from hpsearch.reports.ablation.finals import TRAIN, Finals
from hpsearch.reports.kit.points import objective_of
from hpsearch.statistics.intervals import Estimate, estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class AtLevel:
    """An arm where its trials first reach a level of the training part.

    Attributes:
        arm: its name.
        trials: how many trials it has, those that diverged or stayed at chance among them: these never get there.
        reached: of those that get there, by seed and fold, (updates, the objective's metric), both interpolated.
        score: the objective's metric there, over those that get there.
    """

    arm: str
    trials: int
    reached: Mapping[Replicate, tuple[float, float]]
    score: Estimate

    @property
    def whole(self) -> bool:
        """Whether every trial gets there; else a mean over those that do would flatter the arm."""
        return len(self.reached) == self.trials > 0


@dataclass(frozen=True, slots=True)
class EqualTraining:
    """The arms at equal training accuracy, in evaluation mode.

    Attributes:
        metric: whose level it is, of the training part in evaluation mode.
        level: the lowest value with which a trial ends, of the arms that train.
        lowest: the arm that this trial is of.
        arms: one record per arm, in their order.
        differences: the arms of which every trial gets there against the reference; empty where it is not one of them.
    """

    metric: str
    level: float
    lowest: str
    arms: tuple[AtLevel, ...]
    differences: tuple[Contrast, ...]


def equal_training(
    table: TrialTable, arms: Sequence[Arm], finals: Finals, reference: Arm | None
) -> EqualTraining | None:
    """Compare the arms where each first reaches the training accuracy at which the lowest one ends.

    Small batches end with other training accuracies than large ones; what they generalize to is compared at the same.
    The level is the lowest that a trial which trains has at its final weights: were it the lowest arm's mean, about
    half of that arm's seeds would never get there, and the arm could not be compared. A trial reaches it between two
    evaluations, where the straight line between them does, and its validation metric is that of the straight line
    there.

    Args:
        table: the study.
        arms: its arms.
        finals: what they end with.
        reference: the arm that the others are compared with.

    Returns:
        The record; None where the training part was not evaluated along the training of two arms.
    """
    objective = objective_of(table.study)
    column, metric = metric_column(objective.metric), f"{TRAIN}/{objective.metric.partition('/')[2]}"
    curves = _curves(table.curves, metric, column) if {metric, column} <= set(table.curves) else {}
    known = [arm for arm in arms if all(len(curves.get((arm.point, *each), ())) > 1 for each in arm.replicates)]
    ends = {arm.name: finals.values.get(arm.name, {}).get(metric, {}) for arm in known if arm.learnt and arm.finished}
    if not objective.metric.startswith("valid/") or len(ends) < 2 or len(known) < len(arms) or not all(ends.values()):
        return None
    worst = min if objective.maximize else max
    lowest = worst(ends, key=lambda name: worst(ends[name].values()))
    level = worst(ends[lowest].values())
    found = tuple(_at_level(arm, curves, objective, level) for arm in known)
    whole = {each.arm: {place: score for place, (_, score) in each.reached.items()} for each in found if each.whole}
    return EqualTraining(metric, level, lowest, found, contrasts(whole, reference))


def crossing(rows: Sequence[tuple[float, float, float]], level: float, maximize: bool) -> tuple[float, float] | None:
    """Return where a curve first reaches a level, and another one there.

    Args:
        rows: (updates, value, other value) of the evaluations, ascending by updates.
        level: to reach.
        maximize: whether larger values are better.

    Returns:
        Updates and the other value, on the straight lines between the evaluations before and at it; None where no
        evaluation reaches it.

    Example:
        >>> crossing([(0, 0.1, 0.2), (10, 0.5, 0.4), (20, 0.9, 0.6)], 0.6, True)
        (12.5, 0.45)
    """
    before = rows[0]
    for row in rows:
        if (row[1] >= level) if maximize else (row[1] <= level):
            share = 0.0 if row[1] == before[1] else (level - before[1]) / (row[1] - before[1])
            share = min(max(share, 0.0), 1.0)
            return before[0] + share * (row[0] - before[0]), before[2] + share * (row[2] - before[2])
        before = row
    return None


def _at_level(
    arm: Arm,
    curves: Mapping[tuple[int, int, int], Sequence[tuple[float, float, float]]],
    objective: Objective,
    level: float,
) -> AtLevel:
    found = {each: crossing(curves[arm.point, *each], level, objective.maximize) for each in arm.replicates}
    reached = {each: place for each, place in found.items() if place is not None}
    return AtLevel(arm.name, arm.trials, reached, estimate([score for _, score in reached.values()]))


def _curves(
    rows: "pd.DataFrame", metric: str, column: str
) -> dict[tuple[int, int, int], list[tuple[float, float, float]]]:
    """Return (updates, training part, validation part) of every evaluation of both, by trial."""
    known = rows[rows[metric].notna() & rows[column].notna()].sort_values("step")
    names = ("point", "seed", "fold", "step", metric, column)
    found: dict[tuple[int, int, int], list[tuple[float, float, float]]] = {}
    for point, seed, fold, *measured in zip(*(known[name].tolist() for name in names), strict=True):
        step, train, valid = map(float, measured)
        found.setdefault((int(point), int(seed), int(fold)), []).append((step, train, valid))
    return found
