"""Frozen records that cross layers. Everything here pickles, and importing this module loads no heavy library."""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from hpsearch.base.errors import ConfigError
from hpsearch.base.failures import Failure
from hpsearch.base.limits import LIMITS, check_fields
from hpsearch.base.media import Medium
from hpsearch.base.samples import SampleResults

if TYPE_CHECKING:
    import pandas as pd


DATA = "data.source"
"""The fact of a trial that holds the digest of what it was trained on, as `hpsearch.base.contents` reads it."""


class DataFault(StrEnum):
    """A known mistake in data that is refused for it."""

    LABELS_FROM_ONE = "labels from 1"
    NOT_FINITE = "not finite"
    ONE_CLASS = "one class"


class TrialState(StrEnum):
    """Where a point or a trial stands. The last four are final."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    INFEASIBLE = "INFEASIBLE"
    FAILED = "FAILED"

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.INFEASIBLE, TrialState.FAILED)


class Decision(StrEnum):
    """What a running trial is told after a report."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"
    LEAVE = "leave"
    """Pause, because nothing goes on in this process."""


@dataclass(frozen=True, slots=True, order=True)
class TrialId:
    """One trial of a study: a point (an Optuna trial number) with one seed and one fold."""

    point: int
    seed: int
    fold: int = 0

    def __str__(self) -> str:
        """Return ``POINT/SEED`` or ``POINT/SEED/FOLD``, as `replay` takes it."""
        return f"{self.point}/{self.seed}" + (f"/{self.fold}" if self.fold else "")

    @property
    def stem(self) -> str:
        """Name of this trial's files: ``POINT-SEED-FOLD``."""
        return f"{self.point}-{self.seed}-{self.fold}"


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """Everything a worker needs to train one trial.

    Attributes:
        study: name of the study; ``single`` for a trial outside a study.
        id: which trial of the study.
        config: the resolved configuration, plain containers only; `seed` and `fold` are in it.
        params: the searched hyperparameters that are active, by dotted key.
        overrides: of Hydra, that compose `config`, after ``--config-dir`` words: printed, the command that trains it.
        key: hash of `config` without its run-time fields.
        folder: absolute folder for this trial's checkpoint and artifact files; the worker creates it.
        attempt: 1 for the first start, one more for each retry or resume.
        source: path of the checkpoint that it starts from, where `finetune.source` was found; None for a fresh start.
        code: digest of the code of a user's own that trains it; empty where there is none.
        targets: by which a worker finds that code, which must be as it was. Not on record.
        data: digest of what it is trained on; empty where that is not known.
        files: digest of the files alone that this is read from, which a worker must find as they were.
        purpose: what it is for where it is no part of its point's score; empty for all others.
        width: most trials that its worker trains at once with it; 1: it alone, by the plain loop. Not on record.
        replayed: with how many in one program its epochs are trained again (`hpsearch.base.widths`); empty: as others.
        judged: whether something is decided on its reports; where not, some may be sent together. Not on record.
    """

    study: str
    id: TrialId
    config: Mapping[str, Any]
    params: Mapping[str, Any]
    overrides: tuple[str, ...]
    key: str
    folder: str
    attempt: int = 1
    source: str | None = None
    code: str = ""
    targets: tuple[str, ...] = ()
    data: str = ""
    files: str = ""
    purpose: str = ""
    width: int = 1
    replayed: str = ""
    judged: bool = True


def whole_or_fraction(epoch: float) -> float:
    """Return an epoch, as an int where it is whole."""
    return int(epoch) if epoch == int(epoch) else epoch


@dataclass(frozen=True, slots=True)
class Started:
    """First message of an attempt: the epoch it goes on from, and what is known of the trial before it trains.

    Attributes:
        epoch: last epoch held by the checkpoint it goes on from, evaluated or not; None when it starts from scratch.
        facts: scalars measured once, such as ``parameters``, ``device``, ``data.digest``, ``data.train_size``.
        time: seconds since the Unix epoch.
    """

    epoch: float | None
    facts: Mapping[str, str | int | float]
    time: float


Evaluation: TypeAlias = tuple[int, Mapping[str, float]]
"""Optimizer updates before an evaluation, and what it measured by name."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a trial says after an evaluation, by default at the end of an epoch; epoch 0 is the untrained model.

    Attributes:
        epoch: completed passes over the training split, an int where they are whole.
        step: completed optimizer updates.
        metrics: values by name, such as ``valid/acc``.
        steps: thinned per-step training loss since the report before: (step, value) pairs.
        time: seconds since the Unix epoch.
        declined: why it went on after the report before although it was told to pause, in words; empty: it was not.
        end: in the last report of a trial the evaluations that `Objective.reduce` ``end`` takes the mean of.
    """

    epoch: float
    step: int
    metrics: Mapping[str, float]
    steps: tuple[tuple[int, float], ...] = ()
    time: float = 0.0
    declined: str = ""
    end: tuple[Evaluation, ...] = ()


