"""Which slot of a launcher a queued trial may take, and how many are left for others."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from hpsearch.base.types import TrialId, TrialResult, TrialState
from hpsearch.launch.base import Launcher


class Places:
    """The slots of a launcher, as the trials of a pool take them.

    A trial that waits in the memory of a worker goes on there alone. One that failed beside others is tried again by
    the plain loop, so that it fails for none but itself; one whose worker died is in a worker that trains nothing else,
    so that it takes no other along.

    Args:
        launcher: a started launcher.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._held: dict[TrialId, int] = {}
        self._again: dict[TrialId, bool] = {}
        self._owned: dict[TrialId, int] = {}

    def room(self, running: Collection[TrialId]) -> int:
        """Return the number of slots that no running trial takes; one with a worker of its own takes all of that.

        Of workers that are still to come, one counts at most: what they will train is chosen when they are there. In
        lockstep all do, as it must not matter when they come.
        """
        room = self._launcher.slots - len(running) - (self._launcher.width - 1) * len(self._owned)
        if room <= 1 or self._launcher.lockstep:
            return room
        return min(room, max(1, len(self._launcher.free())))

    def held_back(self, queue: Iterable[TrialId]) -> int:
        """Return how many of these wait for their slot, as only the worker there holds what they go on from."""
        if not self._held:
            return 0
        free = self._launcher.free()
        return sum(trial in self._held and self._held[trial] not in free for trial in queue)

    def in_order(self, queue: Iterable[TrialId]) -> list[TrialId]:
        """Return queued trials, first those that cannot start in any slot, then the lowest."""
        return sorted(queue, key=lambda trial: (trial not in self._held, not self._again.get(trial), trial))

    def place(self, trial: TrialId) -> int | None:
        """Return the free slot that a queued trial may take now, None where it has to wait."""
        free = self._free(idle=self._again.get(trial, False))
        wanted = self._held.get(trial, free[0] if free else None)
        return wanted if wanted in free else None

    def _free(self, idle: bool) -> Sequence[int]:
        """Return the free slots of workers that no trial owns; `idle`: of those that train nothing."""
        free = self._launcher.free()
        if self._launcher.width == 1:
            return free
        count = Counter(map(self._worker, free))
        least = self._launcher.width if idle else 1
        workers = {worker for worker in count if count[worker] >= least} - set(self._owned.values())
        return [slot for slot in free if self._worker(slot) in workers]

    def at(self, slot: int) -> dict[str, int | str]:
        """Return where a slot is: the number of its worker, and the machine that has it."""
        return {"worker": self._worker(slot), "node": self._launcher.machine(slot)}

    def _worker(self, slot: int) -> int:
        return slot % (self._launcher.slots // self._launcher.width)

    def start(self, trial: TrialId, slot: int, attempt: int = 1) -> int:
        """Note that an attempt starts in a slot.

        Args:
            trial: whose attempt.
            slot: where.
            attempt: its number.

        Returns:
            The `width` of its spec. The first attempt after the death of a worker takes the same path as before, in a
            group of its own, so that its result is the same; one that fails again or raised an error takes the plain
            one.
        """
        self._held.pop(trial, None)
        own_worker = self._again.pop(trial, None)
        if own_worker:
            self._owned[trial] = self._worker(slot)
        plain = own_worker is False or (own_worker and attempt > 2)
        return 1 if plain else self._launcher.width

    def end(self, trial: TrialId) -> None:
        """Note that a trial runs no more."""
        self._owned.pop(trial, None)

    def hold(self, trial: TrialId, slot: int) -> None:
        """Note that a trial waits in the memory of the worker of a slot."""
        self._held[trial] = slot

    def let_go(self, trial: TrialId) -> bool:
        """Note that a trial that waits is given up; return whether a worker held something of it."""
        return self._held.pop(trial, None) is not None

    def fail(self, trial: TrialId) -> None:
        """Note that an attempt failed, and will be tried again."""
        if self._launcher.width > 1:
            self._again.setdefault(trial, False)

    def lose(self, lost: Mapping[TrialId, TrialResult]) -> None:
        """Note how attempts ended whose worker died: the next ones of those that failed have one of their own."""
        if self._launcher.width > 1:
            self._again |= {trial: True for trial, result in lost.items() if result.state is TrialState.FAILED}
