"""The decisions that wait for the members of one batch."""

import threading
from collections.abc import Collection, Sequence

from hpsearch.base.types import Decision, TrialId


class Mailbox:
    """Holds, for each member of one batch, the decision it has not yet read.

    A trial that was told to stop or pause and has not read it yet cannot be told to continue: the answer to a report
    that was already on its way must not undo the one before.
    """

    def __init__(self) -> None:
        self._decisions: dict[TrialId, Decision] = {}
        self._changed = threading.Condition()

    def put(self, trial: TrialId, decision: Decision) -> None:
        """Leave a decision."""
        with self._changed:
            if not (decision is Decision.CONTINUE and trial in self._decisions):
                self._decisions[trial] = decision
                self._changed.notify()

    def complete(self, trials: Collection[TrialId]) -> bool:
        """Return whether a decision waits for every one of `trials`."""
        with self._changed:
            return self._decisions.keys() >= set(trials)

    def wait(self, trials: Collection[TrialId]) -> None:
        """Wait until a decision waits for every one of `trials`."""
        with self._changed:
            self._changed.wait_for(lambda: self._decisions.keys() >= set(trials))

    def take(self, trials: Sequence[TrialId]) -> tuple[Decision, ...]:
        """Return one decision per trial, CONTINUE where there is none, and forget them."""
        with self._changed:
            return tuple(self._decisions.pop(trial, Decision.CONTINUE) for trial in trials)
