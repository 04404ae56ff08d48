"""A search whose trials are asked for one by one, trained outside, and told."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hpsearch.base.errors import ConfigError, StorageError, check_int
from hpsearch.base.outcome import incomplete, missing_metric, state_after
from hpsearch.base.readable import readable
from hpsearch.base.types import (
    BestPoint,
    Clock,
    Decision,
    Objective,
    Report,
    TrialId,
    TrialResult,
    TrialSpec,
    TrialState,
)
from hpsearch.base.words import count
from hpsearch.launch.outside import ASKED_BY, SHELL, OutsideLauncher
from hpsearch.search.driver import Driver
from hpsearch.tracking.events import TrialRecord, read_trial, trial_files
from hpsearch.tracking.lines import last_state
from hpsearch.tracking.record import Record


def trials_out(folder: Path) -> dict[TrialId, float]:
    """Return the trials that shells were handed and have not told, and when each was heard of last."""
    running = [path for path in trial_files(folder) if last_state(path) is TrialState.RUNNING]
    records = [record for path in running if (record := read_trial(path)) is not None]
    return {each.id: each.heard for each in records if each.heard is not None and each.facts.get(ASKED_BY) == SHELL}


class OutsideSearch:
    """Asks the driver of a search for trials, and tells it what they came to.

    What `ask`, `report` and `tell` return has happened: it is on the disk.

    Args:
        driver: of the search, resumed, inside its `searching` block.
        launcher: of the driver.
        record: of the driver.
        objective: what is searched for.
        clock: seconds since the Unix epoch.

    Attributes:
        objective: the same.
    """

    def __init__(
        self, driver: Driver, launcher: OutsideLauncher, record: Record, objective: Objective, clock: Clock
    ) -> None:
        self._driver = driver
        self._points = driver.points
        self._launcher = launcher
        self._record = record
        self.objective = objective
        self._clock = clock

    def ask(self) -> TrialSpec | None:
        """Return the next trial to train, None where there is none now: see `why_none`."""
        self._driver.step()
        while self._launcher.has_news:  # what was silent for too long waits to be handed out again
            self._driver.step()
        self._launcher.want()
        return self._step()

    def _step(self) -> TrialSpec | None:
        self._driver.step()
        self._driver.flush()
        return self._launcher.take()

    @property
    def best(self) -> BestPoint | None:
        """The best complete point so far."""
        return self._points.results.best

    def close(self) -> None:
        """Leave the search; what a shell was handed stays out, the rest is asked for again by whoever goes on."""
        self._points.pool.abandon()

    @property
    def why_none(self) -> str:
        """Why there is no trial to hand out, in words."""
        out = self._points.unfinished
        waits = f"{count(out, 'trial')} {'is' if out == 1 else 'are'} not told yet" if out else ""
        return "; ".join(filter(None, [self._driver.why_no_more_points, waits]))

    @property
    def is_over(self) -> bool:
        """Whether everything that was asked for is told, and nothing further will be handed out."""
        return not self._points.unfinished and bool(self._driver.why_no_more_points)

    def report(self, trial: TrialId, metrics: Mapping[str, float], epoch: int | None = None) -> Decision:
        """Take in what a trial measured on its way.

        Args:
            trial: that was asked for.
            metrics: numbers by name.
            epoch: that it has trained to; None: one more than at its last report. What is said of an epoch again is
                left out.

        Returns:
            Whether it goes on or stops. One that is to stop has ended with that: it is PRUNED, whatever it is told. One
            that had ended before, because it was given up or told by another, stops too.

        Raises:
            ConfigError: nothing was measured, or `epoch` is no epoch.
        """
        known = self._known(trial)
        if epoch is not None:
            check_int("epoch", epoch, 0)
        if not metrics:
            raise ConfigError(f"trial {self._name(trial)}: a report needs a number, such as {self._example}")
        if known.state.finished:
            return Decision.STOP
        self._take_up(known)
        report = self._report(known, metrics, epoch)
        self._launcher.report(trial, report)
        self._step()
        decision = self._launcher.decision(trial)
        if self._launcher.is_out(trial) and (ended := state_after(decision, report.epoch)):
            self._launcher.end(trial, TrialResult(*ended, time=self._clock()))
            self._step()
        return decision

    def tell(self, trial: TrialId, metrics: Mapping[str, float], failed: str | None = None) -> TrialRecord:
        """Take in what a trial came to.

        Args:
            trial: that was asked for.
            metrics: numbers by name, the objective's among them unless a report had them; one that is not finite makes
                the trial INFEASIBLE. A trial whose reports have the objective is worth what is told here, and not what
                its curve says; of any other trial this is one more report.
            failed: why it failed, in one line; None where it did not.

        Returns:
            The trial as it ended; one that was stopped or given up stays PRUNED. A metric of the objective that it
            lacks is a ConfigError.

        Raises:
            StorageError: it was told before.
        """
        known = self._known(trial)
        if known.state is TrialState.PRUNED:
            return known
        if known.state.finished:
            why = f" ({known.reason})" if known.reason else ""
            raise StorageError(f"trial {self._name(trial)} has ended already: {known.state}{why}")
        result = self._result(known, metrics, failed)
        self._take_up(known)
        if result.state is TrialState.COMPLETE and metrics and not known.curve(self.objective.metric):
            self._launcher.report(trial, self._report(known, metrics))
        self._launcher.end(trial, replace(result, time=self._clock()))
        self._step()
        return self._known(trial)

    def _result(self, known: TrialRecord, metrics: Mapping[str, float], failed: str | None) -> TrialResult:
        if failed is not None:
            line = readable(" ".join(failed.split())) or "it failed"
            return incomplete(TrialResult(TrialState.COMPLETE), line)
        reported = {name for report in known.reports for name in report.metrics} | metrics.keys()
        missing = missing_metric(self.objective, reported, known.facts)
        if missing is not None and reported:
            raise ConfigError(missing.unreported(sorted(reported)))
        if missing is not None:
            raise ConfigError(f"trial {self._name(known.id)}: nothing was told of it; it needs {self._example}")
        if not known.curve(self.objective.metric):
            return TrialResult(TrialState.COMPLETE)
        facts = {name: value for name, value in metrics.items() if name != self.objective.metric}
        return TrialResult(TrialState.COMPLETE, facts=facts, score=metrics.get(self.objective.metric))

    @property
    def _example(self) -> str:
        return ", ".join(f"{each.metric}=0.5" for each in self.objective.each)

    def _take_up(self, known: TrialRecord) -> None:
        """Go on with a trial that waits to be handed out again, as it is heard of after all."""
        if not self._launcher.is_out(known.id):
            self._launcher.want(_last_epoch(known) or None)
            self._points.pool.start(known.id, self._launcher.free()[0])
            self._launcher.take()

    def _known(self, trial: TrialId) -> TrialRecord:
        known = self._record.trial(trial)
        if known is None:
            raise StorageError(f"trial {self._name(trial)} was never asked for")
        return known

    def _name(self, trial: TrialId) -> str:
        return f"{self._record.folder.name}/{trial}"

    def _report(self, known: TrialRecord, metrics: Mapping[str, float], epoch: int | None = None) -> Report:
        epoch = _last_epoch(known) + 1 if epoch is None else epoch
        return Report(epoch, epoch, metrics, time=self._clock())


def _last_epoch(known: TrialRecord) -> int:
    return max((int(report.epoch) for report in known.reports), default=0)
