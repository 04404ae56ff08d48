"""The decisions that wait for the trials of one process, and what those that ask are given."""

import threading
from collections.abc import Collection, Sequence

from hpsearch.base.types import Decision, Given, TrialId


class Mailbox:
    """Holds, for each trial, the decision it has not yet read.

    A trial that was told to stop or pause and has not read it yet cannot be told to continue: the answer to a report
    that was already on its way must not undo the one before. One that asks is given a value, whatever decision waits
    for its next report; only to stop ends it where it asks.
    """

    def __init__(self) -> None:
        self._decisions: dict[TrialId, Decision] = {}
        self._given: dict[TrialId, Given] = {}
        self._lock = threading.Lock()

    def put(self, trial: TrialId, decision: Decision | Given) -> None:
        """Leave a decision, or what a trial asked for."""
        with self._lock:
            if isinstance(decision, Given):
                self._given[trial] = decision
            elif not (decision is Decision.CONTINUE and trial in self._decisions):
                self._decisions[trial] = decision

    def forget(self, trials: Collection[TrialId]) -> None:
        """Throw away what an attempt before did not read."""
        with self._lock:
            for trial in trials:
                self._decisions.pop(trial, None)
                self._given.pop(trial, None)

    def complete(self, trials: Collection[TrialId]) -> bool:
        """Return whether a decision waits for every one of `trials`."""
        with self._lock:
            return self._decisions.keys() >= set(trials)

    def take(self, trials: Sequence[TrialId]) -> tuple[Decision, ...]:
        """Return one decision per trial, CONTINUE where there is none, and forget them."""
        with self._lock:
            return tuple(self._decisions.pop(trial, Decision.CONTINUE) for trial in trials)

    def stops(self, trial: TrialId) -> bool:
        """Return whether a trial is to stop, and has not read it yet."""
        with self._lock:
            return self._decisions.get(trial) is Decision.STOP

    def answered(self, trial: TrialId) -> bool:
        """Return whether what a trial asked for is there, or it is to stop."""
        with self._lock:
            return trial in self._given or self._decisions.get(trial) is Decision.STOP

    def answer(self, trial: TrialId) -> Decision | Given:
        """Return what a trial asked for that is `answered`; or that it is to stop."""
        with self._lock:
            stops = self._decisions.get(trial) is Decision.STOP
            return self._decisions.pop(trial) if stops else self._given.pop(trial)
