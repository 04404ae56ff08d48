"""The nuisance hyperparameters of an ablation: held for every arm, or retuned for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hpsearch.base.columns import metric_column
from hpsearch.base.conditions import flat_entries, split_name
from hpsearch.base.keys import HELD
from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.base.words import Setting
from hpsearch.reports.ablation.arms import Arm, ablation_options, name_of
from hpsearch.reports.ablation.choice import chosen, judged_by_updates, smoothed_means
from hpsearch.reports.ablation.costs import trainings_of
from hpsearch.reports.kit.points import Point, objective_of, points_of
from hpsearch.reports.kit.setup import settings_of, why_ended
from hpsearch.reports.kit.space import Axis, searched
from hpsearch.reports.kit.training import points_train, trains_of
from hpsearch.statistics.intervals import estimate

SCORE, UPDATES = "score", "updates"
"""What nuisance hyperparameters are tuned for."""


@dataclass(frozen=True, slots=True)
class TriedSetting:
    """One setting of the nuisance hyperparameters of an arm and what became of it.

    Attributes:
        params: the nuisance values.
        mean: mean score; None when a trial did not end.
        diverged: whether a trial diverged.
        stable: whether every trial trains, see `hpsearch.reports.kit.training.points_train`; None where that is not
            known.
        smoothed: mean smoothed over neighbouring settings, see `hpsearch.reports.ablation.choice`; None of those that
            cannot be chosen.
        scores: of its COMPLETE trials, by seed and fold.
        trains: of each of its trials whether it trains; None where that is not known.
    """

    params: Setting
    mean: float | None
    diverged: bool
    stable: bool | None = None
    smoothed: float | None = None
    scores: Mapping[tuple[int, int], float] = field(default_factory=dict)
    trains: tuple[bool | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ArmSearch:
    """The search over the nuisance hyperparameters of one arm.

    Attributes:
        arm: its name.
        levels: its factors.
        params: the chosen values, those of the best smoothed mean; empty when none trained to the end.
        mean: mean score there, not smoothed; None without one.
        seeds: how many trials that mean is over.
        at_edge: ``low`` or ``high`` by key, where the chosen value is the first or the last of three or more tried.
        tried: every setting, in the order of the points.
    """

    arm: str
    levels: Mapping[str, Any]
    params: Setting
    mean: float | None
    seeds: int
    at_edge: Mapping[str, str]
    tried: tuple[TriedSetting, ...]

    @property
    def trained(self) -> int:
        """How many settings trained to the end with every seed: those that could be chosen."""
        return sum(each.mean is not None and each.stable is not False for each in self.tried)


@dataclass(frozen=True, slots=True)
class Nuisance:
    """How an ablation treats what it does not ask about.

    Attributes:
        mode: ``held`` or ``retuned``.
        keys: the nuisance hyperparameters.
        held: their values in every arm, by key, where they are held.
        searches: the search of each arm, where they are retuned and the search is at hand.
        ended: why that search ended; empty where it has not, or is not at hand.
        tuned_for: ``score``, or ``updates`` to the target.
    """

    mode: str
    keys: tuple[str, ...]
    held: Mapping[str, Any]
    searches: tuple[ArmSearch, ...]
    ended: str = ""
    tuned_for: str = SCORE


def nuisance_of(table: TrialTable, arms: Sequence[Arm], tuning: TrialTable | None) -> Nuisance:
    """Return how a study of arms treats its nuisance hyperparameters.

    Args:
        table: the study of the arms.
        arms: its arms.
        tuning: the study of the search before it; None where there was none.

    Returns:
        The record.
    """
    config = dict(table.study.get("config") or {})
    declared = [split_name(name)[0] for name, _ in flat_entries(config.get("nuisance") or {})]
    keys = tuple(dict.fromkeys([*declared, *(key for arm in arms for key in arm.nuisance)]))
    options = ablation_options(table.study)
    mode, tuned_for = options.get("nuisance") or HELD, options.get("tune_for") or SCORE
    fixed = {k: v for group, value in config.items() for k, v in settings_of(group, value).items()}
    held = {key: fixed[key] for key in keys if mode == HELD and key in fixed}
    if tuning is None:
        return Nuisance(mode, keys, held, ())
    return Nuisance(mode, keys, held, searches_of(tuning), why_ended(tuning.study), tuned_for)


def searches_of(table: TrialTable) -> tuple[ArmSearch, ...]:
    """Choose the nuisance values of every arm.

    Args:
        table: the study of the search.

    Returns:
        One record per arm, in the order of their first points.
    """
    axes, objective = searched(table), objective_of(table.study)
    factors = ablation_options(table.study).get("factors") or []
    stable, trains = points_train(table, factors), trains_of(table, factors)
    options = ablation_options(table.study)
    by_updates = options.get("tune_for") == UPDATES and options.get("target") is not None
    trainings = trainings_of(table, metric_column(objective.metric)) if by_updates else {}
    better = replace(objective, direction="minimize", others=()) if by_updates else objective
    by_arm: dict[str, list[Point]] = {}
    for point in points_of(table, [axis.key for axis in axes]):
        by_arm.setdefault(name_of({key: point.params.get(key) for key in factors}), []).append(point)
    judged = {
        name: judged_by_updates(points, trainings, objective, options["target"]) if by_updates else points
        for name, points in by_arm.items()
    }
    return tuple(
        _search(name, points, factors, axes, (judged[name], better), stable, trains) for name, points in by_arm.items()
    )


def with_untrained(arms: Sequence[Arm], searches: Sequence[ArmSearch]) -> tuple[Arm, ...]:
    """Return the arms with those that trained at none of their settings, so that none is lost without a word.

    Args:
        arms: those that were given their best values.
        searches: the search of every arm.

    Returns:
        The arms in the order of the search; one that trained nowhere has no trial, and the point -1.
    """
    untrained = {search.arm: _untrained(search) for search in searches if not search.params}
    by_name = untrained | {arm.name: arm for arm in arms}
    order = dict.fromkeys([*(s.arm for s in searches if s.arm in by_name), *(arm.name for arm in arms)])
    return tuple(by_name[name] for name in order)


def _untrained(search: ArmSearch) -> Arm:
    diverged = any(setting.diverged for setting in search.tried)
    return Arm(
        point=-1,
        name=search.arm,
        levels=search.levels,
        nuisance={},
        replicates=(),
        score=estimate([]),
        test=None,
        trials=0,
        diverged=0,
        state=TrialState.INFEASIBLE if diverged else TrialState.FAILED,
    )


def _search(
    name: str,
    points: Sequence[Point],
    factors: Sequence[str],
    axes: Sequence[Axis],
    judged: tuple[Sequence[Point], Objective],
    stable: Mapping[int, bool],
    trains: Mapping[int, tuple[bool | None, ...]],
) -> ArmSearch:
    by, objective = judged
    smoothed = smoothed_means(by, [axis for axis in axes if axis.key not in factors], stable)
    choice = chosen(by, smoothed, objective)
    best = next((point for point in points if choice is not None and point.point == choice.point), None)
    params = Setting() if best is None else best.params.without(factors)
    scored = smoothed if by is points else {}
    return ArmSearch(
        arm=name,
        levels={key: points[0].params.get(key) for key in factors},
        params=params,
        mean=None if best is None else best.mean,
        seeds=0 if best is None else best.n,
        at_edge={a.key: side for a in axes if a.key in params and a.numeric and (side := _side(a.key, params, points))},
        tried=tuple(_tried(point, factors, stable, scored, trains) for point in points),
    )


def _tried(
    point: Point,
    factors: Sequence[str],
    stable: Mapping[int, bool],
    smoothed: Mapping[int, float],
    trains: Mapping[int, tuple[bool | None, ...]],
) -> TriedSetting:
    return TriedSetting(
        params=point.params.without(factors),
        mean=point.mean,
        diverged=point.diverged > 0,
        stable=stable.get(point.point),
        smoothed=smoothed.get(point.point),
        scores=dict(zip(point.replicates, point.scores, strict=True)),
        trains=trains.get(point.point, ()),
    )


def _side(key: str, params: Mapping[str, Any], points: Sequence[Point]) -> str:
    """Return the end of an arm's own values that the best one is at; empty inside, or of fewer than three."""
    values = sorted({p.params[key] for p in points if key in p.params})
    if len(values) < 3 or params[key] not in (values[0], values[-1]):
        return ""
    return "low" if params[key] == values[0] else "high"
