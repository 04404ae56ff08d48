"""The evaluations at the ends of trials, whose mean is the score: what they were, how they jitter, where they drift."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.reports.kit.points import ends_of, objective_of
from hpsearch.reports.kit.tested import test_scores

Trial: TypeAlias = tuple[int, int, int]
_TRIAL = ["point", "seed", "fold"]
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class End:
    """A metric at the ends of trials.

    A straight line is fitted to the evaluations of each trial by least squares.

    Attributes:
        last: mean of the last evaluations.
        jitter: standard deviation of an evaluation around the line of its trial, pooled over trials: the root of the
            sum of squared residuals over that of the degrees of freedom, of a line its evaluations less 2; None where
            no trial has three.
        drift: mean change of the lines from the first evaluation to the last: what is still gained or lost there.
        train: mean of the same metric of the training part, without dropout; None where it was not evaluated.
    """

    last: float
    jitter: float | None
    drift: float
    train: float | None


def ends_by_point(table: TrialTable, objective: Objective) -> dict[int, End]:
    """Return the objective's metric at the ends of the COMPLETE trials of each point.

    Args:
        table: the study.
        objective: whose metric.

    Returns:
        By point, those whose trials were evaluated more than once at their ends.
    """
    if objective.reduce != "end" or table.ends is None:
        return {}
    whole = _complete(table)
    steps, values = ends_of(table, "step"), ends_of(table, objective.metric)
    train = ends_of(table, objective.metric.replace("valid/", "train_eval/"))
    lines: dict[int, list[tuple[Sequence[float], Sequence[float]]]] = {}
    trained: dict[int, list[float]] = {}
    for trial in sorted(whole & values.keys()):
        if len(values[trial]) > 1:
            lines.setdefault(trial[0], []).append((steps[trial], values[trial]))
            if trial in train and objective.metric.startswith("valid/"):
                trained.setdefault(trial[0], []).append(float(np.mean(train[trial])))
    return {point: _end(found, trained.get(point, ())) for point, found in lines.items()}


def last_scores(table: TrialTable, objective: Objective) -> dict[Trial, float]:
    """Return the last of the evaluations that a trial's score is the mean of, by point, seed and fold."""
    return {t: v[-1] for t, v in ends_of(table, objective.metric).items()} if objective.reduce == "end" else {}


def score_note(table: TrialTable) -> str:
    """Say in a sentence what the score of a trial is, and of which weights its test score."""
    objective = objective_of(table.study)
    regularizer = (table.study.get("config") or {}).get("regularizer")
    stopping = regularizer.get("early_stopping") if isinstance(regularizer, Mapping) else None
    restores = isinstance(stopping, Mapping) and stopping.get("restore_best", True)
    if objective.reduce == "best":
        what, weights = "the best value of its curve", "best"
    elif objective.reduce == "last" or not ends_of(table, objective.metric):
        what, weights = "its last value", "restored" if restores else "last"
    elif restores:
        what, weights = "the mean of the evaluations before, at and after the one that it restores", "restored"
    else:
        what, weights = "the mean of its evaluations at 95, 97.5 and 100 % of its updates", "same"
    tested = f"; test scores are of the {weights} weights" if test_scores(table, objective) else ""
    return f"A trial's score is {what}{tested}."


def _complete(table: TrialTable) -> set[Trial]:
    rows = table.trials[table.trials["state"] == TrialState.COMPLETE]
    return set(zip(*(rows[name].astype(int).tolist() for name in _TRIAL), strict=True))


def _plain(value: float, size: float) -> float:
    """Return a number, 0 where it is what rounding leaves of numbers of a size."""
    return 0.0 if abs(value) < _ROUNDING * size else value


def _end(lines: Sequence[tuple[Sequence[float], Sequence[float]]], train: Sequence[float]) -> End:
    squares, freedom, drifts = 0.0, 0, []
    for steps, values in lines:
        x = np.array(steps, float)
        slope, height = np.polyfit(x - x.mean(), values, 1)
        residuals = np.array(values) - height - slope * (x - x.mean())
        size = np.abs(values).max()
        squares, freedom = squares + _plain(float(residuals @ residuals), size**2), freedom + len(values) - 2
        drifts.append(float(slope * (x[-1] - x[0])))
    return End(
        last=float(np.mean([values[-1] for _, values in lines])),
        jitter=math.sqrt(squares / freedom) if freedom else None,
        drift=_plain(float(np.mean(drifts)), max(abs(value) for _, values in lines for value in values)),
        train=float(np.mean(train)) if train else None,
    )
