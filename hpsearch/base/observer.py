"""What a person is shown of a study: snapshots while it runs, a line once it is there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hpsearch.base.failures import Failure
from hpsearch.base.types import BestPoint, TrialId, TrialState

RUNNING, TURNS = "RUNNING", "TURNS"
"""States of a study that somebody works on, see `StudyStatus`."""


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial in a slot, as progress shows it.

    Attributes:
        id: which trial.
        params: searched hyperparameters by dotted key.
        epoch: that it has trained to.
        epochs: that it trains; None where its configuration does not say it in epochs.
        metrics: of its newest report.
        worker: that trains it, by number; None where that is not known, or none does.
        node: the machine that has the worker; empty where that is not known.
        attempt: its number.
        heard_sec: how long ago it was heard of last; None for whoever hears it at once.
    """

    id: TrialId
    params: Mapping[str, Any]
    epoch: float
    epochs: int | None
    metrics: Mapping[str, float]
    worker: int | None = None
    node: str = ""
    attempt: int = 1
    heard_sec: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot of a running study, for whoever shows it.

    Attributes:
        study: name of the study.
        total: trials in the whole study, None when it is not known.
        counts: trials by state.
        running: the trials in the slots.
        best: the best finished point, if any.
        elapsed_sec: since this driver started.
        metric: what the objective looks at.
    """

    study: str
    total: int | None
    counts: Mapping[TrialState, int]
    running: tuple[RunningTrial, ...]
    best: BestPoint | None
    elapsed_sec: float
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Driver:
    """The process that has a study, or had it last.

    Attributes:
        host: its machine.
        pid: its number there.
        is_alive: whether it is there; None where only another machine or container can say.
        is_here: whether it is of this machine.
    """

    host: str
    pid: int
    is_alive: bool | None
    is_here: bool = True


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """How a study stands, for whoever looks at it from outside.

    Attributes:
        folder: where it is.
        progress: the snapshot; its `elapsed_sec` is since the newest driver started.
        state: RUNNING; TURNS while its trials are asked for and told from outside, a command at a time; how it ended;
            INTERRUPTED when it did not end and nothing runs it; DAMAGED when its own file of the record is.
        why: what the record says of its end.
        driver: who has it, or had it last; None where that is not known.
        heard_sec: how long ago anything was written of it; None where nothing was.
        left_sec: how long it may take yet; None where too little is known.
        failures: trials that failed, those alike once.
        retried: a trial that is to be tried again, and why its last attempt ended.
        cut_off: trials that a driver left running which is gone.
        unsent: event files that the tracking store has not received in full; None without a tracking store.
        unreadable: what is wrong with files of the record that cannot be read.
        stages: of a recipe: the verdict of each, empty for one that has not ended.
    """

    folder: Path
    progress: Progress
    state: str
    why: str = ""
    driver: Driver | None = None
    heard_sec: float | None = None
    left_sec: float | None = None
    failures: tuple[Failure, ...] = ()
    retried: tuple[tuple[TrialId, str], ...] = ()
    cut_off: tuple[TrialId, ...] = ()
    unsent: int | None = None
    unreadable: tuple[str, ...] = ()
    stages: Mapping[str, str] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether somebody works on it, as far as can be told."""
        return self.state in (RUNNING, TURNS)


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study's folder in one line.

    Attributes:
        name: of its folder, which is what commands take.
        folder: where it is.
        question: what it asks.
        state: how it ended last; RUNNING, or INTERRUPTED when it did not end and nothing runs it;
            DAMAGED when a file of its record cannot be read.
        counts: trials by state.
        best: its best point so far (point, params, mean, sd, n).
        created: when it was started first, in seconds since the Unix epoch.
        changed: when its record was written last.
        continued: the trials that go on from others, by their own name in the study.
        as_good: how many other points may be as good as the best; None where that is not known.
    """

    name: str
    folder: Path
    question: str
    state: str
    counts: Mapping[TrialState, int]
    best: BestPoint | None
    created: float
    changed: float
    continued: Mapping[str, str] = field(default_factory=dict)
    as_good: int | None = None


class Observer(Protocol):
    """Shows what a study does; the driver calls it at every tick."""

    def update(self, progress: Progress) -> None:
        """Show a snapshot."""
        ...

    def line(self, text: str) -> None:
        """Show one line that stays: a retry, a takeover, a fixed hyperparameter."""
        ...

    def conclude(self, outcome: object) -> None:
        """Show the result, which is known before the tracking store has everything."""
        ...
