"""A launcher without processes: trials are scripts, time is a counter, events come when the test says so."""

from collections.abc import Callable, Iterable
from socket import gethostname

from hpsearch.base.types import Decision, Report, Started, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Reported

Script = Callable[[TrialSpec], Iterable[object]]


class FakeLauncher:
    """Runs one scripted event per slot and poll.

    A script yields Started, Report, TrialResult, or the string ``die``. What was decided is in `decisions`.
    """

    def __init__(
        self, script: Script, slots: int = 2, lockstep: bool = False, on_poll: Callable[[int], None] = lambda n: None
    ):
        self.script = script
        self.slots = slots
        self.width = 1
        self.retries = 2
        self.grace_sec = 10.0
        self.detached = True
        self.kept = frozenset()
        self.killed = []
        self.lockstep = lockstep
        self.running = {}
        self.decisions = []
        self.submitted = []
        self.paused = set()
        self.stopped = set()
        self.unanswered = set()
        self.polls = 0
        self._dead = []
        self.on_poll = on_poll

    def start(self, execute):
        pass

    def call(self, function, *args, within_sec=None):
        return function(*args)

    def everywhere(self, function, *args, unlike):
        pass

    def free(self):
        return tuple(slot for slot in range(self.slots) if slot not in self.running)

    def machine(self, slot):
        return gethostname()

    def submit(self, slot, specs):
        (spec,) = specs
        assert slot in self.free()
        self.submitted.append(spec)
        self.running[slot] = (spec, iter(self.script(spec)))

    def poll(self, timeout_sec):
        self.on_poll(self.polls)
        self.polls += 1
        events = [Died(slot, (trial,), "worker process 7 was killed") for slot, trial in self._dead]
        self._dead = []
        for slot, (spec, script) in list(self.running.items()):
            events.extend(self._next(slot, spec, script))
        return events

    def _next(self, slot, spec, script):
        if spec.id in self.unanswered:
            return []
        if spec.id in self.paused | self.stopped:
            state = TrialState.PAUSED if spec.id in self.paused else TrialState.PRUNED
            self.paused.discard(spec.id)
            del self.running[slot]
            return [Ended(spec.id, TrialResult(state, "told"))]
        item = next(script)
        if isinstance(item, Started | Report):
            if self.lockstep:
                self.unanswered.add(spec.id)
            return [Reported(spec.id, item)]
        del self.running[slot]
        if item == "die":
            return [Died(slot, (spec.id,), "killed by SIGKILL")]
        return [Ended(spec.id, item)]

    def decide(self, trial, decision):
        self.decisions.append((trial, decision))
        self.unanswered.discard(trial)
        if decision in (Decision.PAUSE, Decision.LEAVE):
            self.paused.add(trial)
        if decision is Decision.STOP:
            self.stopped.add(trial)

    def kill(self, trial):
        for slot, (spec, _) in list(self.running.items()):
            if spec.id == trial:
                self.killed.append(trial)
                self._dead.append((slot, trial))
                del self.running[slot]

    def stop(self, now=False):
        self.running.clear()


class WideLauncher(FakeLauncher):
    """Two workers of three slots each, that die with all that they train."""

    def __init__(self, script: Script, **options):
        super().__init__(script, slots=6, **options)
        self.width = 3

    def beside(self, slot):
        """Return what the worker of a slot trains, by slot."""
        return {other: spec for other, (spec, _) in sorted(self.running.items()) if other % 2 == slot % 2}

    def poll(self, timeout_sec):
        dead, self._dead = self._dead, []
        return dead + super().poll(timeout_sec)

    def _next(self, slot, spec, script):
        if slot not in self.running:
            return []
        lost = self.beside(slot)
        events = super()._next(slot, spec, script)
        return [self._died(lost)] if isinstance(events[0], Died) else events

    def kill(self, trial):
        for slot, (spec, _) in list(self.running.items()):
            if spec.id == trial:
                self.killed.append(trial)
                self._dead.append(self._died(self.beside(slot), trial))

    def _died(self, lost, killed=None):
        for slot in lost:
            self.running.pop(slot, None)
        return Died(min(lost), tuple(spec.id for spec in lost.values()), "worker process 7 was killed", killed)


def trains(values, *, metric="valid/acc", start=None):
    """A script of a trial that reports `values` at epochs 1, 2, ... and completes."""

    def script(spec):
        yield Started(start, {}, 0.0)
        for epoch, value in enumerate(values(spec) if callable(values) else values, 1):
            yield Report(epoch, epoch * 10, {metric: value}, (), float(epoch))
        yield TrialResult(TrialState.COMPLETE)

    return script
