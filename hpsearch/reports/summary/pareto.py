"""The best points of a study with several objectives: those that no other point beats in all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.kit.points import objective_from
from hpsearch.reports.kit.space import floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Front:
    """The points that count, and which of them are on the Pareto front.

    Attributes:
        objectives: what is optimized, the primary one first.
        values: mean over replicates of each objective, by point; of every point that has them all.
        front: the points that no other dominates, in the order of the primary objective, the best first.
        left_out: how many points have no value of some objective: unfinished, pruned, infeasible or failed.
    """

    objectives: tuple[Objective, ...]
    values: Mapping[int, tuple[float, ...]]
    front: tuple[int, ...]
    left_out: int


def front_of(table: TrialTable, eligible: Sequence[int], points: int) -> Front | None:
    """Return the Pareto front over the means of replicates.

    The primary objective is the score; another is read from the curves of its metric, or from the fact of its name.

    Args:
        table: the study.
        eligible: points with every replicate COMPLETE: an infeasible or pruned point dominates nothing.
        points: how many points there are.

    Returns:
        The front; None with fewer than two objectives.
    """
    objectives = tuple(objective_from(fields) for fields in table.study.get("objectives") or ())
    if len(objectives) < 2:
        return None
    trials = table.trials[table.trials["point"].isin(list(eligible))]
    scores = {"score": floats(trials["score"])} | {each.metric: _scores(each, table, trials) for each in objectives[1:]}
    means = trials[["point"]].assign(**scores).groupby("point").mean().dropna()
    if means.empty:
        return Front(objectives, {}, (), points)
    losses = means.to_numpy() * [-1.0 if objective.maximize else 1.0 for objective in objectives]
    numbers = [int(point) for point in means.index]
    best = np.flatnonzero(non_dominated(losses))
    order = sorted(best.tolist(), key=lambda i: (*losses[i], numbers[i]))
    values = {point: tuple(row) for point, row in zip(numbers, means.to_numpy().tolist(), strict=True)}
    return Front(objectives, values, tuple(numbers[i] for i in order), points - len(values))


def _scores(objective: Objective, table: TrialTable, trials: "pd.DataFrame") -> NDArray[np.float64]:
    """Return an objective of every trial, nan where it was not measured."""
    facts = trials[objective.metric] if objective.metric in trials else [np.nan] * len(trials)
    if objective.metric not in table.curves:
        return floats(facts)
    columns = ["point", "seed", "fold"]
    curves = table.curves[[*columns, "epoch", objective.metric]].dropna()
    by_trial = {trial: dict(zip(c["epoch"], c[objective.metric], strict=True)) for trial, c in curves.groupby(columns)}
    named = zip(trials[columns].itertuples(index=False, name=None), facts, strict=True)
    return floats([objective.value(by_trial.get(trial, {}), {objective.metric: fact}) for trial, fact in named])


def non_dominated(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows no other row dominates: at most as large everywhere and smaller somewhere.

    Args:
        losses: one row per point, one column per objective, smaller is better; equal rows do not dominate each other.

    Returns:
        A flag per row.
    """
    kept = np.zeros(len(losses), dtype=bool)
    front = np.empty((0, losses.shape[1]))
    for i in np.lexsort(losses.T[::-1]):  # whoever dominates a row stands before it
        row = losses[i]
        if not np.any(np.all(front <= row, axis=1) & np.any(front < row, axis=1)):
            kept[i] = True
            front = np.vstack([front, row])
    return kept
