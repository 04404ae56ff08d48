"""Workers that train nothing, on a virtual clock that is charged what the driver's process computes.

The launcher is `SlotLauncher` with the frames of real workers, which replay rows of a table of learning curves.
"""

import heapq
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import numpy as np

from hpsearch.base.types import Decision, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Ended, LauncherEvent, Reported
from hpsearch.launch.frames import BATCH, DECIDE, EVENTS, READY
from hpsearch.launch.slots import SlotLauncher

EPOCH_ZERO = 1_700_000_000.0
"""What the virtual clock calls now, in seconds since the Unix epoch, as it begins."""
DRIVER, SIMULATION = "driver", "simulation"


def train(**args: float) -> float:
    """Stand for the user's function, which no simulated worker calls."""
    return args["learning_rate"]


class Meter:
    """Processor time by part of the program, and the virtual clock that it moves on.

    Args:
        cost: processor time so far; ``lambda: 0.0`` for a driver that costs nothing.

    Attributes:
        spent: seconds by part; SIMULATION is nobody's, and not charged.
        waited: virtual seconds in which the driver had nothing to do.
    """

    def __init__(self, cost: Callable[[], float] = time.thread_time) -> None:
        self.spent: Counter[str] = Counter()
        self.waited = 0.0
        self._cost, self._since = cost, cost()
        self._parts = [SIMULATION]
        self._busy = 0.0

    def _settle(self) -> None:
        now = self._cost()
        self.spent[self._parts[-1]] += now - self._since
        if self._parts[-1] != SIMULATION:
            self._busy += now - self._since
        self._since = now

    @property
    def busy(self) -> float:
        """Seconds that were charged."""
        return self._busy

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block as a part, and not as the one around it."""
        self._settle()
        self._parts.append(name)
        try:
            yield
        finally:
            self._settle()
            self._parts.pop()

    def charge(self, name: str, sec: float) -> None:
        """Charge what was waited for and not computed."""
        self.spent[name] += sec
        self._busy += sec

    def watch(self, owner: type, name: str, part: str) -> None:
        """Count the calls of a method as a part."""
        method = getattr(owner, name)

        @wraps(method)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.part(part):
                return method(*args, **kwargs)

        setattr(owner, name, counted)

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        self._settle()
        return self._busy + self.waited

    def time_of_day(self) -> float:
        """Return the virtual time as seconds since the Unix epoch."""
        return EPOCH_ZERO + self.now()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the simulated workers are.

    Attributes:
        every_sec: between two reports of a trial.
        spread: of that: a worker's own rate is drawn evenly within that share of it, 0: all are alike.
        start_sec: from a trial's start to its first message, and to the beginning of its first epoch.
        midway: whether the first trial of every worker is met at a random epoch, as in a study that runs for long.
    """

    every_sec: float = 30.0
    spread: float = 0.3
    start_sec: float = 2.0
    midway: bool = False


@dataclass(eq=False)
class SimulatedWorker:
    """A worker that replays learning curves; it does what its launcher's heap of due times says.

    Attributes:
        every_sec: between two of its reports.
        spec: of the trial that it has.
        epoch: that it has trained to.
        decision: that it has not read yet.
        idle_since: when it had nothing to do, None while it has.
        idle_sec: how long it had nothing to do before.
    """

    launcher: "SimulatedLauncher"
    index: int
    every_sec: float
    title: str = "simulated worker"
    spec: TrialSpec | None = None
    epoch: int = 0
    decision: Decision | None = None
    idle_since: float | None = 0.0
    idle_sec: float = 0.0
    trained: int = 0

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        with self.launcher.meter.part(SIMULATION):
            if kind == BATCH:
                self._begin(payload)
            elif kind == DECIDE:
                trial, decision = pickle.loads(payload)
                if self.spec is not None and self.spec.id == trial:
                    self.decision = decision

    def _begin(self, payload: bytes) -> None:
        (specs, _) = pickle.loads(pickle.loads(payload)[1])
        now = self.launcher.meter.now()
        (self.spec,) = specs
        self.decision = None
        if self.idle_since is not None:
            self.idle_sec, self.idle_since = self.idle_sec + now - self.idle_since, None
        self.epoch = self.launcher.reached.get(self.spec.id, 0)
        if self.launcher.pace.midway and not self.trained:
            self.epoch = int(self.launcher.rng.integers(self.launcher.epochs))
        self.trained += 1
        self.launcher.due(self, now + self.launcher.pace.start_sec, start=True)

    def act(self, now: float, start: bool) -> Sequence[LauncherEvent]:
        """Return what it says at a due time: a decision on one report is read after the next one, see `Seats.turn`."""
        assert self.spec is not None
        trial, time_of_day = self.spec.id, EPOCH_ZERO + now
        if start:
            self.launcher.due(self, now + self.every_sec)
            return [Reported(trial, Started(self.epoch or None, {"device": "none"}, time_of_day))]
        self.epoch += 1
        self.launcher.reached[trial] = self.epoch
        loss = self.launcher.loss(self.spec, self.epoch)
        if not np.isfinite(loss):
            return [self._end(now, TrialResult(TrialState.INFEASIBLE, "diverged", time=time_of_day))]
        metrics = {"train/loss": 0.9 * loss, "valid/loss": loss, "lr": 0.1}
        self.launcher.reports += 1
        report = Reported(trial, Report(self.epoch, 100 * self.epoch, metrics, (), time_of_day))
        if self.epoch == self.launcher.epochs:
            return [report, self._end(now, TrialResult(TrialState.COMPLETE, time=time_of_day))]
        if self.decision in (Decision.STOP, Decision.PAUSE, Decision.LEAVE):
            state = TrialState.PRUNED if self.decision is Decision.STOP else TrialState.PAUSED
            return [report, self._end(now, TrialResult(state, "told to", time=time_of_day))]
        self.launcher.due(self, now + self.every_sec)
        return [report]

    def _end(self, now: float, result: TrialResult) -> Ended:
        assert self.spec is not None
        trial, self.spec, self.idle_since = self.spec.id, None, now
        self.launcher.ended[result.state] += 1
        if result.state is not TrialState.PAUSED:
            self.launcher.reached.pop(trial, None)
        return Ended(trial, result)

    def idle_until(self, now: float) -> float:
        """Return how long it had nothing to do up to now."""
        return self.idle_sec + (0.0 if self.idle_since is None else now - self.idle_since)

    def settle(self, marks: int) -> None:
        """Nothing is in a log."""

    def kill(self) -> None:
        """Leave nothing."""

    stand_still = go_on = kill

    def join(self, timeout_sec: float | None = None) -> bool:
        """Return that it is gone."""
        return True

    def exit_report(self) -> str:
        """Return how it ended."""
        return "simulated"


