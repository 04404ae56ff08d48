"""A worker with its seats, each for one batch, and the workers that stand still beside it."""

import queue
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.launch.base import Ended
from hpsearch.launch.frames import BATCH, CALL, Answer


class Worker(Protocol):
    """The driver's end of a worker, wherever that runs; what it sends goes into the driver's inbox, GONE at its end."""

    @property
    def title(self) -> str:
        """What it is called in messages."""
        ...

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame; a worker that is gone does not mind, GONE follows."""
        ...

    def settle(self, marks: int) -> None:
        """Wait until everything is in its log that the trials printed whose ends were sent after so many marks."""
        ...

    def kill(self) -> None:
        """Kill it and everything that it started."""
        ...

    def stand_still(self) -> None:
        """Let it stand still, with everything it started."""
        ...

    def go_on(self) -> None:
        """Let it go on after it stood still."""
        ...

    def join(self, timeout_sec: float | None = None) -> bool:
        """Wait until it is gone; return whether it is."""
        ...

    def exit_report(self) -> str:
        """Return how it ended, and the last lines that it printed."""
        ...


Inbox: TypeAlias = "queue.SimpleQueue[tuple[Worker, bytes, bytes]]"


@dataclass(frozen=True, slots=True)
class Parked:
    """A worker that stands still with a trial that waits and with what that has started."""

    spec: TrialSpec
    worker: Worker


@dataclass
class Task:
    """What a worker was given to do: a batch, or a call.

    Attributes:
        kind: of the frame that says so.
        payload: of that frame.
        seat: where the batch sits: the slot of the launcher.
        specs: of the batch.
        trials: those of its trials that have not ended.
    """

    kind: bytes
    payload: bytes
    seat: int = -1
    specs: tuple[TrialSpec, ...] = ()
    trials: list[TrialId] = field(default_factory=list)


@dataclass
class Slot:
    """A worker that trains one batch per seat, by turns, or answers a call.

    What begins trains in its `shared` worker, and what waits may stay in the memory of that. A trial that waits with
    programs that it started keeps the worker for itself, which stands still meanwhile; another one is shared from then
    on. That is for a slot of one seat only.

    Args:
        index: of the slot.
        spawn: starts a worker for the slot of an index.
        shared: the first one.

    Attributes:
        seats: the slots of the launcher that are here.
        own: the worker of the trial that trains, where it has one to itself.
        parked: those that stand still.
        ready: whether the shared one has started.
        failed_starts: how often it could not.
        tasks: what is being done.
        answer: to the last call.
        trained: the trials that the shared one has begun.
        held: those of them that wait in its memory.
        is_limited: whether one of them lowered a hard limit of the system's, such as that of memory.
    """

    index: int
    spawn: Callable[[int], Worker]
    shared: Worker
    seats: Sequence[int] = ()
    own: Worker | None = None
    parked: list[Parked] = field(default_factory=list)
    ready: bool = False
    failed_starts: int = 0
    tasks: list[Task] = field(default_factory=list)
    answer: Answer | None = None
    trained: set[TrialId] = field(default_factory=set)
    held: set[TrialId] = field(default_factory=set)
    is_limited: bool = False

    def __post_init__(self) -> None:
        self.seats = self.seats or (self.index,)

    @property
    def trials(self) -> tuple[TrialId, ...]:
        """Those that train."""
        return tuple(trial for task in self.tasks for trial in task.trials)

    @property
    def is_called(self) -> bool:
        """Whether it is to answer a call."""
        return any(task.kind == CALL for task in self.tasks)

    @property
    def free(self) -> list[int]:
        """The seats that can take a batch; nothing trains beside a call, nor begins where a hard limit was lowered."""
        taken = [task.seat for task in self.tasks]
        ends = self.is_called or (self.is_limited and self.tasks)
        return [] if ends else [seat for seat in self.seats if seat not in taken]

    @property
    def worker(self) -> Worker:
        """The one that does what there is to do."""
        return self.own or self.shared

    @property
    def workers(self) -> Iterator[Worker]:
        """All of them."""
        yield self.shared
        if self.own is not None:
            yield self.own
        yield from (each.worker for each in self.parked)

    def call(self, payload: bytes) -> None:
        """Let the worker answer a call; nothing else is done meanwhile."""
        self.answer = None
        self._give(Task(CALL, payload))

    def train(self, payload: bytes, seat: int, specs: tuple[TrialSpec, ...], apart: bool = False) -> None:
        """Let the worker train a batch in a free seat.

        Args:
            payload: what it is sent.
            seat: the slot of the launcher.
            specs: of the batch.
            apart: not in a worker that has trained others, if nothing trains there.
        """
        trials = [spec.id for spec in specs]
        if not self.tasks and self.own is None and (self.is_limited or (apart and self.trained - set(trials))):
            self._renew()
        if self.own is None:
            self.trained.update(trials)
            self.held.difference_update(trials)
        self._give(Task(BATCH, payload, seat, specs, trials))

    def _renew(self) -> None:
        """Go on in a new worker: the shared one, or another beside it, where something may go on in its memory."""
        if self.is_limited or not self.held:
            self.shared.kill()
            self.replace_shared()
        elif len(self.seats) == 1:
            self.own = self.spawn(self.index)

    def _give(self, task: Task) -> None:
        self.tasks.append(task)
        self.worker.send(task.kind, task.payload)

    def give_again(self) -> None:
        """Let another worker do what the one before has not begun."""
        for task in self.tasks:
            self.shared.send(task.kind, task.payload)

    def wake(self, spec: TrialSpec, here: bool) -> None:
        """Let the worker that stands still with a trial go on.

        Args:
            spec: of the trial's next attempt; a worker that stands still with another attempt is killed.
            here: whether the trial goes on in this slot; where it begins anew in another one, the worker is killed too.
        """
        for each in [each for each in self.parked if each.spec.folder == spec.folder]:
            self.parked.remove(each)
            if here and each.spec.attempt + 1 == spec.attempt:
                self.own = each.worker
                self.own.go_on()
            else:
                each.worker.kill()

    def end_trials(self, ended: Sequence[Ended], is_limited: bool = False) -> None:
        """Note which trials have ended or wait; the worker that one has for itself stands still or is ended with it.

        Args:
            ended: what they say.
            is_limited: whether a hard limit of their worker was lowered.
        """
        over = {event.trial for event in ended}
        held = {event.trial for event in ended if event.result.held}
        if self.own is None:
            self.held |= held
            self.is_limited |= is_limited
        if any(event.result.alone for event in ended) or (self.own and held):
            self._park()
        else:
            self.close_own()
        self.drop(over)

    def drop(self, trials: Collection[TrialId]) -> None:
        """Note that trials have ended."""
        for task in self.tasks:
            task.trials = [trial for trial in task.trials if trial not in trials]
        self.tasks = [task for task in self.tasks if task.trials or task.kind == CALL]

    def _park(self) -> None:
        (task,) = self.tasks
        self.worker.stand_still()
        self.parked.append(Parked(task.specs[0], self.worker))
        self.replace()

    def close_own(self) -> None:
        """End the worker of a trial that has ended, where it had one to itself."""
        if self.own is not None:
            self.own.kill()
            self.own = None

    def replace(self) -> None:
        """Go on without the worker that did what there was to do."""
        if self.own is None:
            self.replace_shared()
        self.own = None

    def replace_shared(self) -> None:
        """Start another worker to share."""
        self.shared, self.ready = self.spawn(self.index), False
        self.trained, self.held, self.is_limited = set(), set(), False

    def forget(self, worker: Worker) -> None:
        """Go on without a worker that is gone, and did nothing."""
        if worker is self.shared:
            self.replace_shared()
        self.parked = [each for each in self.parked if each.worker is not worker]

    def end(self, trial: TrialId) -> None:
        """Kill the worker that stands still with a trial."""
        self.held.discard(trial)
        for each in self.parked:
            if each.spec.id == trial:
                each.worker.kill()
