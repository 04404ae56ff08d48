"""What a person is shown of a study: snapshots while it runs, a line once it is there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hpsearch.base.types import BestPoint, TrialId, TrialState


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial in a slot, as progress shows it."""

    id: TrialId
    params: Mapping[str, Any]
    epoch: float
    epochs: int | None
    metrics: Mapping[str, float]


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
