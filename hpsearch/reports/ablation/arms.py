"""The arms of an ablation: the cells of the grid of its factors, each with its replicates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpsearch.base.digits import SAME
from hpsearch.base.printed import on_one_line
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.base.words import label, plain_number, settings
from hpsearch.reports.kit.ends import End, ends_by_point, last_scores
from hpsearch.reports.kit.evidence import Known, StudyIntervals
from hpsearch.reports.kit.points import Point, objective_of, points_of
from hpsearch.reports.kit.space import Axis, plain, searched
from hpsearch.reports.kit.tested import test_scores
from hpsearch.statistics.intervals import LARGE, Estimate, estimate

PARAMETERS = "parameters"
"""Fact of a trial: how many parameters its network has."""


@dataclass(frozen=True, slots=True)
class Factor:
    """What an ablation varies.

    Attributes:
        key: dotted key, a column of the trials.
        name: its name in words.
        values: its values in the order of the space; None is a value too.
        axis: how its values are spaced.
    """

    key: str
    name: str
    values: tuple[Any, ...]
    axis: Axis

    @property
    def varies(self) -> bool:
        """Whether it has more than one value."""
        return len(self.values) > 1


@dataclass(frozen=True, slots=True)
class Arm:
    """One cell of the factors' grid.

    Attributes:
        point: number of its point in the study.
        name: its levels in words; unique in a study.
        levels: value of every factor, by dotted key; None where a conditional factor is inactive.
        nuisance: the nuisance hyperparameters that it was given, by dotted key; empty where they were held.
        replicates: (seed, fold) of its COMPLETE trials, ascending.
        score: of these, the objective's metric; its interval is for seeds and samples like these where it can be.
        test: the same metric on the test split; None where that was not evaluated.
        trials: how many trials it has.
        diverged: how many of them diverged; their scores are in no mean.
        dead: how many stayed at chance; neither are theirs, unless no trial of the arm trains.
        learnt: whether `score` is of trials that train.
        state: COMPLETE when every trial is; else the state that decides it.
        alike: whether its seeds change nothing, so that one of them counts.
        known: what the interval of the score is over; None where it is over the seeds alone.
        end: the metric at the ends of its trials; None where a score is no mean of several evaluations.
        lasts: the last of these evaluations, of each replicate; empty where there are none.
        parameters: how many parameters its network has; None where that is not known or its trials differ.
    """

    point: int
    name: str
    levels: Mapping[str, Any]
    nuisance: Mapping[str, Any]
    replicates: tuple[tuple[int, int], ...]
    score: Estimate
    test: Estimate | None
    trials: int
    diverged: int
    state: TrialState
    alike: bool = False
    known: Known | None = None
    dead: int = 0
    learnt: bool = True
    end: End | None = None
    lasts: tuple[float, ...] = ()
    parameters: int | None = None

    @property
    def trained(self) -> int:
        """How many of its trials train."""
        return self.score.n if self.learnt else 0

    @property
    def lost(self) -> int:
        """How many diverged or stayed at chance; an arm with one is not ranked by its mean."""
        return self.diverged + self.dead

    @property
    def finished(self) -> bool:
        """Whether there is a score at all."""
        return self.score.n > 0


def factors_of(table: TrialTable) -> tuple[Factor, ...]:
    """Return what a study of arms varies.

    Args:
        table: the study.

    Returns:
        Its factors in the order of the space: the searched keys that are in ``ablation.factors``, all where that is
        not recorded.
    """
    axes = {axis.key: axis for axis in searched(table)}
    keys = ablation_options(table.study).get("factors") or list(axes)
    return tuple(Factor(key, label(key), _in_order(table, key), axes[key]) for key in keys if key in axes)


def ablation_options(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the block ``ablation`` of the configuration that a study recorded."""
    return dict((study.get("config") or {}).get("ablation") or {})


def arms_of(table: TrialTable, factors: Sequence[Factor]) -> tuple[Arm, ...]:
    """Return the arms of a study.

    Args:
        table: the study.
        factors: what it varies.

    Returns:
        One arm per point, in the order of the points.
    """
    keys = [axis.key for axis in searched(table)]
    objective = objective_of(table.study)
    tested, intervals = test_scores(table, objective), StudyIntervals(table, objective)
    ends, lasts = ends_by_point(table, objective), last_scores(table, objective)
    sizes = _parameters(table)
    return tuple(
        replace(
            _arm(point, factors, tested, intervals),
            end=ends.get(point.point),
            lasts=_of_all(lasts, point),
            parameters=sizes.get(point.point),
        )
        for point in points_of(table, keys)
    )


