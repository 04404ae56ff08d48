"""One slot in this process: the debug twin of the worker processes."""

import time
import traceback
from collections.abc import Callable
from typing import Any

from hpsearch.base import current
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import Decision, Execute, Given, TrialId, TrialSpec
from hpsearch.launch.base import Died, LauncherEvent
from hpsearch.launch.batch import TrialBatch
from hpsearch.launch.mailbox import Mailbox


class InlineLauncher:
    """Trains in the driver's own process, one batch at a time: `poll` advances it by one message.

    A breakpoint, a profiler or a debugger sees the trial directly. An error is handled as in a worker; a crash of
    native code ends the whole program.

    Args:
        retries: how often a trial is tried again after an error.
        grace_sec: how long a trial may take to obey; it is looked at between its reports alone.
        paused: how many paused loops of a user's own wait in memory; ``auto``: as many as it allows.
        lockstep: wait after every message until `decide` answers it.
        sleep: waits when there is nothing to do.
    """

    slots = 1
    detached = False
    kept: frozenset[TrialId] = frozenset()

    def __init__(
        self,
        lockstep: bool = False,
        retries: int = 2,
        grace_sec: float = 10.0,
        paused: int | str = "auto",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.lockstep, self.retries, self.grace_sec = lockstep, retries, grace_sec
        self._paused, self._outer_paused = paused, current.process.paused
        self._folders: set[str] = set()
        self._sleep = sleep
        self._execute: Execute | None = None
        self._batch: TrialBatch | None = None
        self._mailbox = Mailbox()
        self._reported = False
        self._died: list[LauncherEvent] = []

    def start(self, execute: Execute) -> None:
        """Remember what trains a trial."""
        self._execute = execute
        self._outer_paused, current.process.paused = current.process.paused, self._paused
        current.process.grace_sec = self.grace_sec

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> Any:  # noqa: ARG002
        """Run `function(*args)` here; an HpsearchError passes, anything else becomes a RuntimeError as from a worker.

        Args:
            function: what to run.
            *args: its arguments.
            within_sec: not looked at: nothing is killed in this process.

        Returns:
            What it returns.

        Raises:
            HpsearchError: the function raised it.
            RuntimeError: the function raised something else, whose traceback is in the message.
        """
        try:
            return function(*args)
        except HpsearchError:
            raise
        except Exception as error:
            raise RuntimeError(traceback.format_exc()) from error

    def free(self) -> tuple[int, ...]:
        """Return the one slot unless it trains."""
        return () if self._batch else (0,)

    def submit(self, slot: int, specs: tuple[TrialSpec, ...]) -> None:
        """Start a batch; `poll` trains it.

        Raises:
            RuntimeError: before `start`, or in a slot that is not free.
        """
        if self._execute is None or slot not in self.free():
            raise RuntimeError(f"slot {slot} is not free")
        self._folders.update(spec.folder for spec in specs)
        self._batch = TrialBatch(self._execute, specs)
        self._mailbox, self._reported = Mailbox(), False

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:
        """Advance the batch by one message per member; in lockstep only when all were answered."""
        if self._died:
            died, self._died = self._died, []
            return died
        if self._batch is None or not self._is_answered(self._batch):
            self._sleep(timeout_sec)
            return []
        events = self._batch.advance(self._answers(self._batch))
        self._reported = True
        if self._batch.ended:
            self._batch = None
        return list(events)

    def _is_answered(self, batch: TrialBatch) -> bool:
        if batch.asks:
            return self._mailbox.answered(batch.ids[0])
        return not (self.lockstep and self._reported) or self._mailbox.complete(batch.ids)

    def _answers(self, batch: TrialBatch) -> tuple[Decision | Given, ...]:
        return (self._mailbox.answer(batch.ids[0]),) if batch.asks else self._mailbox.take(batch.ids)

    def decide(self, trial: TrialId, decision: Decision | Given) -> None:
        """Keep a decision for a running trial, or what it asked for; ignored when it has ended."""
        if self._batch:
            self._mailbox.put(trial, decision)

    def kill(self, trial: TrialId) -> None:
        """Close the batch that a trial is in, between two of its messages."""
        if self._batch and trial in self._batch.ids:
            self._batch.close()
            self._died.append(Died(0, self._batch.ids, "closed between two reports"))
            self._batch = None

    def stop(self, now: bool = False) -> None:  # noqa: ARG002
        """Close the running batch, if any, and end what waits."""
        if self._batch:
            self._batch.close()
        self._batch = None
        current.process.forget(self._folders)
        current.process.paused = self._outer_paused