@dataclass(order=True, slots=True)
class _Due:
    time: float
    order: int
    worker: SimulatedWorker = field(compare=False)
    start: bool = field(compare=False)


class SimulatedLauncher(SlotLauncher):
    """The driver's end of simulated workers.

    Args:
        workers: how many.
        meter: has the clock.
        pace: of the workers.
        loss: (spec, epoch) -> what a trial reports there; not finite: it diverges.
        epochs: of a trial.
        seed: of the workers' rates.

    Attributes:
        reached: the last epoch of every trial that goes on.
        reports: sent so far.
        ended: attempts by the state in which they ended.
        every_tick: called before every look at the workers.
    """

    def __init__(
        self,
        workers: int,
        meter: Meter,
        pace: Pace,
        loss: Callable[[TrialSpec, int], float],
        epochs: int,
        seed: int = 0,
    ) -> None:
        super().__init__(workers, lockstep=False, retries=0, grace_sec=10.0, paused=0, fuse="off", clock=meter.now)
        self.meter, self.pace, self.loss, self.epochs = meter, pace, loss, epochs
        self.rng = np.random.default_rng(seed)
        self.reached: dict[TrialId, int] = {}
        self.reports = 0
        self.ended: Counter[TrialState] = Counter()
        self.every_tick: Callable[[], None] = lambda: None
        self.workers: list[SimulatedWorker] = []
        self._heap: list[_Due] = []
        self._order = 0

    def _begun(self, module: str) -> Sequence[SimulatedWorker]:
        return [self._spawn(index) for index in range(self._workers)]

    def _spawn(self, index: int) -> SimulatedWorker:
        rate = self.pace.every_sec * (1 + self.pace.spread * float(self.rng.uniform(-1, 1)))
        worker = SimulatedWorker(self, index, rate)
        self.workers.append(worker)
        self._inbox.put((worker, READY, b""))
        return worker

    def _end(self) -> None:
        """Nothing is left."""

    def due(self, worker: SimulatedWorker, time: float, start: bool = False) -> None:
        """Note when a worker does something next."""
        self._order += 1
        heapq.heappush(self._heap, _Due(time, self._order, worker, start))

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:
        """Let time pass until the first worker has something to say, and hand on everything that is said by then."""
        self.every_tick()
        with self.meter.part(SIMULATION):
            now = self.meter.now()
            if self._inbox.empty():
                until = min(self._heap[0].time if self._heap else now + timeout_sec, now + timeout_sec)
                self.meter.waited += max(0.0, until - now)
                now = max(now, until)
            while self._heap and self._heap[0].time <= now:
                due = heapq.heappop(self._heap)
                events = due.worker.act(due.time, due.start)
                self._inbox.put((due.worker, EVENTS, pickle.dumps((0, [pickle.dumps(tuple(events))], False))))
        with self.meter.part("launcher"):
            return super().poll(0.0)

    def idle_sec(self) -> float:
        """Return how long the workers have had nothing to do, together."""
        now = self.meter.now()
        return sum(worker.idle_until(now) for worker in self.workers)
