"""Keeping trials running: slots, attempts, decisions and the record, for whoever decides what to train.

The pool knows trials, not points: the driver of a search, a single trial and a replay all run on it.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from hpsearch.base.files import LOG
from hpsearch.base.keys import SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.base.observer import RunningTrial
from hpsearch.base.outcome import Failures, over_limit, repeated_epochs, trial_outcome
from hpsearch.base.types import (
    Clock,
    Decision,
    Objective,
    Query,
    Report,
    Started,
    TrialId,
    TrialResult,
    TrialSpec,
    TrialState,
)
from hpsearch.base.words import duration, shown_path
from hpsearch.launch.base import Died, Ended, Launcher, LauncherEvent, Reported
from hpsearch.search.answers import Answers
from hpsearch.search.live import Finished, Live, files_left, lost_with
from hpsearch.search.places import Places
from hpsearch.search.results import limited_values, scores_of
from hpsearch.search.wanted import WantedMetrics
from hpsearch.search.watch import UNLIMITED, TimeLimits, Watch
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.record import Record

SKIP, PAUSE = "skip", "pause"
"""What ends a trial that was given up, or did not pause in time, in place of the key of a limit."""
Decide: TypeAlias = Callable[[TrialId, Report], Decision]


class Pool:
    """Runs trials in a launcher's slots and writes down what they say; `Record.sync` then brings it to the disk.

    Args:
        launcher: a started launcher.
        record: where every event goes first.
        objective: what a trial's score is.
        decide: asked after each new report whether the trial goes on.
        clock: seconds since the Unix epoch.
        line: told what a user should know: retries, deaths.
        limits: how long a trial may take.
        timer: monotonic seconds.
        answers: knows what trials ask for; None: they have all of it.

    Attributes:
        wanted: the metrics of the objective, and whether trials report them.
    """

    def __init__(
        self,
        launcher: Launcher,
        record: Record,
        objective: Objective,
        *,
        decide: Decide,
        clock: Clock,
        line: Callable[[str], None],
        limits: TimeLimits = UNLIMITED,
        timer: Clock = time.monotonic,
        answers: Answers | None = None,
    ) -> None:
        self._launcher = launcher
        self._record = record
        self._objective = objective
        self._decide = decide
        self._answers = answers or Answers()
        self._clock = clock
        self._line = line
        self._queue: dict[TrialId, Live] = {}
        self._running: dict[TrialId, Live] = {}
        self._waiting_for: dict[TrialId, list[LauncherEvent]] = {}
        self._watch = Watch(limits, timer, launcher.detached)
        self._why_paused = ""
        self._pause_by = math.inf
        self._said_declined = False
        self.wanted = WantedMetrics(objective)
        self._places = Places(launcher)

    def add(self, spec: TrialSpec, curve: Mapping[float, float] | None = None) -> None:
        """Queue a trial; `curve` is what is on record of it."""
        self._queue[spec.id] = Live(spec, dict(curve or {}))

    def go_on(self, spec: TrialSpec, curve: Mapping[float, float]) -> None:
        """Take over a trial of an earlier driver: queue its next attempt, unless the one in `spec` still runs."""
        if spec.id in self._launcher.kept:
            self._running[spec.id] = Live(spec, dict(curve), epoch=max(curve, default=0))
            self._watch.start(spec.id, 0.0)
        else:
            self.add(replace(spec, attempt=spec.attempt + 1), curve)

    @property
    def free(self) -> int:
        """Number of slots that neither a running nor a queued trial will take.

        In lockstep a trial whose end is held back until the round is complete still counts as running.
        """
        return self._places.room(self._running) - len(self._queue) + self.held_back

    @property
    def held_back(self) -> int:
        """Number of queued trials that wait for their slot, as only the worker there holds what they go on from."""
        return self._places.held_back(self._queue)

    @property
    def is_backed_up(self) -> bool:
        """Whether as many trials wait for their slot as there are slots."""
        return self.held_back >= self._launcher.slots

    @property
    def busy(self) -> bool:
        """Whether a trial is running."""
        return bool(self._running)

    @property
    def waits_for_workers(self) -> bool:
        """Whether there is something to train, and no worker yet that could."""
        return bool(self._queue) and not self._why_paused and not self._launcher.free()

    @property
    def idle(self) -> bool:
        """Whether no trial is running or queued."""
        return not (self._running or self._queue)

    def running(self) -> tuple[RunningTrial, ...]:
        """Return the trials in the slots, for whoever shows progress."""
        return tuple(live.shown for _, live in sorted(self._running.items()))

    def submit(self) -> None:
        """Start queued trials, lowest point first, in the free slots; none once the pool is paused."""
        if not self._queue or self._why_paused:
            return
        for trial in self._places.in_order(self._queue):
            if self._places.room(self._running) <= 0:
                break
            if (slot := self._places.place(trial)) is not None:
                self.start(trial, slot)

    def start(self, trial: TrialId, slot: int) -> None:
        """Start a queued trial in a free slot."""
        live = self._queue.pop(trial)
        live.spec, live.slot = replace(live.spec, width=self._places.start(trial, slot, live.spec.attempt)), slot
        self._record.spec(live.spec, self._clock())
        self._running[trial] = live
        self._watch.start(trial, self._known(trial).ran_sec if live.spec.attempt > 1 else 0.0)
        self._launcher.submit(slot, (live.spec,))

    @property
    def paused(self) -> bool:
        """Whether no further trial is started."""
        return bool(self._why_paused)

    def interrupt(self) -> None:
        """Pause because the user asks to stop: a running epoch may take as long as the longest so far."""
        self.pause("interrupted", self._watch.longest, "; once more to stop at once")

    def within_sec(self) -> float:
        """Return how long a trial may go on after that."""
        return self._launcher.grace_sec + self._watch.longest

    def pause(self, why: str, epoch_sec: float = 0.0, more: str = "") -> None:
        """Ask every running trial to write a checkpoint and leave, kill those that do not, and start no other.

        Args:
            why: it is to stop, also the reason of the trials that are killed.
            epoch_sec: what a trial may take beyond the launcher's grace.
            more: what else is said to a user who asks to stop; where epochs run in this process, `Interrupts` has.
        """
        within_sec = self._launcher.grace_sec + epoch_sec
        self._why_paused = why
        self._pause_by = min(self._pause_by, self._watch.now + within_sec)
        for trial, live in self._running.items():
            if live.decision in (None, Decision.PAUSE):
                live.decision = Decision.LEAVE
                self._launcher.decide(trial, Decision.LEAVE)
        if self._running and (self._launcher.detached or not more):
            late = f"; what has not after {duration(within_sec)} is killed" if self._launcher.detached else ""
            self._line(f"{why}: running trials pause at the end of their epoch{late}{more}")

    def skip(self, trial: TrialId, reason: str) -> Finished | None:
        """Give up a trial.

        Args:
            trial: one that runs or is queued.
            reason: why.

        Returns:
            How it ended; None for one that runs: it ends at its next report, or is killed after the launcher's grace.
        """
        live = self._queue.pop(trial, None)
        if live is None:
            live = self._running[trial]
            live.skipped = reason
            self._watch.condemn(trial, self._launcher.grace_sec)
            live.over = live.over or SKIP
            live.decision = Decision.STOP
            self._launcher.decide(trial, Decision.STOP)
            return None
        result = TrialResult(TrialState.PRUNED, reason)
        if self._record.trial(trial) is None:
            self._record.spec(live.spec, self._clock())
        self._write(live, result, math.nan)
        return Finished(live.spec, result, (math.nan,) * len(self._objective.each), live.curve, live.epoch)

    def end_waiting(self, trial: TrialId) -> None:
        """Give up a trial that waits: what its worker holds of it is ended."""
        if self._places.let_go(trial):
            self._launcher.decide(trial, Decision.STOP)

    def abandon(self) -> None:
        """Write down which running trials were cut off; whoever resumes the study starts them again."""
        for live in self._running.values():
            if live.spec.id not in self._launcher.kept:
                self._write(live, TrialResult(TrialState.WAITING, "interrupted"), float("nan"))
        self._running.clear()
        self._record.flush(fsync=True)

    def poll(self, timeout_sec: float) -> list[Finished]:
        """Handle what happened, waiting at most `timeout_sec`, write it, and return the trials that left the pool."""
        events = self._launcher.poll(timeout_sec)
        self._watch.advance(self._waiting_for)
        if self._launcher.lockstep:
            events = self._whole_round(events)
        finished = [done for event in events for done in self._handle(event)]
        self._end_overdue()
        self._record.write()
        return finished

    def _whole_round(self, events: Iterable[LauncherEvent]) -> list[LauncherEvent]:
        """Hold events back until every running trial has reported or ended, then return them by trial."""
        for event in events:
            for trial in event.trials if isinstance(event, Died) else (event.trial,):
                self._waiting_for.setdefault(trial, []).append(event)
        if set(self._waiting_for) < set(self._running):
            return []
        round_ = [event for trial in sorted(self._waiting_for) for event in self._waiting_for[trial]]
        self._waiting_for.clear()
        return round_

    def _handle(self, event: LauncherEvent) -> list[Finished]:
        match event:
            case Reported(trial, message) if trial in self._running:
                if isinstance(message, Query):
                    self._watch.heard(trial)
                    self._answers.answer(self._running[trial], message, self._launcher.decide)
                else:
                    self._reported(trial, message)
            case Ended(trial, result) if trial in self._running:
                return self._ended(trial, result)
            case Died(trials=trials):
                lost = {trial: lost_with(event, self._running[trial]) for trial in trials if trial in self._running}
                self._places.lose(lost)
                return [done for trial, result in lost.items() for done in self._ended(trial, result)]
        return []

    def _reported(self, trial: TrialId, message: Started | Report) -> None:
        live = self._running[trial]
        self._answers.specify(live)
        late = self._watch.heard(trial, message)
        if late and not self._launcher.detached:
            self._kill(live, SILENT_SECONDS)
        decision = live.decision or Decision.CONTINUE
        if isinstance(message, Started):
            self._record.message(trial, message, **self._places.at(live.slot))
            kept = -1 if message.epoch is None else message.epoch
            live.curve = {epoch: value for epoch, value in live.curve.items() if epoch <= kept}
            live.epoch = max(0, kept)
        elif live.decision is Decision.STOP:
            live.cut = True
        elif self._record.message(trial, message):
            self._look_for_metrics(trial, message)
            if message.declined and live.decision is Decision.PAUSE:
                live.decision = None
                if not self._said_declined:
                    self._said_declined = True
                    self._line(f"points that are to wait train on to their next stage instead: {message.declined}")
            live.last, live.epoch = message, message.epoch
            if self._objective.metric in message.metrics:
                live.curve[message.epoch] = message.metrics[self._objective.metric]
            judged = self._decide(trial, message)  # of every report, those on the way to a pause too
            decision = live.decision or judged
        news = decision is not Decision.CONTINUE and live.decision is None
        if news:
            live.decision = decision
        if news or self._launcher.lockstep:
            self._launcher.decide(trial, decision)

    def _look_for_metrics(self, trial: TrialId, report: Report) -> None:
        if not self.wanted.seen and (lack := self.wanted.lacking(report, self._known(trial))):
            self._line(lack)
        if report.epoch > 0:
            self.wanted.seen.update(report.metrics)

    def _ended(self, trial: TrialId, result: TrialResult) -> list[Finished]:
        live = self._running[trial]
        self._answers.specify(live)
        result = self._in_time(live, result)
        if not live.cut and (self._objective.others or self._objective.limits or not live.curve):
            result = self.wanted.whole(result, self._known(trial))
        del self._running[trial]
        self._watch.end(trial)
        self._places.end(trial)
        if result.held:
            self._places.hold(trial, live.slot)
        if result.state is TrialState.WAITING and not self._why_paused:
            self._begin_again(live, result)
            return []
        if result.state is TrialState.FAILED:
            failures = Failures.of(self._record.facts(trial))
            result = failures.and_one(result)
            if self._retry(live, failures, result):
                return []
        limited = limited_values(self._objective, self._known(trial), result.facts) if self._objective.limits else {}
        result, scores = trial_outcome(result, live.cut, self._objective, self._scores(live, result), limited)
        self._write(live, result, scores[0] if result.state is TrialState.COMPLETE else math.nan)
        if result.state is not TrialState.PAUSED:
            self._watch.forget(trial)
        again = repeated_epochs(self._record.facts(trial))
        return [Finished(live.spec, result, scores, live.curve, live.epoch, again)]

    def _end_overdue(self) -> None:
        """Tell trials that have had their time to stop; kill those that are silent and those that do not obey."""
        for trial, key in self._watch.overdue():
            live = self._running[trial]
            if key == SILENT_SECONDS:
                self._kill(live, key)
            elif not live.over:
                live.over = key
                self._watch.condemn(trial, self._launcher.grace_sec)
                live.decision = Decision.STOP
                self._launcher.decide(trial, Decision.STOP)
        is_late = self._watch.now >= self._pause_by
        for trial in list(self._running) if is_late else self._watch.condemned():
            live = self._running[trial]
            self._kill(live, live.over or PAUSE)

    def _kill(self, live: Live, over: str) -> None:
        if not live.killed:
            live.killed, live.over = True, over
            self._launcher.kill(live.spec.id)

    def _in_time(self, live: Live, result: TrialResult) -> TrialResult:
        """Return how an attempt ended, where it was told to stop or killed because its time was over."""
        if live.skipped:
            return TrialResult(TrialState.PRUNED, live.skipped, facts=result.facts, artifacts=result.artifacts)
        was_killed = live.killed and result.state is TrialState.FAILED and not result.failed_at
        whole = result.state is TrialState.COMPLETE and not live.cut
        if live.over == PAUSE and was_killed:
            self._line(f"trial {live.spec.study}/{live.spec.id} did not pause in time and was killed")
            return TrialResult(TrialState.WAITING, self._why_paused)
        if (live.over == SILENT_SECONDS and was_killed) or (live.over == TRIAL_SECONDS and not whole):
            return over_limit(result, live.over, self._watch.limits.of(live.over) or 0.0)
        return result

    def _scores(self, live: Live, result: TrialResult) -> tuple[float, ...]:
        """Return what a trial's curves are worth, one number per objective."""
        known = self._known(live.spec.id) if self._objective.others or live.last is None else None
        return scores_of(self._objective, live, known, result)

    def _known(self, trial: TrialId) -> TrialRecord:
        known = self._record.trial(trial)
        assert known is not None, f"trial {trial} was started without a record"
        return known

    def _retry(self, live: Live, failures: Failures, result: TrialResult) -> bool:
        retries = self._launcher.retries
        what = f"trial {live.spec.study}/{live.spec.id} failed: {result.reason}"
        if not failures.allow_retry(result, retries):
            again = "; so did its attempt before, in the same line" if failures.repeated_by(result) else ""
            log = Path(live.spec.folder) / LOG
            self._line(what + again + (f" (log: {shown_path(log)})" if log.is_file() else ""))
            return False
        self._line(f"{what}; trying again ({failures.count + 1} of {retries})")
        self._places.fail(live.spec.id)
        self._begin_again(live, replace(result, state=TrialState.WAITING))
        return True

    def _begin_again(self, live: Live, result: TrialResult) -> None:
        self._write(live, result, math.nan)
        self.add(replace(live.spec, attempt=live.spec.attempt + 1), live.curve)

    def _write(self, live: Live, result: TrialResult, score: float) -> None:
        self._record.state(
            live.spec.id, result.state, self._clock(), reason=result.reason, traceback=result.traceback, score=score,
            attempt=live.spec.attempt, artifacts=files_left(live.spec, result), facts=result.facts,
            ended_by=result.ended_by,
        )  # fmt: skip
