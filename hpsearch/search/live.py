"""A trial while the pool has it, and as it leaves the pool."""

import os
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpsearch.base.epochs import epochs_of
from hpsearch.base.files import LAYERS, LOG
from hpsearch.base.media import MEDIA, media_in
from hpsearch.base.observer import RunningTrial
from hpsearch.base.replicates import measured, repeats
from hpsearch.base.types import Decision, Report, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Died
from hpsearch.tracking.record import Record


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
        killed: whether its worker was killed.
        skipped: why it was given up; empty for one that was not.
        slot: that it was started in last.
        asked: whether it may have asked for hyperparameters that its `spec` or the record does not hold yet.
    """

    spec: TrialSpec
    curve: dict[float, float] = field(default_factory=dict)
    decision: Decision | None = None
    cut: bool = False
    epoch: float = 0
    last: Report | None = None
    over: str = ""
    killed: bool = False
    skipped: str = ""
    slot: int = 0
    asked: bool = True

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
    curve: Mapping[float, float]
    epochs: float = 0
    repeated: float = 0

    @property
    def spent(self) -> float:
        """Epochs, those that were trained twice counted twice."""
        return self.epochs + self.repeated

    @property
    def score(self) -> float:
        """Of the first objective."""
        return self.scores[0]


def lost_with(died: Died, live: Live) -> TrialResult:
    """Return how an attempt ended whose worker died: FAILED, or WAITING where it was killed for another trial."""
    if died.killed is not None and not live.killed:
        own = died.killed == live.spec.id
        return TrialResult(TrialState.WAITING, died.detail if own else f"its worker was killed for trial {died.killed}")
    how, _, last_lines = died.detail.partition("\n")
    return TrialResult(TrialState.FAILED, f"its worker died: {how}", last_lines)


def counted_scores(ended: Sequence[Finished], record: Record) -> list[tuple[float, ...]]:
    """Return the scores of a point's trials that count.

    Args:
        ended: its trials.
        record: of the study; what they measured is read where their scores are equal.

    Returns:
        Their scores; without those of further seeds where all are COMPLETE and seeds change nothing.
    """
    by_trial = {(done.spec.id.seed, done.spec.id.fold): done for done in ended}
    repeated: Collection[tuple[int, int]] = ()
    if all(done.result.state is TrialState.COMPLETE for done in ended):
        equal = repeats({place: done.scores for place, done in by_trial.items()})
        repeated = equal and repeats({place: _all_measured(done, record) for place, done in by_trial.items()})
    return [done.scores for place, done in by_trial.items() if place not in repeated]


def files_left(spec: TrialSpec, result: TrialResult) -> tuple[str, ...]:
    """Return the files that a trial left; an attempt that raised or died could not say so itself."""
    if not result.state.finished:
        return result.artifacts
    try:
        there = set(os.listdir(spec.folder))  # noqa: PTH208 (of every trial: a tenth of the time)
    except FileNotFoundError:
        return result.artifacts
    known = [name for name in (LAYERS, LOG) if name in there]
    media = media_in(Path(spec.folder)) if MEDIA in there else ()
    return tuple(dict.fromkeys((*result.artifacts, *known, *media)))


def _all_measured(done: Finished, record: Record) -> Hashable:
    known = record.trial(done.spec.id)
    reports = known.reports if known else ()
    return (done.scores, *(measured(report.epoch, report.step, report.metrics) for report in reports))
