"""Which slot of a launcher a queued trial may take, and how many are left for others."""

from collections.abc import Collection, Iterable

from hpsearch.base.types import TrialId
from hpsearch.launch.base import Launcher


class Places:
    """The slots of a launcher, as the trials of a pool take them.

    A trial that waits in the memory of a worker goes on there alone. One that failed among others is tried again by
    itself, in a worker that trains nothing else: if it brings its worker down, it takes no other along.

    Args:
        launcher: a started launcher.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._held: dict[TrialId, int] = {}
        self._alone: set[TrialId] = set()
        self._running_alone: set[TrialId] = set()

    def room(self, running: Collection[TrialId]) -> int:
        """Return the number of slots that no running trial takes; one that runs alone takes those of its worker."""
        return self._launcher.slots - len(running) - (self._launcher.width - 1) * len(self._running_alone)

    def held_back(self, queue: Iterable[TrialId]) -> int:
        """Return how many of these wait for their slot, as only the worker there holds what they go on from."""
        if not self._held:
            return 0
        free = self._launcher.free()
        return sum(trial in self._held and self._held[trial] not in free for trial in queue)

    def in_order(self, queue: Iterable[TrialId]) -> list[TrialId]:
        """Return queued trials, those that cannot start anywhere first, then the lowest."""
        return sorted(queue, key=lambda trial: (trial not in self._held, trial not in self._alone, trial))

    def place(self, trial: TrialId) -> int | None:
        """Return the free slot that a queued trial may take now, None where it has to wait."""
        free = self._launcher.free(alone=True) if trial in self._alone else self._launcher.free()
        wanted = self._held.get(trial, free[0] if free else None)
        return wanted if wanted in free else None

    def start(self, trial: TrialId) -> int:
        """Note that a trial starts; return the `width` of its spec."""
        self._held.pop(trial, None)
        if trial not in self._alone:
            return self._launcher.width
        self._alone.remove(trial)
        self._running_alone.add(trial)
        return 1

    def end(self, trial: TrialId) -> None:
        """Note that a trial runs no more."""
        self._running_alone.discard(trial)

    def hold(self, trial: TrialId, slot: int) -> None:
        """Note that a trial waits in the memory of the worker of a slot."""
        self._held[trial] = slot

    def let_go(self, trial: TrialId) -> bool:
        """Note that a trial that waits is given up; return whether a worker held something of it."""
        return self._held.pop(trial, None) is not None

    def isolate(self, trial: TrialId) -> None:
        """Let a trial that failed be tried again by itself, where it was not."""
        if self._launcher.width > 1:
            self._alone.add(trial)