def _of_all(lasts: Mapping[tuple[int, int, int], float], point: Point) -> tuple[float, ...]:
    trials = [(point.point, *each) for each in point.replicates]
    return tuple(lasts[each] for each in trials) if all(each in lasts for each in trials) else ()


def _parameters(table: TrialTable) -> dict[int, int]:
    """Return how many parameters the network of each point has, where its trials say so alike."""
    if PARAMETERS not in table.trials:
        return {}
    known = table.trials[table.trials[PARAMETERS].notna()].groupby("point")[PARAMETERS].agg(["min", "max"])
    return {int(point): int(row["min"]) for point, row in known.iterrows() if row["min"] == row["max"]}


def replicates_in_common(arms: Sequence[Arm]) -> tuple[tuple[int, int], ...]:
    """Return the (seed, fold) that every one of the arms has a score for, ascending."""
    return tuple(sorted(set.intersection(*(set(arm.replicates) for arm in arms)))) if arms else ()


def scores(arm: Arm, replicates: Sequence[tuple[int, int]]) -> list[float]:
    """Return an arm's scores of these replicates, in their order."""
    known = dict(zip(arm.replicates, arm.score.values, strict=True))
    return [known[replicate] for replicate in replicates]


def name_of(levels: Mapping[str, Any]) -> str:
    """Write the levels of an arm on one line, no two arms alike."""
    return settings({key: level(value) for key, value in levels.items()})


def level(value: Any) -> str:
    """Write one level of a factor: with as many digits as it has, those of rounding left out."""
    text = plain_number(value)
    if isinstance(value, str):
        return on_one_line(value)
    if not isinstance(value, float) or not math.isfinite(value) or float(text) == value:
        return text
    longer = f"{value:.12g}"
    return longer if math.isclose(float(longer), value, rel_tol=SAME) else repr(value)


def _arm(
    point: Point,
    factors: Sequence[Factor],
    tested: Mapping[tuple[int, int, int], float],
    intervals: StudyIntervals,
) -> Arm:
    keys = [factor.key for factor in factors]
    levels = {key: point.params.get(key) for key in keys}
    places = [each for each in point.replicates if (point.point, *each) in tested]
    found = [tested[point.point, *each] for each in places]
    return Arm(
        point=point.point,
        name=name_of(levels),
        levels=levels,
        nuisance=point.params.without(keys),
        replicates=point.replicates,
        score=_estimate(point.scores, point.known),
        test=_estimate(found, intervals.known(point.point, places, found, "test")) if found else None,
        trials=point.trials,
        diverged=point.diverged,
        state=point.state,
        alike=point.alike,
        known=point.known,
        dead=point.dead,
        learnt=point.trained > 0 or not point.dead,
    )


def _estimate(values: Sequence[float], known: Known) -> Estimate:
    """Return a mean with the interval that is known of it; where that is over the seeds alone, with those over them."""
    found = estimate(values)
    if known.narrow and len(values) >= LARGE:
        return found
    return replace(found, known=known.interval, t=known.interval if known.student else None, bca=None)


def _in_order(table: TrialTable, key: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(plain(value) for value in table.trials.sort_values("point")[key].tolist()))


def with_arms(table: TrialTable) -> TrialTable:
    """Return a study of arms with the name of each trial's arm and, in the curves, its factors as columns.

    Args:
        table: the study.

    Returns:
        The same tables: trials with a column ``arm``, curves with ``arm`` and one column per factor.
    """
    factors = factors_of(table)
    arms = {arm.point: arm for arm in arms_of(table, factors)}
    curves = table.curves.assign(arm=[arms[point].name for point in table.curves["point"]])
    curves = curves.assign(**{f.key: [arms[point].levels[f.key] for point in curves["point"]] for f in factors})
    return replace(
        table, trials=table.trials.assign(arm=[arms[point].name for point in table.trials["point"]]), curves=curves
    )
