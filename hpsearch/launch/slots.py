"""Workers with numbered slots, wherever they run: what launchers of worker processes and of Ray share."""

import pickle
import queue
import sys
import time
import traceback
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import gethostname
from typing import Any

from hpsearch.base import platform
from hpsearch.base.clock import time_of_day
from hpsearch.base.errors import ConfigError, MachineError
from hpsearch.base.outcome import failure
from hpsearch.base.types import Clock, Decision, Execute, Given, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, LauncherEvent
from hpsearch.launch.frames import ALONE, ANSWER, BROKEN, DECIDE, EVENTS, GONE, LEAVE, READY, Answer
from hpsearch.launch.limits import fuse_word
from hpsearch.launch.process import import_path
from hpsearch.launch.slot import Inbox, Slot, Worker

_START_ATTEMPTS = 3
_LEAVE_SEC = 5.0


class SlotLauncher:
    """Trains in workers that are started once, import once and train many trials, `width` at once in each.

    Whoever inherits it starts the workers (`_begun`), and ends what they leave (`_end`).

    Args:
        workers: how many.
        lockstep: a trial waits after every message until `decide` answers it.
        retries: how often a trial is tried again after an error of its own or the death of its worker.
        grace_sec: how long a trial that was told to stop or to pause may take before whoever told it kills it.
        paused: how many paused loops of a user's own wait per worker; ``auto``: as many as the memory allows.
        fuse: whether a worker trains trials as one program: ``auto`` where that is faster, ``on``, ``off``, or how many
            at most.
        clock: monotonic seconds.
    """

    width = 1
    always_up = True
    """Whether the worker of every slot may be given something to do at any time, see `_is_up`."""
    detached = True
    kept: frozenset[TrialId] = frozenset()

    def __init__(
        self,
        workers: int,
        lockstep: bool,
        retries: int,
        grace_sec: float,
        paused: int | str,
        fuse: bool | int | str,
        clock: Clock = time.monotonic,
    ) -> None:
        self._workers = workers
        self.lockstep, self.retries, self.grace_sec = lockstep, retries, grace_sec
        self._paused, self.fuse, self._clock = paused, fuse_word(fuse), clock
        self._hello = b""
        self._inbox: Inbox = queue.SimpleQueue()
        self._slots: list[Slot] = []
        self._events: list[LauncherEvent] = []
        self._asked = 0
        self._failed: set[TrialId] = set()
        self._training: dict[TrialId, Slot] = {}
        self._of: dict[Worker, Slot] = {}
        self._touched: set[int] = set()
        self._free_seats: list[int] = []
        self._free_of: dict[int, list[int]] = {}
        self._may_keep: set[int] = set()

    def _begun(self, module: str) -> Sequence[Worker]:
        """Return the worker of every slot, told `_hello`; they import a module."""
        raise NotImplementedError

    def _spawn(self, index: int) -> Worker:
        """Return another worker for a slot, told `_hello`."""
        raise NotImplementedError

    def _end(self) -> None:
        """End what workers that are gone have left."""
        raise NotImplementedError

    def _is_up(self, slot: Slot) -> bool:  # noqa: ARG002
        """Return whether the worker of a slot may be given something to do; one that still imports may."""
        return True

    @property
    def slots(self) -> int:
        """How many batches may run at once."""
        return self._workers * self.width

    def start(self, execute: Execute) -> None:
        """Start every worker; they import `execute` while this returns, the first one for all of them where it forks.

        Where the module of `execute` has a function `preload`, each worker calls it at once: there it imports what the
        driver does without.

        Raises:
            ConfigError: `execute` cannot be imported by another process.
        """
        if execute.__module__ == "__main__":
            name = getattr(execute, "__qualname__", repr(execute))
            raise ConfigError(
                f"the trial function {name} is defined in the script or notebook itself, where worker processes cannot "
                "find it; move it into a module of its own, or use launcher=inline"
            )
        hello = pickle.dumps((execute, self.lockstep, self._paused, self.grace_sec, self.fuse))
        self._hello = pickle.dumps((import_path(), sys.argv[:1], hello))
        begun = self._begun(execute.__module__)
        self._slots = [Slot(index, self._spawn, worker) for index, worker in enumerate(begun)]
        self._of = {slot.shared: slot for slot in self._slots}
        self._touched = set(range(len(self._slots)))

    def widen(self, width: int) -> None:
        """Let every worker train so many batches by turns; slot s is of worker s % workers."""
        self.width = width
        for slot in self._slots:
            slot.seats = range(slot.index, self.slots, self._workers)
        self._touched = set(range(len(self._slots)))

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> Any:
        """Run `function(*args)` in a free worker; an HpsearchError it raises is raised here, its death a MachineError.

        Args:
            function: importable by name.
            *args: anything that pickles.
            within_sec: how long it may take; None: any time.

        Returns:
            What it returns.

        Raises:
            TimeoutError: it took longer; its worker is killed.
            RuntimeError: the function raised anything else (its traceback is in the message), or no worker is free.
        """
        free = [slot for slot in self._slots if not slot.tasks and self._is_up(slot)]
        if not free:
            raise RuntimeError("every worker is busy")
        slot = min(free, key=lambda slot: not slot.ready)
        self._touched.add(slot.index)
        self._asked = slot.index
        slot.call(pickle.dumps((function, args)))
        answer = self._answer(slot, within_sec)
        if answer is None:
            slot.worker.kill()
            slot.tasks = []
            slot.replace()
            self._touched.add(slot.index)
            raise TimeoutError(f"no answer within {within_sec} s")
        if answer.error:
            raise answer.error
        if answer.traceback:
            raise RuntimeError(answer.traceback)
        return answer.value

    def everywhere(self, function: Callable[..., Any], *args: Any, unlike: Callable[[Any], str]) -> None:
        """Run nothing: workers are on one machine, or on machines that share their files."""

    def _answer(self, slot: Slot, within_sec: float | None) -> Answer | None:
        """Return what a worker answers, None where it takes longer."""
        deadline = None if within_sec is None else self._clock() + within_sec
        while slot.answer is None:
            left = None if deadline is None else deadline - self._clock()
            if left is not None and left <= 0:
                return None
            waits = [wait for wait in (platform.longest_wait(), left) if wait is not None]
            with suppress(queue.Empty):
                self._handle(*self._inbox.get(timeout=min(waits, default=None)))
        return slot.answer

    def free(self) -> tuple[int, ...]:
        """Return the slots that can take a batch; one whose worker still imports can."""
        for slot in [self._slots[index] for index in self._touched]:
            before, now = self._free_of.get(slot.index, []), slot.free
            if now != before:
                self._free_of[slot.index] = now
                for seat in before:
                    del self._free_seats[bisect_left(self._free_seats, seat)]
                for seat in now:
                    insort(self._free_seats, seat)
        self._touched.clear()
        if not self.always_up:
            return tuple(seat for seat in self._free_seats if self._is_up(self._slots[seat % self._workers]))
        return tuple(self._free_seats)

    def machine(self, slot: int) -> str:  # noqa: ARG002
        """Return the name of the machine that a slot is on: this one."""
        return gethostname()

    def submit(self, slot: int, specs: tuple[TrialSpec, ...]) -> None:
        """Start a batch in a free slot.

        A trial that raised an error may have found what another had left in its worker, such as a function replaced:
        its next attempt begins in one that has trained no other. So does what follows one that lowered a hard limit.

        Raises:
            RuntimeError: the slot is not free.
        """
        place = self._slots[slot % self._workers]
        if slot not in place.free or not self._is_up(place):
            raise RuntimeError(f"slot {slot} is not free")
        self._touched.add(place.index)
        for each in self._keeping():
            each.wake(specs[0], here=each is place)
        trials = tuple(spec.id for spec in specs)
        try:
            payload = pickle.dumps((trials, pickle.dumps((specs, len(place.parked)))))
        except Exception as error:
            place.close_own()
            self._events += [Ended(trial, failure(error, time_of_day())) for trial in trials]
            return
        self._training.update(dict.fromkeys(trials, place))
        place.train(payload, slot, specs, apart=not self._failed.isdisjoint(trials))
        self._failed.difference_update(trials)

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:
        """Return what happened, waiting at most `timeout_sec` for the first event.

        A worker that cannot even start is started again, and after the third time a MachineError says why.
        """
        deadline = self._clock() + timeout_sec
        with suppress(queue.Empty):
            while not self._events:
                self._handle(*self._inbox.get(timeout=max(0.0, deadline - self._clock())))
        self._receive_all()
        events, self._events = self._events, []
        return events

    def _receive_all(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._handle(*self._inbox.get_nowait())

    def decide(self, trial: TrialId, decision: Decision | Given) -> None:
        """Send a decision to a running trial, or what it asked for; ignored when it has ended.

        One that waits is ended by a stop.
        """
        if decision is Decision.CONTINUE and not self.lockstep:
            return
        slot = self._where(trial)
        if slot is not None:
            slot.worker.send(DECIDE, pickle.dumps((trial, decision)))
        if decision is Decision.STOP:
            for each in self._keeping():
                if each is not slot:
                    each.end(trial)

    def kill(self, trial: TrialId) -> None:
        """Kill the worker of a running trial with all that it started; one that hangs in the kernel is not waited for.

        What the worker had sent is handled first, so that a trial that has just ended is left alone.
        """
        self._receive_all()
        if (slot := self._where(trial)) is not None:
            slot.worker.kill()
            self._events.append(Died(slot.index, slot.trials, f"{slot.worker.title} was killed", trial))
            slot.tasks = []
            slot.replace()
            self._touched.add(slot.index)

    def _where(self, trial: TrialId) -> Slot | None:
        """Return the slot that trains a trial."""
        slot = self._training.get(trial)
        return slot if slot is not None and trial in slot.trials else None

    def _keeping(self) -> list[Slot]:
        """Return the slots that something waits in, or did."""
        return [self._slots[index] for index in sorted(self._may_keep)]

    def stop(self, now: bool = False) -> None:
        """End the workers; without `now`, one that trains has a few seconds to end its batch."""
        for slot in self._slots:
            for each in slot.parked:
                each.worker.kill()
            if now or not slot.ready:
                slot.shared.kill()
                slot.worker.kill()
            else:
                slot.shared.send(LEAVE)
                slot.worker.send(LEAVE)
        deadline = self._clock() + _LEAVE_SEC
        for worker in [worker for slot in self._slots for worker in slot.workers]:
            if not worker.join(max(0.0, deadline - self._clock())):
                worker.kill()
                worker.join()
        self._slots, self._of, self._training, self._may_keep = [], {}, {}, set()
        self._touched, self._free_seats, self._free_of = set(), [], {}
        self._end()

    def _handle(self, worker: Worker, kind: bytes, payload: bytes) -> None:
        slot = self._slot_of(worker)
        if slot is None:
            return
        self._touched.add(slot.index)
        if kind == READY:
            slot.ready, slot.failed_starts = True, 0
        elif kind == GONE:
            self._of.pop(worker, None)
            self._on_death(slot, worker)
        elif kind == BROKEN:
            self._fail(slot, "the batch cannot be unpickled by the worker", *pickle.loads(payload))
            slot.close_own()
        else:
            self._receive(slot, kind, payload)

    def _slot_of(self, worker: Worker) -> Slot | None:
        """Return the slot that a worker is in; None of one that was replaced."""
        slot = self._of.get(worker)
        if slot is None or worker not in slot.workers:
            slot = next((slot for slot in self._slots if worker in slot.workers), None)
            self._of.pop(worker, None)
            if slot is not None:
                self._of[worker] = slot
        return slot

    def _receive(self, slot: Slot, kind: bytes, payload: bytes) -> None:
        try:
            content = pickle.loads(payload)
            events = [e for each in content[1] for e in pickle.loads(each)] if kind in (EVENTS, ALONE) else []
        except Exception:
            slot.worker.kill()
            slot.replace()
            self._fail(slot, "a message of the worker cannot be unpickled", slot.trials, traceback.format_exc())
            return
        if kind == ANSWER:
            slot.answer, slot.tasks = content, []
        elif kind in (EVENTS, ALONE):
            self._events += events
            ended = [event for event in events if isinstance(event, Ended)]
            if ended:
                self._failed.update(event.trial for event in ended if event.result.state is TrialState.FAILED)
                slot.worker.settle(content[0])
                slot.end_trials(ended, is_limited=content[2])
                for event in ended:
                    self._training.pop(event.trial, None)
                if any(event.result.held or event.result.alone for event in ended):
                    self._may_keep.add(slot.index)

    def _fail(self, slot: Slot, reason: str, trials: tuple[TrialId, ...], details: str) -> None:
        result = TrialResult(TrialState.FAILED, reason, details, retry=False, time=time_of_day(), failed_at=reason)
        self._events += [Ended(trial, result) for trial in trials]
        slot.drop(trials)
        if slot.is_called:
            slot.answer, slot.tasks = Answer(traceback=f"{reason}\n{details}"), []

    def _on_death(self, slot: Slot, worker: Worker) -> None:
        detail = worker.exit_report()
        if worker is slot.shared and not slot.ready:
            self._start_again(slot, detail)
        elif worker is not slot.worker:
            slot.forget(worker)
        else:
            if slot.is_called:
                slot.answer = Answer(error=MachineError(detail))
            else:
                self._events.append(Died(slot.index, slot.trials, detail))
            slot.tasks = []
            slot.replace()

    def _start_again(self, slot: Slot, detail: str) -> None:
        slot.failed_starts += 1
        if slot.failed_starts == _START_ATTEMPTS:
            self.stop(now=True)
            raise MachineError(f"a worker process died {_START_ATTEMPTS} times while it started: {detail}")
        slot.replace_shared()
        if slot.own is None:
            slot.give_again()
