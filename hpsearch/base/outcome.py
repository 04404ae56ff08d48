"""In which state an attempt, a trial and a point end, and which point is best: the rules, in one place.

An attempt ends by itself, by an error (`failure`) or by a decision (`state_after`); one that failed is tried again or
not (`Failures`). A trial whose last attempt has ended is judged by its scores (`trial_outcome`), and a point by its
trials once all have ended (`point_outcome`); the complete points of a search stand in one order (`rank_key`).
"""

import math
import statistics
import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from hpsearch.base.errors import HpsearchError, StorageError, exit_error, first_line, nearest, no_room, out_of_memory
from hpsearch.base.keys import SILENT_SECONDS
from hpsearch.base.readable import TEXT, readable
from hpsearch.base.types import Decision, Objective, TrialResult, TrialState, whole_or_fraction
from hpsearch.base.words import epoch_text, plain_number

ROUNDING = 1e-12
"""A deviation of scores that is no larger, relative to the largest of them, is none."""
INFEASIBLE = "infeasible"
"""Constraint that a point breaks, by a value above 0, which diverged or ran out of memory."""
GIVEN_UP = "given up by hand"
"""Reason of a trial that its user gave up: PRUNED, though not by a pruner."""
REPEATED = "repeated_epochs"
"""Fact of a trial: epochs that it trained once more, as an attempt began at an earlier one than the last came to."""
WORST_FIRST = (TrialState.FAILED, TrialState.INFEASIBLE, TrialState.PRUNED, TrialState.COMPLETE)

OUT_OF_MEMORY, NOT_COMPARED, TOO_LONG = "out of memory", "not compared", "took too long"
"""What the reason of an INFEASIBLE trial begins with whose training did not run away: see `diverged`."""

NO_ROOM = "no room to write: "
"""What the reason of an attempt begins with that could not write: no fault of the trial."""


def repeated_epochs(facts: Mapping[str, str | int | float]) -> float:
    """Return the epochs that a trial trained once more, an int where they are whole."""
    return whole_or_fraction(float(facts.get(REPEATED, 0)))


def failure(error: BaseException, time_sec: float) -> TrialResult:
    """Return the result of an attempt that an error ended: FAILED, or INFEASIBLE for lack of memory.

    Args:
        error: that escaped the attempt; an `HpsearchError` is one that the user must mend, so it is not tried again.
        time_sec: seconds since the Unix epoch.
    """
    text = exit_error(error) or first_line(error)
    if out_of_memory(error):
        return TrialResult(TrialState.INFEASIBLE, f"{OUT_OF_MEMORY}: {text or type(error).__name__}", time=time_sec)
    return TrialResult(
        TrialState.FAILED,
        reason=_reason(error, text),
        traceback=readable("".join(traceback.format_exception(error)), TEXT),
        retry=not isinstance(error, HpsearchError),
        time=time_sec,
        failed_at=_raised_at(error),
    )


def _reason(error: BaseException, text: str) -> str:
    if full := no_room(error):
        return NO_ROOM + full
    if isinstance(error, HpsearchError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _raised_at(error: BaseException) -> str:
    """Return the type of an error and the line that raised it."""
    frames = [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return f"{type(error).__name__} at {frames[-1] if frames else '?'}"


@dataclass(frozen=True, slots=True)
class Failures:
    """The attempts of a trial that failed, over its pauses and the drivers that ran it.

    They are facts of the trial, and its record is the only place that keeps them.

    Attributes:
        count: how many there were.
        failed_at: of the last one, see `TrialResult`.
    """

    count: int = 0
    failed_at: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, str | int | float]) -> Self:
        """Return the failures among the facts of a trial."""
        return cls(int(facts.get("failures", 0)), str(facts.get("failed_at", "")))

    @property
    def facts(self) -> dict[str, str | int | float]:
        """These failures as facts of a trial."""
        return {"failures": self.count, "failed_at": self.failed_at}

    def and_one(self, result: TrialResult) -> TrialResult:
        """Return a FAILED result with these failures and its own among its facts.

        Raises:
            StorageError: the attempt had no room to write. That ends the command and not the trial, which goes on when
                the command is given again.
        """
        if result.reason.startswith(NO_ROOM):
            raise StorageError(f"{result.reason}; make room and give the same command again")
        return replace(result, facts={**result.facts, **Failures(self.count + 1, result.failed_at).facts})

    def repeated_by(self, result: TrialResult) -> bool:
        """Return whether a FAILED attempt raised the same type of error at the same line as the one before."""
        return bool(result.failed_at) and result.failed_at == self.failed_at

    def allow_retry(self, result: TrialResult, retries: int) -> bool:
        """Return whether a trial is tried again after one more FAILED attempt.

        Args:
            result: of that attempt.
            retries: how often a trial is tried again at most.
        """
        return result.retry and not self.repeated_by(result) and self.count < retries