def end_values(last: Report | None, metric: str) -> list[float]:
    """Return a metric at the evaluations of `Report.end` of a last report; empty where one of them lacks it."""
    values = [metrics.get(metric) for _, metrics in last.end] if last else []
    return [value for value in values if value is not None] if None not in values else []


@dataclass(frozen=True, slots=True)
class Query:
    """A running trial asks for the value of a hyperparameter, and waits for it.

    Attributes:
        name: of the argument.
        distribution: what it may be, as the JSON of an Optuna distribution.
    """

    name: str
    distribution: str


@dataclass(frozen=True, slots=True)
class Given:
    """The answer to `Query`.

    Attributes:
        value: of the hyperparameter.
        error: why there is none, in one line; empty where there is one.
    """

    value: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How an attempt ended.

    Attributes:
        state: COMPLETE, PRUNED (stopped by a decision), PAUSED, INFEASIBLE or FAILED.
        reason: one line that says why, for every state but COMPLETE.
        traceback: the full traceback of a FAILED attempt; of one whose worker died the last lines that it printed.
        facts: scalars measured once at the end, such as ``peak_memory_mib``.
        artifacts: files written, relative to the trial's folder.
        retry: whether a FAILED attempt may succeed when tried again (an error in the configuration may not).
        time: seconds since the Unix epoch.
        failed_at: type and line of the error that a FAILED attempt raised; empty where it raised none, or died.
        ended_by: the limits that ended it, by key of the configuration: in time, in seconds, or on points.
        score: the objective's value, where the trial says it; None: what its curve gives.
        held: whether it waits in the memory of its worker, and goes on only there.
        alone: whether programs that it started wait with it, so that its worker must stand still.
    """

    state: TrialState
    reason: str = ""
    traceback: str = ""
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    retry: bool = True
    time: float = 0.0
    failed_at: str = ""
    ended_by: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    held: bool = False
    alone: bool = False


class Shared(Protocol):
    """What several trials of one worker train with together."""

    def advance(self) -> None:
        """Train, once no trial here can go on, until one that waits for this can; what is raised ends all of them."""
        ...


@dataclass(frozen=True, slots=True)
class Wait:
    """Yielded by a single trial in place of a message: it goes on when what it shares is ready for it.

    Attributes:
        on: what it shares with others.
        ready: whether it can go on.
    """

    on: Shared
    ready: Callable[[], bool]


Message: TypeAlias = Started | Report | Query
TrialRun: TypeAlias = Generator[tuple[Message, ...], tuple[Decision, ...], tuple[TrialResult, ...]]
"""A running batch of trials, one place per member: it yields messages, receives decisions, returns results."""
QueryingRun: TypeAlias = Generator[tuple[Message, ...], tuple[Decision | Given, ...], tuple[TrialResult, ...]]
"""A `TrialRun` of a single trial that may ask, and is then sent what it is given, or to stop."""
WaitingRun: TypeAlias = Generator[tuple[Message | Wait, ...], tuple[Decision, ...], tuple[TrialResult, ...]]
"""A `TrialRun` of a single trial with a `width` above 1 that may wait for others, and is then sent CONTINUE."""


class Execute(Protocol):
    """Trains a batch of trials; importable, so that it can be sent to a worker by name."""

    def __call__(self, specs: tuple[TrialSpec, ...]) -> TrialRun | QueryingRun | WaitingRun:
        """Start the batch."""
        ...


@dataclass(frozen=True, slots=True)
class Objective:
    """What a search optimizes.

    Attributes:
        metric: name of a reported metric; in `others` also of a fact, such as ``parameters``.
        direction: ``maximize`` or ``minimize``.
        reduce: ``end``, the mean of the evaluations at the end of a trial (`hpsearch.trial.evaluations.end_steps`), or
            the ``last`` or ``best`` value of its curve.
        others: what is optimized at the same time; the best points are then those that no other dominates.
        share: whether the metric lies between 0 and 1; None where that is not known.
        limits: the largest value of reported metrics and of facts that a trial may end with, by name; beyond one of
            them it is INFEASIBLE.
        margin: a difference of scores that makes none in practice; ``auto``: the smallest one that the validation part
            can show, see `hpsearch.statistics.best.smallest_difference`. No part of what a study is.

    Example:
        >>> small = Objective("valid/acc", others=(Objective("parameters", "minimize"),), limits={"parameters": 1e5})
        >>> [each.metric for each in small.each]
        ['valid/acc', 'parameters']
    """

    metric: str
    direction: str = "maximize"
    reduce: str = "end"
    others: tuple["Objective", ...] = ()
    share: bool | None = None
    limits: Mapping[str, float] = field(default_factory=dict, hash=False)
    margin: float | str = "auto"

    @property
    def maximize(self) -> bool:
        """Whether larger is better."""
        return self.direction == "maximize"

    def __post_init__(self) -> None:
        check_fields("objective", LIMITS, self)
        object.__setattr__(self, "others", tuple(self.others))
        if not all(isinstance(other, Objective) for other in self.others):
            built = "[Objective('parameters', 'minimize')]"
            raise ConfigError(f"objective.others = {list(self.others)}: must be a list of objectives, as {built}")
        metrics = [each.metric for each in self.each]
        if len(set(metrics)) < len(metrics) or any(other.others for other in self.others):
            raise ConfigError(f"objective.others: must name other metrics, each once (got {', '.join(metrics)})")
        if any(other.limits for other in self.others):
            raise ConfigError("objective.others: limits are those of the whole search; write them in objective.limits")

    @property
    def each(self) -> tuple["Objective", ...]:
        """This objective, the one that pruners and progress look at, and the others."""
        return (self, *self.others)

    def better(self, a: float, b: float) -> bool:
        """Return whether score `a` beats score `b`."""
        return a > b if self.maximize else a < b

    def score(self, curve: Mapping[float, float], end: Sequence[float] = ()) -> float:
        """Return a trial's score, as `reduce` says.

        Args:
            curve: value by epoch; epoch 0, the untrained model, counts only when there is no other.
            end: of the evaluations at its end, see `end_values`; of a trial without them the last value stands in.

        Returns:
            The score, nan when the curve is empty; for the best value those that are nan do not count.
        """
        trained = [curve[epoch] for epoch in sorted(curve) if epoch > 0] or list(curve.values())
        if self.reduce == "end" and end:
            return math.fsum(end) / len(end)
        if not trained:
            return math.nan
        if self.reduce != "best":
            return trained[-1]
        known = [value for value in trained if not math.isnan(value)] or trained
        return max(known) if self.maximize else min(known)

    def value(
        self, curve: Mapping[float, float], facts: Mapping[str, str | int | float], end: Sequence[float] = ()
    ) -> float:
        """Return a trial's score, from its curve, or from the fact of this name where there is no curve."""
        known = facts.get(self.metric, math.nan)
        return self.score(curve, end) if curve or isinstance(known, str) else float(known)


