"""The points of a study, read from the table of its trials."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.reports.kit.space import Axis, floats, main_axis, plain, searched
from hpsearch.statistics.intervals import Interval, mean_interval, standard_deviation

if TYPE_CHECKING:
    import pandas as pd

_TRIAL = ["point", "seed", "fold"]
_STATE_RANK = (
    *(TrialState.RUNNING, TrialState.PAUSED, TrialState.WAITING),
    *(TrialState.FAILED, TrialState.INFEASIBLE, TrialState.PRUNED, TrialState.COMPLETE),
)


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of the searched hyperparameters and what its trials gave.

    Attributes:
        point: number of the point.
        params: the active hyperparameters.
        state: COMPLETE when every trial is; else the state that decides it.
        trials: how many trials it has so far.
        replicates: (seed, fold) of the complete trials, ascending.
        scores: their scores, in the same order.
        diverged: how many trials diverged.
        partial: mean score at which its PRUNED trials were stopped, None without one.
        mean: mean score when every trial is COMPLETE, else None: a mean over survivors would flatter the point.
        sd: their sample standard deviation, None for fewer than two.
        interval: interval for the mean, None for fewer than two.
    """

    point: int
    params: Mapping[str, Any]
    state: TrialState
    trials: int
    replicates: tuple[tuple[int, int], ...]
    scores: tuple[float, ...]
    diverged: int
    partial: float | None
    mean: float | None
    sd: float | None
    interval: Interval | None

    @property
    def n(self) -> int:
        """How many of its trials are complete."""
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class Results:
    """What was searched in a study and what each point gave.

    Attributes:
        name: name of the study.
        question: what it asks.
        objective: what it optimizes.
        axes: the searched hyperparameters.
        main: the one to draw first.
        points: every point, by number.
        replicates: how many trials a finished point has.
        best: the best point of those with every replicate COMPLETE.
        states: trials by state.
        trial_sec: training time added over trials.
    """

    name: str
    question: str
    objective: Objective
    axes: tuple[Axis, ...]
    main: Axis | None
    points: tuple[Point, ...]
    replicates: int
    best: Point | None
    states: Mapping[TrialState, int]
    trial_sec: float

    @property
    def eligible(self) -> tuple[Point, ...]:
        """The points with every replicate COMPLETE."""
        return eligible_of(self.points, self.replicates)


def results_of(table: TrialTable) -> Results:
    """Read the results of a study from its table."""
    axes, objective = searched(table), objective_of(table.study)
    points, replicates = points_of(table, [axis.key for axis in axes]), replicates_of(table)
    return Results(
        name=table.name,
        question=str(table.study.get("question") or f"What did the study {table.name} find?"),
        objective=objective,
        axes=axes,
        main=main_axis(axes),
        points=points,
        replicates=replicates,
        best=best_of(eligible_of(points, replicates), objective),
        states=Counter(TrialState(state) for state in table.trials["state"]),
        trial_sec=float(np.nansum(floats(table.trials["duration_sec"]))),
    )


def eligible_of(points: Sequence[Point], replicates: int) -> tuple[Point, ...]:
    """Return the points of which every replicate is COMPLETE."""
    return tuple(p for p in points if p.state is TrialState.COMPLETE and p.n >= replicates)


def objective_of(study: Mapping[str, Any]) -> Objective:
    """Return the objective that a study recorded."""
    return objective_from(dict(study.get("objective") or {}))


def objective_from(fields: Mapping[str, Any]) -> Objective:
    """Return an objective as a study recorded it."""
    known = {name: fields[name] for name in ("metric", "direction", "reduce", "smooth", "share") if name in fields}
    return Objective(**{"metric": "score", **known})


def points_of(table: TrialTable, keys: Sequence[str]) -> tuple[Point, ...]:
    """Gather the trials of each point.

    Args:
        table: the study.
        keys: the searched hyperparameters.

    Returns:
        One record per point, by number.
    """
    trials = table.trials.sort_values(["point", "seed", "fold"])
    values = {key: [plain(value) for value in trials[key].tolist()] for key in keys}
    columns = [trials[name].tolist() for name in ("point", "seed", "fold", "state")]
    columns += [floats(trials["score"]).tolist(), trials["reason"].tolist()]
    rows = list(zip(*columns, range(len(trials)), strict=True))
    points = []
    for number, group in itertools.groupby(rows, key=lambda row: row[0]):
        trials_of = list(group)
        params = {key: values[key][trials_of[0][-1]] for key in keys}
        points.append(_point(int(number), {k: v for k, v in params.items() if v is not None}, trials_of))
    return tuple(points)