def state_after(decision: Decision, epoch: float) -> tuple[TrialState, str] | None:
    """Return how a decision ends an attempt after an epoch, state and reason; None where it goes on."""
    match decision:
        case Decision.STOP:
            return TrialState.PRUNED, f"stopped after epoch {epoch_text(epoch)}"
        case Decision.PAUSE | Decision.LEAVE:
            return TrialState.PAUSED, f"paused after epoch {epoch_text(epoch)}"
    return None


def beyond_limits(limits: Mapping[str, float], values: Mapping[str, str | int | float]) -> str:
    """Return why a trial is not compared whose values are beyond their limits, or the empty string.

    Args:
        limits: the largest value by name.
        values: what is known of the trial by name; a limit of what is not known holds.
    """
    broken = [
        f"{name} = {plain_number(value)} is not at most {plain_number(limit)}"
        for name, limit in limits.items()
        if isinstance(value := values.get(name), int | float) and not value <= limit
    ]
    return f"{NOT_COMPARED}: {', '.join(broken)}" if broken else ""


def violation(limit: float, value: float) -> float:
    """Return how far a value is beyond its limit, as a share of the limit: 0 or less where it holds, 0 for nan."""
    if math.isnan(value):
        return 0.0
    return (value - limit) / abs(limit) if limit else value


@dataclass(frozen=True, slots=True)
class NamedMetric:
    """A metric or a fact that a key of an objective names.

    Attributes:
        key: dotted key of the configuration.
        metric: its name.
        limit: the largest value of it, where that is what the key holds; None where the key holds the name.
    """

    key: str
    metric: str
    limit: float | None = None

    @property
    def setting(self) -> str:
        """The key and what it holds: ``objective.metric = 'valid/acc'``, ``objective.limits.parameters = 1000``."""
        value = f"'{self.metric}'" if self.limit is None else repr(self.limit)
        return f"{self.key} = {value}"

    def unreported(self, reported: Iterable[str], source: str = "") -> str:
        """Return the line that says that no report has it.

        Args:
            reported: the names that reports have.
            source: where the value came from.
        """
        names = list(reported)
        it = "it" if self.limit is None else f"'{self.metric}'"
        where = f"; from {source}" if source else ""
        return f"{self.setting}: no report has {it}{nearest(self.metric, names)} (reported: {', '.join(names)}{where})"


def missing_metric(objective: Objective, reported: Collection[str], facts: Collection[str] = ()) -> NamedMetric | None:
    """Return the first metric of an objective that a trial does not have, if there is one.

    Args:
        objective: what the search looks at.
        reported: the names of what the trial reported.
        facts: the names of what it measured once; objectives beside the first, and what is limited, may be among them.
    """
    if objective.metric not in reported:
        return NamedMetric("objective.metric", objective.metric)
    named = [
        *(NamedMetric(f"objective.others[{i}].metric", other.metric) for i, other in enumerate(objective.others)),
        *(NamedMetric(f"objective.limits.{metric}", metric, limit) for metric, limit in objective.limits.items()),
    ]
    return next((each for each in named if each.metric not in reported and each.metric not in facts), None)


