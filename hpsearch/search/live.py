"""A trial while the pool has it, and as it leaves the pool."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hpsearch.base.types import Decision, Report, RunningTrial, TrialResult, TrialSpec, epochs_of


@dataclass
class Live:
    """A trial that has not ended for good.

    Attributes:
        spec: what it trains; its `attempt` is that of the last start.
        curve: the objective by epoch, as recorded.
        decision: what it was sent, after which its reports are dropped.
        cut: whether reports were dropped.
        epoch: that it has trained to.
        last: its newest report.
        over: the key of the limit in time that it was told to stop for or killed for, or `PAUSE`; empty for none.
        kill_at: when it is killed unless it has obeyed, as `Watch` counts.
        killed: whether its worker was killed.
        skipped: why it was given up; empty for one that was not.
    """

    spec: TrialSpec
    curve: dict[int, float] = field(default_factory=dict)
    decision: Decision | None = None
    cut: bool = False
    epoch: int = 0
    last: Report | None = None
    over: str = ""
    kill_at: float = math.inf
    killed: bool = False
    skipped: str = ""

    @property
    def shown(self) -> RunningTrial:
        """The trial as progress shows it."""
        epoch, metrics = (self.last.epoch, self.last.metrics) if self.last else (0, {})
        return RunningTrial(self.spec.id, self.spec.params, epoch, epochs_of(self.spec.config), metrics)


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial that left the pool: final, PAUSED, or WAITING where it did not pause in time.

    Attributes:
        spec: what it trained.
        result: how it ended.
        scores: one per objective; nan for a trial that is not COMPLETE.
        curve: the first objective by epoch.
        epochs: that it trained.
        repeated: how many of them it trained once more.
    """

    spec: TrialSpec
    result: TrialResult
    scores: tuple[float, ...]
    curve: Mapping[int, float]
    epochs: int = 0
    repeated: int = 0

    @property
    def spent(self) -> int:
        """Epochs, those that were trained twice counted twice."""
        return self.epochs + self.repeated

    @property
    def score(self) -> float:
        """Of the first objective."""
        return self.scores[0]