def _point(number: int, params: Mapping[str, Any], rows: Sequence[tuple[Any, ...]]) -> Point:
    states = [TrialState(state) for _, _, _, state, _, _, _ in rows]
    scored = [row for row in rows if not math.isnan(row[4])]
    done = [(seed, fold, score) for _, seed, fold, state, score, _, _ in scored if state == TrialState.COMPLETE]
    stopped = [score for _, _, _, state, score, _, _ in scored if state == TrialState.PRUNED]
    scores = tuple(float(score) for _, _, score in done)
    state = min(states, key=_STATE_RANK.index)
    whole = scores if state is TrialState.COMPLETE else ()
    return Point(
        point=number,
        params=params,
        state=state,
        trials=len(rows),
        replicates=tuple((int(seed), int(fold)) for seed, fold, _ in done),
        scores=scores,
        diverged=sum(diverged(row[3], row[5]) for row in rows),
        partial=float(np.mean(stopped)) if stopped else None,
        mean=float(np.mean(whole)) if whole else None,
        sd=standard_deviation(whole),
        interval=mean_interval(whole),
    )


def best_of(points: Sequence[Point], objective: Objective) -> Point | None:
    """Return the point with the best mean; of equal ones the one with the smaller spread, then the earlier one."""
    sign = -1 if objective.maximize else 1
    return min(points, key=lambda p: (sign * (p.mean or 0.0), p.sd or 0.0, p.point), default=None)


def replicates_of(table: TrialTable) -> int:
    """Return how many trials a finished point has: the study's seeds, or more where points have folds as well."""
    config = dict(table.study.get("config") or {})
    asked = dict(config.get("study") or {}).get("seeds", 1)
    seen = table.trials.groupby("point").size().max() if len(table.trials) else 1
    return max(int(asked) if isinstance(asked, int) else 1, int(seen))


def best_trial(table: TrialTable, results: Results) -> Mapping[str, Any] | None:
    """Return the best trial of the best point, the first of equal ones, as a row of the table; None without one."""
    if results.best is None:
        return None
    of_point = table.trials[(table.trials["point"] == results.best.point) & table.trials["score"].notna()]
    ordered = of_point.sort_values("score", ascending=not results.objective.maximize, kind="stable")
    row: dict[str, Any] = ordered.iloc[0].to_dict()
    return row


def diverged(state: str, reason: str) -> bool:
    """Return whether a trial's loss ran away: INFEASIBLE, and not for want of memory."""
    return state == TrialState.INFEASIBLE and "memory" not in str(reason)


def loss_ratios(table: TrialTable) -> "pd.Series[float]":
    """Return each trial's last training loss over its first.

    First is the loss of its first optimizer step where steps were recorded, else its first epoch's ``train/loss``;
    last is its last epoch's ``train/loss``, else its last recorded step.

    Args:
        table: the study.

    Returns:
        Ratios indexed by (point, seed, fold); trials without a training loss are left out.
    """
    steps = table.steps.sort_values("step").groupby(_TRIAL)["loss"]
    first, last = steps.first(), steps.last()
    if "train/loss" in table.curves:
        epochs = table.curves.sort_values("epoch").groupby(_TRIAL)["train/loss"]
        first, last = first.combine_first(epochs.first()), epochs.last().combine_first(last)
    return (last / first).dropna()


def halved(table: TrialTable) -> dict[int, bool]:
    """Return, for each point, whether every replicate's last training loss is below half its first.

    Args:
        table: the study.

    Returns:
        True or False by point; a diverged replicate makes it False. Points that FAILED, have not ended or recorded no
        training loss are left out: nothing is known of them.
    """
    ratios = loss_ratios(table).to_dict()
    known: dict[int, list[float]] = defaultdict(list)
    unstable, unknown = set(), set()
    trials = table.trials
    for point, seed, fold, state, reason in zip(*(trials[c] for c in (*_TRIAL, "state", "reason")), strict=True):
        if diverged(state, reason):
            unstable.add(point)
        elif state not in (TrialState.COMPLETE, TrialState.PRUNED):
            unknown.add(point)
        elif (point, seed, fold) in ratios:
            known[point].append(ratios[point, seed, fold])
    measured = {p: max(values) < 0.5 for p, values in known.items() if p not in unknown}
    return {int(point): ok for point, ok in {**measured, **dict.fromkeys(unstable, False)}.items()}
