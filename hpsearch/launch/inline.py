"""A worker that is this process: the debug twin of the worker processes."""

import time
import traceback
from collections.abc import Callable, Collection
from contextlib import ExitStack
from socket import gethostname
from typing import Any

from hpsearch.base import current
from hpsearch.base.borrowed import environment
from hpsearch.base.current import Overdue
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import Decision, Execute, Given, TrialId, TrialSpec
from hpsearch.launch.base import Died, LauncherEvent
from hpsearch.launch.batch import TrialBatch
from hpsearch.launch.devices import PRODUCTS, check_share, visible_gpus
from hpsearch.launch.limits import fuse_word
from hpsearch.launch.mailbox import Mailbox
from hpsearch.launch.seats import Seats


class InlineLauncher:
    """Trains in the driver's own process: `poll` advances what trains by one message.

    A breakpoint, a profiler or a debugger sees the trial directly. An error is handled as in a worker; a crash of
    native code ends the whole program.

    Args:
        retries: how often a trial is tried again after an error.
        grace_sec: how long a trial may take to obey; it is looked at between its reports alone.
        paused: how many paused loops of a user's own wait in memory; ``auto``: as many as it allows.
        lockstep: wait after every message until `decide` answers it.
        fuse: whether trials are trained as one program: ``auto`` where that is faster, ``on``, ``off``, or how many at
            most.
        gpus_per_trial: as for worker processes; this process sees all GPUs, and refuses to need more than there are.
        sleep: waits when there is nothing to do.
    """

    width = 1
    detached = False
    kept: frozenset[TrialId] = frozenset()

    def __init__(
        self,
        lockstep: bool = False,
        retries: int = 2,
        grace_sec: float = 10.0,
        paused: int | str = "auto",
        fuse: bool | int | str = "off",
        gpus_per_trial: float = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        check_share(gpus_per_trial, visible_gpus())
        self.lockstep, self.retries, self.grace_sec = lockstep, retries, grace_sec
        self._paused, self._outer_paused = paused, current.process.paused
        self.fuse = fuse_word(fuse)
        self._folders: set[str] = set()
        self._sleep = sleep
        self._execute: Execute | None = None
        self._mailbox = Mailbox()
        self._seats = Seats(lockstep, self._mailbox)
        self._batches: dict[int, TrialBatch] = {}
        self._died: list[LauncherEvent] = []
        self._settings = ExitStack()

    def start(self, execute: Execute) -> None:
        """Remember what trains a trial."""
        self._execute = execute
        self._settings.enter_context(environment(PRODUCTS))  # MKL reads it at its first product
        self._outer_paused, current.process.paused = current.process.paused, self._paused
        current.process.grace_sec, current.process.fuse = self.grace_sec, self.fuse

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

    def everywhere(self, function: Callable[..., Any], *args: Any, unlike: Callable[[Any], str]) -> None:
        """Run nothing: there is no other machine."""

    @property
    def slots(self) -> int:
        """How many batches may run at once."""
        return self.width

    def widen(self, width: int) -> None:
        """Train so many batches by turns."""
        self.width = width

    def free(self) -> tuple[int, ...]:
        """Return the slots that train nothing."""
        return tuple(slot for slot in range(self.width) if slot not in self._batches)

    def machine(self, slot: int) -> str:  # noqa: ARG002
        """Return the name of this machine."""
        return gethostname()

    def submit(self, slot: int, specs: tuple[TrialSpec, ...]) -> None:
        """Start a batch; `poll` trains it.

        Raises:
            RuntimeError: before `start`, or in a slot that is not free.
        """
        if self._execute is None or slot not in self.free():
            raise RuntimeError(f"slot {slot} is not free")
        self._folders.update(spec.folder for spec in specs)
        self._batches[slot] = batch = TrialBatch(self._execute, specs)
        self._mailbox.forget(batch.ids)
        self._seats.take(batch)

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:
        """Advance what trains by one message per member; in lockstep only when all were answered."""
        if self._died:
            died, self._died = self._died, []
            return died
        if self._seats.stand_still:
            self._sleep(timeout_sec)
            return []
        events: list[LauncherEvent] = []
        try:
            for _, told in self._seats.turn():
                events += told
        except Overdue:
            self._drop("interrupted", [batch.ids[0] for batch in self._batches.values()])
        self._batches = {slot: batch for slot, batch in self._batches.items() if not batch.ended}
        return events

    def decide(self, trial: TrialId, decision: Decision | Given) -> None:
        """Keep a decision for a running trial, or what it asked for; ignored when it has ended."""
        if any(trial in batch.ids for batch in self._batches.values()):
            self._mailbox.put(trial, decision)

    def kill(self, trial: TrialId) -> None:
        """Close the batch that a trial is in, between two of its messages; others go on."""
        self._drop("closed between two reports", [trial])

    def _drop(self, why: str, trials: Collection[TrialId]) -> None:
        for slot, batch in list(self._batches.items()):
            for trial in [trial for trial in trials if trial in batch.ids and not batch.ended]:
                self._seats.leave(batch)
                batch.close()
                self._batches.pop(slot, None)
                self._died.append(Died(slot, batch.ids, why, trial))

    def stop(self, now: bool = False) -> None:  # noqa: ARG002
        """Close what runs, and end what waits."""
        for batch in self._batches.values():
            self._seats.leave(batch)
            batch.close()
        self._batches = {}
        self._settings.close()
        current.process.forget(self._folders)
        current.process.paused = self._outer_paused
