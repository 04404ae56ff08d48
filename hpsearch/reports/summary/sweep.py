"""What a study found: its points, the best one, how sure that is, and where training is stable."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpsearch.base.types import Objective, TrialState, TrialTable, Widening
from hpsearch.reports.kit.space import Axis, floats, main_axis, plain, searched
from hpsearch.reports.summary.boundary import Frontier, Stability, diverged, frontier_of, stability
from hpsearch.reports.summary.pareto import Front, front_of, objective_from
from hpsearch.reports.summary.pruning import Pruning, pruning_of
from hpsearch.reports.summary.ranges import Near, extensions_of, near_best, ranged
from hpsearch.statistics.intervals import Interval, mean_interval, paired_interval, spread
from hpsearch.statistics.optimism import expected_maximum

EDGE = 0.1  # a best value in the outer tenth of its range lies at an edge
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
class Summary:
    """A study's result as numbers.

    Attributes:
        name: name of the study.
        question: what it asks.
        objective: what it optimizes.
        axes: the searched hyperparameters.
        main: the one to draw first.
        points: every point, by number.
        replicates: how many trials a finished point has.
        best: the best point of those with every replicate COMPLETE.
        ties: other points with exactly the best mean.
        rivals: other points whose paired difference from the best has an interval that includes 0, the nearest first.
        optimism: by how much the best mean would be too good if all points were equal and of the median spread; None
            with one replicate.
        stability: stable range and edges along `main`, None for a category or without a best point.
        at_edge: ``low`` or ``high`` by key, where the best value lies in the outer tenth of the tried range.
        states: trials by state.
        extensions: how ranges were widened because the best value lay at their edge.
        near: the points close to the best; None with fewer than two to compare.
        frontier: the edge of stability among scattered points, of a study with several hyperparameters.
        pruning: what pruning saved; None when nothing was pruned.
        front: the Pareto front of a study with several objectives.
        trial_sec: training time added over trials.
        wall_sec: from the first start to the last end.
    """

    name: str
    question: str
    objective: Objective
    axes: tuple[Axis, ...]
    main: Axis | None
    points: tuple[Point, ...]
    replicates: int
    best: Point | None
    ties: tuple[Point, ...]
    rivals: tuple[Point, ...]
    optimism: float | None
    stability: Stability | None
    at_edge: Mapping[str, str]
    states: Mapping[TrialState, int]
    extensions: tuple[Widening, ...]
    near: Near | None
    frontier: Frontier | None
    pruning: Pruning | None
    front: Front | None
    trial_sec: float
    wall_sec: float

    @property
    def eligible(self) -> tuple[Point, ...]:
        """The points with every replicate COMPLETE."""
        return tuple(p for p in self.points if p.state is TrialState.COMPLETE and p.n >= self.replicates)


def objective_of(study: Mapping[str, Any]) -> Objective:
    """Return the objective that a study recorded."""
    return objective_from(dict(study.get("objective") or {}))


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


def summarize(table: TrialTable) -> Summary:
    """Compute what a study found.

    Args:
        table: the study.

    Returns:
        Its points, the best one, stability and the numbers behind the caveats.
    """
    axes, objective = searched(table), objective_of(table.study)
    points, replicates, main = points_of(table, [a.key for a in axes]), replicates_of(table), main_axis(axes)
    eligible = [p for p in points if p.state is TrialState.COMPLETE and p.n >= replicates]
    best = best_of(eligible, objective)
    others, inside = [p for p in eligible if p is not best], ranged(axes, table.study)
    return Summary(
        name=table.name,
        question=str(table.study.get("question") or f"What did the study {table.name} find?"),
        objective=objective,
        axes=axes,
        main=main,
        points=points,
        replicates=replicates,
        best=best,
        ties=tuple(p for p in others if best and p.mean == best.mean),
        rivals=_rivals(best, others),
        optimism=_optimism(eligible),
        stability=_stability(table, main, points, best),
        at_edge={} if best is None else edges_of(best, inside),
        states=Counter(TrialState(state) for state in table.trials["state"]),
        extensions=extensions_of(table.study),
        near=near_best(best, eligible, objective) if inside or not axes else None,
        frontier=frontier_of(axes, points) if len(axes) > 1 else None,
        pruning=pruning_of(table),
        front=front_of(table, [p.point for p in eligible], len(points)),
        trial_sec=float(np.nansum(floats(table.trials["duration_sec"]))),
        wall_sec=_wall(table),
    )


def best_trial(table: TrialTable, summary: Summary) -> Mapping[str, Any] | None:
    """Return the best trial of the best point, the first of equal ones, as a row of the table; None without one."""
    if summary.best is None:
        return None
    of_point = table.trials[(table.trials["point"] == summary.best.point) & table.trials["score"].notna()]
    ordered = of_point.sort_values("score", ascending=not summary.objective.maximize, kind="stable")
    row: dict[str, Any] = ordered.iloc[0].to_dict()
    return row


def replicates_of(table: TrialTable) -> int:
    """Return how many trials a finished point has: the study's seeds, or more where points have folds as well."""
    config = dict(table.study.get("config") or {})
    asked = dict(config.get("study") or {}).get("seeds", 1)
    seen = table.trials.groupby("point").size().max() if len(table.trials) else 1
    return max(int(asked) if isinstance(asked, int) else 1, int(seen))


def best_of(points: Sequence[Point], objective: Objective) -> Point | None:
    """Return the point with the best mean; of equal ones the one with the smaller spread, then the earlier one."""
    sign = -1 if objective.maximize else 1
    return min(points, key=lambda p: (sign * (p.mean or 0.0), p.sd or 0.0, p.point), default=None)


def edges_of(best: Point, axes: Sequence[Axis]) -> dict[str, str]:
    """Return the numeric hyperparameters whose best value lies in the outer tenth of the values tried.

    Args:
        best: the best point.
        axes: the searched hyperparameters; those with fewer than three values have no inside and are skipped.

    Returns:
        ``low`` or ``high`` by key.
    """
    places = {
        a.key: a.relative(best.params[a.key]) for a in axes if a.numeric and len(a.values) > 2 and a.key in best.params
    }
    return {k: "low" if place < 0.5 else "high" for k, place in places.items() if not EDGE <= place <= 1 - EDGE}


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
        sd=spread(whole),
        interval=mean_interval(whole),
    )


def _rivals(best: Point | None, others: Sequence[Point]) -> tuple[Point, ...]:
    if best is None:
        return ()
    rivals = [p for p in others if _indistinguishable(best, p)]
    return tuple(sorted(rivals, key=lambda p: abs((p.mean or 0.0) - (best.mean or 0.0))))


def _indistinguishable(best: Point, other: Point) -> bool:
    if best.replicates != other.replicates:
        return False
    difference = paired_interval(best.scores, other.scores)
    return difference is not None and difference.low <= 0 <= difference.high


def _wall(table: TrialTable) -> float:
    started, ended = (floats(table.trials[name]) for name in ("started", "ended"))
    known = np.isfinite(ended)
    return float(ended[known].max() - np.nanmin(started)) if known.any() else 0.0


def _optimism(eligible: Sequence[Point]) -> float | None:
    spreads = [p.sd**2 / p.n for p in eligible if p.sd is not None]
    return expected_maximum(len(eligible)) * math.sqrt(float(np.median(spreads))) if len(spreads) > 1 else None


def _stability(table: TrialTable, main: Axis | None, points: Sequence[Point], best: Point | None) -> Stability | None:
    if main is None or not main.numeric or best is None or main.key not in best.params:
        return None
    return stability(table, main, {p.point: p.params for p in points}, best.point)
