"""The points of a study, read from the table of its trials."""

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hpsearch.base.columns import metric_column
from hpsearch.base.digits import Digits
from hpsearch.base.outcome import PointOutcome, diverged, point_outcome, rank_key
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.base.words import Setting
from hpsearch.reports.kit.evidence import Known, PointInterval, StudyIntervals
from hpsearch.reports.kit.fresh import fresh_part, searched_part
from hpsearch.reports.kit.losses import loss_compared_by
from hpsearch.reports.kit.repeated import repeated_trials
from hpsearch.reports.kit.setup import why_ended
from hpsearch.reports.kit.space import INACTIVE, Axis, columns, digits_of, floats, main_axis, searched
from hpsearch.reports.kit.spent import spent_sec
from hpsearch.reports.kit.training import dead_trials
from hpsearch.statistics.intervals import Interval, standard_deviation

if TYPE_CHECKING:
    import pandas as pd

_TRIAL = ["point", "seed", "fold"]
_UNFINISHED = (TrialState.RUNNING, TrialState.PAUSED, TrialState.WAITING)


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of the searched hyperparameters and what its trials gave.

    Attributes:
        point: number of the point.
        params: the active hyperparameters.
        state: of a trial that has not ended, else as `hpsearch.base.outcome.point_outcome` has it.
        trials: how many trials it has so far.
        replicates: (seed, fold) of the complete trials, ascending; those of the first seed where seeds change nothing,
            and those that train where others do not, see `parted`.
        scores: their scores, in the same order.
        diverged: how many trials diverged.
        partial: mean score at which its PRUNED trials were stopped, or of its trials where it was stopped between them;
            None without one.
        values: mean of each objective over the trials of a COMPLETE point; none of another and of a parted one: a mean
            over survivors would flatter it.
        sd: sample standard deviation of the score, None for fewer than two trials.
        intervals: of the mean, read when it is asked for; None of a point that is not COMPLETE.
        alike: whether the seeds change nothing: of trials that measured the same, one counts.
        dead: how many complete trials stayed at chance, see `hpsearch.statistics.training.dead`.
        trained: how many complete trials did not.
    """

    point: int
    params: Setting
    state: TrialState
    trials: int
    replicates: tuple[tuple[int, int], ...]
    scores: tuple[float, ...]
    diverged: int
    partial: float | None
    values: tuple[float, ...]
    sd: float | None
    intervals: PointInterval | None = field(compare=False)
    alike: bool = False
    dead: int = 0
    trained: int = 0

    @property
    def known(self) -> Known:
        """The interval of the mean, and what it is over."""
        return self.intervals.known if self.intervals is not None else Known(None)

    @property
    def interval(self) -> Interval | None:
        """Interval of the mean; None for fewer than three trials and where they do not differ."""
        return self.known.interval

    @property
    def samples(self) -> int | None:
        """Of how many validation samples that stand for themselves its scores are shares; None where they are none."""
        return self.intervals.samples if self.intervals is not None else None

    @property
    def mean(self) -> float | None:
        """Mean score of a COMPLETE point, else None."""
        return self.values[0] if self.values else None

    @property
    def n(self) -> int:
        """How many of its scores count: of trials that are complete, and no repetition of another."""
        return len(self.scores)

    @property
    def lost(self) -> int:
        """How many of its trials diverged or stayed at chance: these count alike."""
        return self.diverged + self.dead

    @property
    def parted(self) -> bool:
        """Whether some of its seeds train and others are lost: two clusters, of which no mean tells."""
        return self.trained > 0 and self.lost > 0


@dataclass(frozen=True, slots=True)
class Fresh:
    """What the best points of a search over one seed gave over seeds that nothing was chosen by.

    Attributes:
        seeds: the fresh seeds.
        points: those whose trials all are COMPLETE, by their means over these seeds, the best first.
        lost: those that did not come to their end with every one of them.
        top: the point that the search had as its best, with what it had there.
        of: how many complete points the search had.
        why: why not all that were chosen were trained; empty where they were.
    """

    seeds: tuple[int, ...]
    points: tuple[Point, ...]
    lost: tuple[Point, ...]
    top: Point
    of: int
    why: str

    @property
    def seed(self) -> int:
        """The seed of the search."""
        return self.top.replicates[0][0]

    @property
    def chosen(self) -> int:
        """How many points were trained over fresh seeds."""
        return len(self.points) + len(self.lost)


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
        best: the best point of those with every replicate COMPLETE, over fresh seeds where it was trained over these.
        fresh: what points gave over fresh seeds; None where none were trained.
        loss: what the objective measures where it is a loss: its configuration; else empty.
        states: trials by state.
        infeasible: INFEASIBLE trials by reason.
        ended: why the study ended, with its numbers; empty where it has not.
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
    infeasible: Mapping[str, int]
    ended: str
    trial_sec: float
    fresh: Fresh | None
    loss: Mapping[str, Any]

    @property
    def eligible(self) -> tuple[Point, ...]:
        """The points with every replicate COMPLETE, of which all or none train."""
        return eligible_of(self.points, self.replicates)

    @property
    def quoted(self) -> Point | None:
        """The best point with the scores that are quoted of it: those over fresh seeds where there are any."""
        if self.fresh is None or self.best is None:
            return self.best
        if self.fresh.why == NO_SEEDS:
            return replace(self.best, alike=True)
        return next((point for point in self.fresh.points if point.point == self.best.point), self.best)


def results_of(table: TrialTable) -> Results:
    """Read the results of a study from its table."""
    axes, objective = searched(table), objective_of(table.study)
    points, replicates = points_of(table, [axis.key for axis in axes]), replicates_of(table)
    eligible = ranked(rankable(points, replicates), objective)
    fresh = _fresh(table, [axis.key for axis in axes], eligible)
    leading = fresh.points[0].point if fresh and fresh.points else None
    return Results(
        name=table.name,
        question=str(table.study.get("question") or f"What did the study {table.name} find?"),
        objective=objective,
        axes=axes,
        main=main_axis(axes),
        points=points,
        replicates=replicates,
        best=next((point for point in eligible if leading in (None, point.point)), None),
        states=Counter(TrialState(state) for state in table.trials["state"]),
        infeasible=Counter(table.trials["reason"][table.trials["state"] == TrialState.INFEASIBLE].astype(str)),
        ended=why_ended(table.study),
        trial_sec=spent_sec(table.trials),
        fresh=fresh,
        loss=loss_compared_by(table),
    )


def _fresh(table: TrialTable, keys: Sequence[str], searched: Sequence[Point]) -> Fresh | None:
    """Return what points gave over fresh seeds, of those that the search has complete, the best first."""
    part, said = fresh_part(table), dict(table.study.get("confirm") or {})
    if part is None or not searched:
        return None
    known, seeds = {point.point for point in searched}, tuple(said.get("seeds", ()))
    points = [point for point in _gathered(part, keys, len(seeds), digits_of(table)) if point.point in known]
    whole = [point for point in eligible_of(points, len(seeds)) if said.get("why") != NO_SEEDS]
    return Fresh(
        seeds=seeds,
        points=tuple(ranked(whole, objective_of(table.study))),
        lost=tuple(point for point in points if point not in whole),
        top=searched[0],
        of=len(searched),
        why=str(said.get("why", "")),
    )


def eligible_of(points: Sequence[Point], replicates: int) -> tuple[Point, ...]:
    """Return the points of which every replicate is COMPLETE, and trains if one does."""
    return tuple(p for p in points if p.state is TrialState.COMPLETE and p.trials >= replicates and not p.parted)


def rankable(points: Sequence[Point], replicates: int) -> tuple[Point, ...]:
    """Return the eligible points that the best one is among: none at chance where a trial of any point trains."""
    anywhere = any(p.trained for p in points)
    return tuple(p for p in eligible_of(points, replicates) if not (anywhere and p.dead))


def objective_of(study: Mapping[str, Any]) -> Objective:
    """Return the objective that a study recorded, with what it optimizes at the same time."""
    others = tuple(_objective(fields) for fields in (study.get("objectives") or ())[1:])
    return replace(_objective(study.get("objective") or {}), others=others)


def _objective(fields: Mapping[str, Any]) -> Objective:
    known = {name: fields[name] for name in ("metric", "direction", "reduce", "share", "margin") if name in fields}
    return Objective(**{"metric": "score", **known})


def points_of(table: TrialTable, keys: Sequence[str]) -> tuple[Point, ...]:
    """Return one record per point of a study, by number; `keys` are the searched hyperparameters."""
    part = searched_part(table)
    return _gathered(part, keys, replicates_of(part), digits_of(table))


def _gathered(
    table: TrialTable, keys: Sequence[str], replicates: int, digits: Mapping[str, Digits]
) -> tuple[Point, ...]:
    """Gather the trials of each point, of which a whole one has so many."""
    objective, trials = objective_of(table.study), table.trials.sort_values(_TRIAL)
    values = columns(replace(table, trials=trials), keys)
    given = [trials[name].tolist() for name in (*_TRIAL, "state", "reason")]
    places = zip(*(trials[name].astype(int).tolist() for name in _TRIAL), strict=True)
    dead = dead_trials(table)
    further = _scores(objective, table, trials), [place in dead for place in places], range(len(trials))
    rows = [_TrialRow(*row) for row in zip(*given, *further, strict=True)]
    points = []
    repeated, intervals = repeated_trials(table), StudyIntervals(table, objective)
    ended = dict(table.study.get("state") or {}).get("state") == TrialState.COMPLETE
    for number, group in itertools.groupby(rows, key=lambda row: row.point):
        trials_of = list(group)
        params = {key: values[key][trials_of[0].place] for key in keys}
        active = Setting({key: value for key, value in params.items() if value is not INACTIVE}, digits)
        points.append(_point(int(number), active, trials_of, repeated, intervals, replicates=replicates, ended=ended))
    return tuple(points)


class _TrialRow(NamedTuple):
    point: int
    seed: int
    fold: int
    state: str
    reason: str
    scores: tuple[float, ...]
    dead: bool
    place: int


def _scores(objective: Objective, table: TrialTable, trials: "pd.DataFrame") -> list[tuple[float, ...]]:
    """Return the scores of every trial, one per objective, nan where there is none."""
    scores = [floats(trials["score"]).tolist(), *(_further_scores(each, table, trials) for each in objective.others)]
    return list(zip(*scores, strict=True))


def _further_scores(objective: Objective, table: TrialTable, trials: "pd.DataFrame") -> list[float]:
    """Return an objective of every trial from the curves of its metric, or from the fact of its name."""
    column = metric_column(objective.metric)
    facts = trials[column] if column in trials else [math.nan] * len(trials)
    if column not in table.curves:
        return [float(value) for value in floats(facts)]
    curves = table.curves[[*_TRIAL, "epoch", column]].dropna()
    by_trial = {trial: dict(zip(c["epoch"], c[column], strict=True)) for trial, c in curves.groupby(_TRIAL)}
    named = zip(trials[_TRIAL].itertuples(index=False, name=None), facts, strict=True)
    ends = ends_of(table, objective.metric)
    return [objective.value(by_trial.get(t, {}), {objective.metric: fact}, ends.get(t, ())) for t, fact in named]


def ends_of(table: TrialTable, metric: str) -> dict[tuple[int, int, int], list[float]]:
    """Return a metric at the evaluations at the ends of trials, by point, seed and fold; of those that measured it."""
    column = "step" if metric == "step" else metric_column(metric)
    if table.ends is None or column not in table.ends:
        return {}
    groups = table.ends.sort_values("step").groupby(_TRIAL)[column]
    return {trial: values.tolist() for trial, values in groups if not values.isna().any()}


def _point(
    number: int,
    params: Setting,
    rows: Sequence[_TrialRow],
    repeated: Collection[tuple[int, int, int]],
    intervals: StudyIntervals,
    *,
    replicates: int,
    ended: bool,
) -> Point:
    counted = [row for row in rows if (row.point, row.seed, row.fold) not in repeated]
    outcome = _outcome(rows, counted, replicates, ended)
    trained = sum(row.state == TrialState.COMPLETE and not row.dead for row in rows)
    parted = trained > 0 and any(row.dead or diverged(row.state, row.reason) for row in rows)
    whole = outcome.state is TrialState.COMPLETE and not parted
    kept = [row for row in counted if not (parted and row.dead)]
    scored = [(row, row.scores[0]) for row in kept if not math.isnan(row.scores[0])]
    done = [(row, score) for row, score in scored if row.state == TrialState.COMPLETE]
    cut = TrialState.PRUNED if TrialState.PRUNED in {row.state for row, _ in scored} else TrialState.COMPLETE
    stopped = [score for row, score in scored if outcome.state is TrialState.PRUNED and row.state == cut]
    replicas = tuple((int(row.seed), int(row.fold)) for row, _ in done)
    scores = tuple(score for _, score in done)
    return Point(
        point=number,
        params=params,
        state=outcome.state,
        trials=len(rows),
        replicates=replicas,
        scores=scores,
        diverged=sum(diverged(row.state, row.reason) for row in rows),
        dead=sum(row.dead for row in rows),
        trained=trained,
        partial=float(np.mean(stopped)) if stopped else None,
        values=outcome.values if outcome.values and whole else (),
        sd=standard_deviation(scores) if parted else None if math.isnan(outcome.sd) else outcome.sd,
        intervals=PointInterval(intervals, number, replicas, scores) if whole else None,
        alike=len(counted) < len(rows),
    )


def _outcome(rows: Sequence[_TrialRow], counted: Sequence[_TrialRow], replicates: int, ended: bool) -> PointOutcome:
    """Return what a point has come to; one of too few trials, all COMPLETE, waits for more or was stopped."""
    states = [TrialState(row.state) for row in rows]
    unfinished = next((state for state in _UNFINISHED if state in states), None)
    short = len(rows) < replicates and set(states) == {TrialState.COMPLETE}
    if unfinished or (short and not ended):
        return PointOutcome(unfinished or TrialState.WAITING)
    return point_outcome(states, [row.scores for row in counted], penalties=(), stopped=short)


def ranked(points: Iterable[Point], objective: Objective) -> list[Point]:
    """Return the COMPLETE ones of points, the best first; see `hpsearch.base.outcome.rank_key`."""
    return sorted((p for p in points if p.values), key=lambda p: rank_key(objective, p.values, p.sd, p.point))


def best_first(points: Sequence[Point], objective: Objective) -> list[Point]:
    """Return all of the points: the COMPLETE ones, the best first, then the others as they came."""
    return [*ranked(points, objective), *(p for p in points if not p.values)]


def replicates_of(table: TrialTable) -> int:
    """Return how many trials a finished point has: the study's seeds, or more where points have folds as well."""
    table = searched_part(table)
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
