"""Trials that whoever asks for them trains: nothing runs here, and what they come to is told."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from socket import gethostname
from typing import Any, NoReturn

from hpsearch.base.errors import HpsearchError
from hpsearch.base.keys import SILENT_SECONDS
from hpsearch.base.types import Clock, Decision, Execute, Given, Report, Started, TrialId, TrialResult, TrialSpec
from hpsearch.base.words import duration
from hpsearch.launch.base import Died, Ended, LauncherEvent, Reported

ASKED_BY = "asked_by"
"""Fact of a trial: whose question it answered, `SHELL` or `SESSION`."""
SHELL, SESSION = "shell", "session"


@dataclass(slots=True)
class _Out:
    """A trial that was handed out: when it was heard of last, and what it was told to do."""

    heard: float
    decision: Decision = Decision.CONTINUE


class OutsideLauncher:
    """Hands trials out, and takes in what is told of them.

    It has a slot for every trial that is out, and one more while `want` waits for another.

    Args:
        by: who asks, `SHELL` or `SESSION`: what a shell was handed stays out when this process ends.
        retries: how often a trial that was lost is handed out again.
        silent_sec: a trial is lost of which nothing was heard for so long; None: never.
        clock: seconds since the Unix epoch.
    """

    width = 1
    fuse: int | str = "off"
    lockstep = False
    detached = True
    grace_sec = 0.0

    def __init__(
        self,
        by: str = SESSION,
        retries: int = 2,
        silent_sec: float | None = None,
        clock: Clock = time.time,
    ) -> None:
        self.retries = retries
        self._by, self._silent_sec, self._clock = by, silent_sec, clock
        self._out: dict[TrialId, _Out] = {}
        self._kept: set[TrialId] = set()
        self._wanted = 0
        self._epoch: int | None = None
        self._handed: list[TrialSpec] = []
        self._events: list[LauncherEvent] = []

    def keep(self, out: Mapping[TrialId, float]) -> None:
        """Take over trials that were handed out before and are still out.

        Args:
            out: when each was heard of last.
        """
        self._out |= {trial: _Out(heard) for trial, heard in out.items()}
        self._kept |= out.keys()

    @property
    def slots(self) -> int:
        """As many as trials are out or wanted."""
        return len(self._out) + self._wanted

    @property
    def kept(self) -> Collection[TrialId]:
        """The trials that stay out when this process ends."""
        return self._kept

    def want(self, epoch: int | None = None) -> None:
        """Ask for a trial: the next one that is submitted.

        Args:
            epoch: that it goes on from; None: it starts from scratch.
        """
        self._wanted, self._epoch = 1, epoch

    def take(self) -> TrialSpec | None:
        """Return the trial that was submitted since `want`, None where there was none to submit."""
        self._wanted = 0
        return self._handed.pop() if self._handed else None

    @property
    def has_news(self) -> bool:
        """Whether something is to be polled."""
        return bool(self._events)

    def is_out(self, trial: TrialId) -> bool:
        """Return whether a trial was handed out and not told."""
        return trial in self._out

    def report(self, trial: TrialId, report: Report) -> None:
        """Take in a report of a trial that is out."""
        self._out[trial].heard = self._clock()
        self._events.append(Reported(trial, report))

    def end(self, trial: TrialId, result: TrialResult) -> None:
        """Take in how a trial ended that is out."""
        self._events.append(Ended(trial, result))
        self._drop(trial)

    def decision(self, trial: TrialId) -> Decision:
        """Return what a trial was told to do; one that is not out any more is to stop."""
        return self._out[trial].decision if trial in self._out else Decision.STOP

    def start(self, execute: Execute) -> None:
        """Start nothing: trials run elsewhere."""

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> NoReturn:  # noqa: ARG002
        """Refuse to run anything: there is no worker.

        Args:
            function: what would run.
            *args: its arguments.
            within_sec: how long it may take.

        Raises:
            HpsearchError: always.
        """
        raise HpsearchError(f"{function.__name__}{args!r:.80}: nothing runs here, trials are trained outside")

    def everywhere(self, function: Callable[..., Any], *args: Any, unlike: Callable[[Any], str]) -> None:
        """Run nothing: there is no worker."""

    def widen(self, width: int) -> None:
        """Change nothing: there is no worker."""

    def free(self) -> tuple[int, ...]:
        """Return a slot for the trial that is wanted."""
        return tuple(range(len(self._out), self.slots))

    def machine(self, slot: int) -> str:  # noqa: ARG002
        """Return the name of this machine."""
        return gethostname()

    def submit(self, slot: int, specs: tuple[TrialSpec, ...]) -> None:
        """Hand a trial out.

        Raises:
            RuntimeError: none is wanted.
        """
        if slot not in self.free():
            raise RuntimeError(f"slot {slot} is not free")
        (spec,) = specs
        self._wanted = 0
        self._handed.append(spec)
        now = self._clock()
        self._out[spec.id] = _Out(now)
        if self._by == SHELL:
            self._kept.add(spec.id)
        self._events.append(Reported(spec.id, Started(self._epoch, {ASKED_BY: self._by}, now)))

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:  # noqa: ARG002 (what is told is there already)
        """Return what was told, and which trials were silent for too long."""
        events, self._events = self._events, []
        if self._silent_sec is not None:
            since = self._clock() - self._silent_sec
            for trial in [trial for trial, out in self._out.items() if out.heard < since]:
                self._drop(trial)
                silent = f"nothing was heard of it for {duration(self._silent_sec)} ({SILENT_SECONDS})"
                events.append(Died(0, (trial,), silent))
        return events

    def decide(self, trial: TrialId, decision: Decision | Given) -> None:
        """Keep a decision for a trial that is out, to be read at its next report; none of them asks."""
        if trial in self._out and isinstance(decision, Decision):
            self._out[trial].decision = decision

    def kill(self, trial: TrialId) -> None:
        """Count a trial as lost, wherever it trains."""
        if trial in self._out:
            self._drop(trial)
            self._events.append(Died(0, (trial,), "it trains outside"))

    def stop(self, now: bool = False) -> None:
        """Stop nothing: trials run elsewhere."""

    def _drop(self, trial: TrialId) -> None:
        del self._out[trial]
        self._kept.discard(trial)
