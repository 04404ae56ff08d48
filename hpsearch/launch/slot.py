"""Where one batch trains at a time, and the workers that stand still there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.launch.base import Ended
from hpsearch.launch.frames import Answer
from hpsearch.launch.process import WorkerProcess


@dataclass(frozen=True, slots=True)
class Parked:
    """A worker that stands still with a trial that waits and with what that has started."""

    spec: TrialSpec
    worker: WorkerProcess


@dataclass
class Slot:
    """Where one batch trains at a time, or one call is answered.

    What begins trains in its `shared` worker, and what waits may stay in the memory of that. A trial that waits with
    programs that it started keeps the worker for itself, which stands still meanwhile; another one is shared from then
    on.

    Args:
        index: of the slot.
        spawn: starts a worker for the slot of an index.
        shared: the first one.

    Attributes:
        own: the worker of the trial that trains, where it has one to itself.
        parked: those that stand still.
        ready: whether the shared one has started.
        failed_starts: how often it could not.
        task: what is being done, kind and payload; None for nothing.
        specs: of the batch that trains.
        trials: those of its trials that have not ended.
        answer: to the last call.
    """

    index: int
    spawn: Callable[[int], WorkerProcess]
    shared: WorkerProcess
    own: WorkerProcess | None = None
    parked: list[Parked] = field(default_factory=list)
    ready: bool = False
    failed_starts: int = 0
    task: tuple[bytes, bytes] | None = None
    specs: tuple[TrialSpec, ...] = ()
    trials: list[TrialId] = field(default_factory=list)
    answer: Answer | None = None

    @property
    def worker(self) -> WorkerProcess:
        """The one that does what there is to do."""
        return self.own or self.shared

    @property
    def workers(self) -> Iterator[WorkerProcess]:
        """All of them."""
        yield self.shared
        if self.own is not None:
            yield self.own
        yield from (each.worker for each in self.parked)

    def give(self, kind: bytes, payload: bytes, specs: tuple[TrialSpec, ...] = ()) -> None:
        """Let the worker do something."""
        self.task, self.specs, self.trials = (kind, payload), specs, [spec.id for spec in specs]
        self.worker.send(kind, payload)

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

    def end_trials(self, ended: Sequence[Ended]) -> None:
        """Note which trials have ended or wait; the worker that one has for itself stands still or is ended with it."""
        over = [event.trial for event in ended]
        self.trials = [trial for trial in self.trials if trial not in over]
        self.task = self.task if self.trials else None
        if any(event.result.alone or (self.own and event.result.held) for event in ended):
            self._park()
        else:
            self.close_own()

    def _park(self) -> None:
        self.worker.stand_still()
        self.parked.append(Parked(self.specs[0], self.worker))
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

    def forget(self, worker: WorkerProcess) -> None:
        """Go on without a worker that is gone, and did nothing."""
        if worker is self.shared:
            self.replace_shared()
        self.parked = [each for each in self.parked if each.worker is not worker]

    def end(self, trial: TrialId) -> None:
        """Kill the worker that stands still with a trial."""
        for each in self.parked:
            if each.spec.id == trial:
                each.worker.kill()