def over_limit(result: TrialResult, key: str, limit_sec: float) -> TrialResult:
    """Return how an attempt ended that was stopped or killed because it was over a limit in time.

    Args:
        result: how it ended otherwise.
        key: of the limit.
        limit_sec: the limit.

    Returns:
        INFEASIBLE for a trial that took too long, FAILED for an attempt that was silent for too long.
    """
    over = replace(result, retry=True, failed_at="", ended_by={key: limit_sec})
    if key == SILENT_SECONDS:
        return replace(over, state=TrialState.FAILED, reason=f"no report for {limit_sec:g} s ({key})")
    return replace(over, state=TrialState.INFEASIBLE, reason=f"{TOO_LONG}: {limit_sec:g} s ({key})")


def incomplete(result: TrialResult, reason: str) -> TrialResult:
    """Return an attempt that came to its end as FAILED, because it left something out: another one would too."""
    return replace(result, state=TrialState.FAILED, reason=reason, retry=False, failed_at=reason)


def trial_outcome(
    result: TrialResult,
    cut: bool,
    objective: Objective,
    scores: Sequence[float],
    limited: Mapping[str, float] | None = None,
) -> tuple[TrialResult, tuple[float, ...]]:
    """Return how a trial ended, and its scores.

    Args:
        result: how its last attempt ended; a trial may come to its end before it reads that it was to stop.
        cut: whether reports that came after its stop were dropped, so that its curve is not whole.
        objective: what its scores are of.
        scores: what its curves are worth, one number per objective.
        limited: the values that the objective limits, by name.

    Returns:
        The result, PRUNED in place of COMPLETE where its curve was cut, and INFEASIBLE where a score of any objective
        is infinite or nan, or a value is beyond its limit; and its scores, nan where it is not COMPLETE and not for a
        limit alone.
    """
    if result.state is TrialState.COMPLETE and cut:
        result = replace(result, state=TrialState.PRUNED)
    if result.state is TrialState.COMPLETE:
        unknown = [f"{o.metric} is {v}" for o, v in zip(objective.each, scores, strict=True) if not math.isfinite(v)]
        beyond = beyond_limits(objective.limits, limited or {})
        if beyond and not unknown:
            result = replace(result, state=TrialState.INFEASIBLE, reason=beyond)
        if not unknown:
            return result, tuple(scores)
        why = "" if not math.isfinite(scores[0]) else f"{NOT_COMPARED}: "
        result = replace(result, state=TrialState.INFEASIBLE, reason=why + ", ".join(unknown))
    return result, (math.nan,) * len(objective.each)


def diverged(state: str, reason: str) -> bool:
    """Return whether a trial's training ran away: INFEASIBLE by its loss or its first objective, and not otherwise."""
    return state == TrialState.INFEASIBLE and not reason.startswith((OUT_OF_MEMORY, NOT_COMPARED, TOO_LONG))


def is_cut_short(states: Collection[TrialState], stopped: bool) -> bool:
    """Return whether replicates of a point that have not started never do.

    Args:
        states: of the trials that have ended.
        stopped: whether a pruner stopped the point between its replicates.
    """
    return stopped or TrialState.PRUNED in states