@dataclass(frozen=True, slots=True)
class TrialTable:
    """A study as tidy tables, read from its event files or from a tracking store.

    Attributes:
        name: name of the study.
        study: what the study recorded of itself: ``question``, ``config``, ``space``, ``objective``, ``command``, ...
        trials: one row per trial: ``point seed fold state score attempts reason started ended duration_sec run_id
            key command``, the searched hyperparameters by dotted key, last value of each metric, facts.
        curves: one row per trial and epoch: ``point seed fold epoch step time`` and the metrics.
        steps: thinned training loss: ``point seed fold step loss``.
        ends: what the evaluations at the ends of trials measured: ``point seed fold step`` and the metrics; None where
            there were none.
        layers: rows of the ``layers.json`` of each trial that has one, see `hpsearch.trial.layers.LayerWatch`; a
            table that was read from somewhere reads them when they are asked for.
        failures: of the FAILED trials, see `Failure`.
        media: what each trial logged beside numbers, and the content of its files; read when it is asked for.
        samples: what each trial got of single samples; read when it is asked for, None where it is not kept. A store
            has none: they stay in the study's folder.
    """

    name: str
    study: Mapping[str, Any]
    trials: "pd.DataFrame"
    curves: "pd.DataFrame"
    steps: "pd.DataFrame"
    layers: Mapping[TrialId, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    failures: Sequence[Failure] = ()
    media: Mapping[TrialId, Mapping[Medium, bytes]] = field(default_factory=dict)
    samples: Mapping[TrialId, SampleResults | None] = field(default_factory=dict)
    ends: "pd.DataFrame | None" = None


@dataclass(frozen=True, slots=True)
class BestPoint:
    """The best finished point so far: mean and standard deviation of the objective's metric over its n trials."""

    point: int
    params: Mapping[str, Any]
    mean: float
    sd: float
    n: int
    metric: str = ""


Clock: TypeAlias = Callable[[], float]
MakeSpec: TypeAlias = Callable[[int, Mapping[str, Any], int, int], TrialSpec]
"""(point, params, seed, fold): the trial of a point."""
