"""What a search has come to: trials by state, epochs, the best score and the worst."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base.outcome import Failures, PointOutcome, rank_key, repeated_epochs, violation
from hpsearch.base.types import BestPoint, Objective, TrialResult, TrialSpec, TrialState, end_values
from hpsearch.search.live import Finished, Live
from hpsearch.tracking.events import TrialRecord


@dataclass(frozen=True, slots=True)
class Complete:
    """A complete point, and when it ended.

    Attributes:
        point: its number.
        mean: of the first objective over its trials.
        sd: over its trials, nan for one.
        settled: how many points had ended or waited by then, it among them.
    """

    point: int
    mean: float
    sd: float
    settled: int


class Results:
    """Counts what was trained and keeps the best and the worst.

    Args:
        objective: what is searched for.

    Attributes:
        counts: finished trials by state.
        epochs: of all finished trials together.
        best: the best complete point.
        complete: every complete point, as it was noted.
        confirmed: the best point over fresh seeds, since the last better point.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._worst: list[float | None] = [None] * len(objective.each)
        self.counts: Counter[TrialState] = Counter()
        self.epochs: float = 0
        self.best: BestPoint | None = None
        self.complete: list[Complete] = []
        self.confirmed: BestPoint | None = None
        self._best_key: tuple[float, ...] = ()

    @property
    def leading(self) -> BestPoint | None:
        """The best point over fresh seeds, or else of the search."""
        return self.confirmed or self.best

    def add_trials(self, counts: Mapping[TrialState, int], epochs: float) -> None:
        """Count finished trials and the epochs that they trained."""
        self.counts.update(counts)
        self.epochs += epochs

    def add_point(self, point: BestPoint, values: Sequence[float], settled: int) -> bool:
        """Note a complete point.

        Args:
            point: as it would be the best.
            values: its means, one per objective.
            settled: how many points had ended or waited by then, it among them.

        Returns:
            Whether it is the best so far, see `hpsearch.base.outcome.rank_key`.
        """
        self.complete.append(Complete(point.point, point.mean, point.sd, settled))
        for i, (objective, value) in enumerate(zip(self._objective.each, values, strict=True)):
            worst = self._worst[i]
            if worst is None or objective.better(worst, value):
                self._worst[i] = value
        key = rank_key(self._objective, values, point.sd, point.point)
        if self.best is None or key < self._best_key:
            self.best, self._best_key, self.confirmed = point, key, None
        return self.best is point

    def penalties(self, untrained: float) -> list[float]:
        """Return what an infeasible point is told: the worst finite score so far, per objective.

        Args:
            untrained: what the untrained model scored; it stands in for the first objective while there is no score.
        """
        unknown = [untrained if math.isfinite(untrained) else 0.0, *(0.0 for _ in self._objective.others)]
        return [other if worst is None else worst for worst, other in zip(self._worst, unknown, strict=True)]


def recorded(objective: Objective, spec: TrialSpec, known: TrialRecord, curve: Mapping[float, float]) -> Finished:
    """Return a trial that earlier drivers brought to its end, or to a pause.

    Args:
        objective: what is searched for.
        spec: of the trial.
        known: its record.
        curve: the first objective by epoch.

    Returns:
        The trial as it left the pool.
    """
    score = math.nan if known.score is None else known.score
    failed_at = Failures.of(known.facts).failed_at if known.state is TrialState.FAILED else ""
    return Finished(
        spec,
        TrialResult(known.state, known.reason, facts=known.facts, failed_at=failed_at, ended_by=known.ended_by),
        (score, *further_scores(objective, known, {})),
        curve,
        max((report.epoch for report in known.reports), default=0),
        repeated_epochs(known.facts),
    )


def scores_of(objective: Objective, live: Live, known: TrialRecord | None, result: TrialResult) -> tuple[float, ...]:
    """Return what a trial that ends is worth, one number per objective.

    Args:
        objective: what is searched for.
        live: the trial.
        known: the trial as it is on record; needed for several objectives, and where no report has come since then.
        result: how it ended.
    """
    end = end_values(live.last, objective.metric) if live.last or known is None else known.end(objective.metric)
    score = objective.score(live.curve, end) if result.score is None else result.score
    return (score, *further_scores(objective, known, result.facts))


def further_scores(
    objective: Objective, known: TrialRecord | None, facts: Mapping[str, str | int | float]
) -> tuple[float, ...]:
    """Return what a trial scored beside the first objective: of reported metrics, or of facts.

    Args:
        objective: what is searched for.
        known: the trial as it is on record.
        facts: newer ones than those on record.
    """
    if known is None:
        return (math.nan,) * len(objective.others)
    measured = {**known.facts, **facts}
    return tuple(each.value(known.curve(each.metric), measured, known.end(each.metric)) for each in objective.others)


def curve_of(objective: Objective, known: TrialRecord) -> dict[float, tuple[float, ...]]:
    """Return what a trial on record scored by epoch, one number per objective, where all of them are known."""
    first = known.curve(objective.metric)
    curves = [known.curve(each.metric) or _constant(known.facts.get(each.metric), first) for each in objective.each]
    return {e: tuple(curve[e] for curve in curves) for e in first if all(e in curve for curve in curves)}


def _constant(fact: str | int | float | None, epochs: Iterable[float]) -> dict[float, float]:
    return {} if fact is None or isinstance(fact, str) else dict.fromkeys(epochs, float(fact))


def limited_values(
    objective: Objective, known: TrialRecord | None, facts: Mapping[str, str | int | float]
) -> dict[str, float]:
    """Return what an objective limits of a trial, by name: reported metrics at its end, or facts.

    Args:
        objective: what is searched for.
        known: the trial as it is on record.
        facts: newer ones than those on record.
    """
    if known is None:
        return {}
    measured = {**known.facts, **facts}
    return {name: Objective(name).value(known.curve(name), measured, known.end(name)) for name in objective.limits}


def violations(objective: Objective, measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return how far the worst of a point's trials is beyond each limit.

    Args:
        objective: whose limits.
        measured: what is limited, of each trial, see `limited_values`.
    """
    return {
        name: max((violation(limit, each.get(name, math.nan)) for each in measured), default=0.0)
        for name, limit in objective.limits.items()
    }


def outcome_attrs(
    outcome: PointOutcome, states: Sequence[TrialState], epochs: float, settled: int, ended_by: Mapping[str, float]
) -> dict[str, Any]:
    """Return what the Optuna trial of a told point says of it, for a driver that resumes the study.

    Args:
        outcome: of the point.
        states: of its trials.
        epochs: that they trained.
        settled: how many points had ended or waited by then, it among them.
        ended_by: the limits that ended trials of it, by key.

    Returns:
        ``state``, ``trials`` (their number by state), ``epochs``, ``settled``, ``ended_by`` if any, and of a complete
        one ``mean``, ``sd`` and ``n``.
    """
    attrs: dict[str, Any] = {"state": outcome.state, "trials": Counter(states), "epochs": epochs, "settled": settled}
    if ended_by:
        attrs["ended_by"] = dict(ended_by)
    if outcome.state is TrialState.COMPLETE:
        attrs |= {"mean": outcome.mean, "sd": outcome.sd, "n": outcome.n}
    return attrs