@dataclass(frozen=True, slots=True)
class PointOutcome:
    """What a point has come to.

    Attributes:
        state: COMPLETE, PRUNED, INFEASIBLE or FAILED.
        values: what samplers are told, one per objective: penalties of a point that they are to stay away from; None
            where they are told that there is none.
        sd: standard deviation of the first objective over the trials of a COMPLETE point, nan for one trial.
        n: trials of a COMPLETE point.
        violations: how far what is limited is beyond its limit, by name; see `violation`.
    """

    state: TrialState
    values: tuple[float, ...] | None = None
    sd: float = math.nan
    n: int = 0
    violations: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean of the first objective over the trials of a COMPLETE point, else nan."""
        return self.values[0] if self.n and self.values else math.nan

    @property
    def constraints(self) -> dict[str, float]:
        """What samplers are told of each constraint: above 0 for a point that breaks it.

        The first is `INFEASIBLE`, for points that trained to no end; a point that is beyond a limit breaks that one.
        """
        limits = {f"limits.{name}": value for name, value in self.violations.items()}
        away = self.state is not TrialState.COMPLETE and self.values is not None
        return {INFEASIBLE: 1.0 if away and not any(value > 0 for value in limits.values()) else -1.0, **limits}


def point_outcome(
    states: Sequence[TrialState],
    scores: Sequence[Sequence[float]],
    penalties: Sequence[float],
    *,
    stopped: bool = False,
    raised: bool = False,
    violations: Mapping[str, float] | None = None,
) -> PointOutcome:
    """Return what a point has come to, once its trials have ended.

    A point is what the worst of its trials is: FAILED before INFEASIBLE before PRUNED before COMPLETE; one that a
    pruner stopped between its replicates is PRUNED, and one whose trials are COMPLETE without a finite score of every
    objective INFEASIBLE.

    Args:
        states: of its trials, all final.
        scores: of its trials, each one per objective; of a trial that is neither COMPLETE nor beyond a limit alone they
            are ignored.
        penalties: what samplers are told of a point that they are to stay away from, one per objective: one that FAILED
            by its own doing, or an INFEASIBLE one that is not only beyond a limit: then its scores are told.
        stopped: whether a pruner stopped it between its replicates.
        raised: whether one of its FAILED trials raised an error itself, and did not lose its worker.
        violations: how far what is limited is beyond its limit, by name.
    """
    return replace(_point_outcome(states, scores, penalties, stopped, raised), violations=violations or {})


def _point_outcome(
    states: Sequence[TrialState],
    scores: Sequence[Sequence[float]],
    penalties: Sequence[float],
    stopped: bool,
    raised: bool,
) -> PointOutcome:
    state = TrialState.PRUNED if stopped else next(state for state in WORST_FIRST if state in states)
    if state is TrialState.FAILED and raised:
        return PointOutcome(state, tuple(penalties))
    if state not in (TrialState.COMPLETE, TrialState.INFEASIBLE):
        return PointOutcome(state)
    if not all(math.isfinite(score) for of_trial in scores for score in of_trial):
        return PointOutcome(TrialState.INFEASIBLE, tuple(penalties))
    values = tuple(map(mean_of, zip(*scores, strict=True)))
    if state is TrialState.INFEASIBLE:
        return PointOutcome(state, values)
    return PointOutcome(state, values, deviation_of([first for first, *_ in scores]), len(scores))


def mean_of(values: Sequence[float]) -> float:
    """Return the mean, correctly rounded and whatever the order of the values; also where their sum is too large."""
    try:
        return statistics.fmean(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)


def deviation_of(values: Sequence[float]) -> float:
    """Return the sample standard deviation, whatever the order of the values; nan for one value, 0 for rounding."""
    if len(values) < 2:
        return math.nan
    try:
        found = statistics.stdev(values)
        return 0.0 if found <= ROUNDING * max(map(abs, values)) else found
    except OverflowError:
        return math.inf


def rank_key(objective: Objective, values: Sequence[float], sd: float | None, point: int) -> tuple[float, ...]:
    """Return what complete points are sorted by, the best first.

    It is the first objective's mean that decides; of equal ones the further objectives', so that no point beats the
    best in every objective; then the smaller spread, and then the earlier point.

    Args:
        objective: what is searched for.
        values: the point's means, one per objective.
        sd: standard deviation of the first one over its trials; None or nan for one trial.
        point: its number.
    """
    losses = (-v if o.maximize else v for o, v in zip(objective.each, values, strict=True))
    return (*losses, 0.0 if sd is None or math.isnan(sd) else sd, point)
