"""The codes of users that wait in this process until they are chosen to go on."""

from dataclasses import dataclass

from hpsearch.base import current, platform, programs
from hpsearch.base.devices import sees_cuda, uses_cuda
from hpsearch.base.types import Decision
from hpsearch.base.words import number
from hpsearch.trial.own import OwnCode

RESERVE = 0.1
"""This share of the memory is left to others."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of this process and of the machine, in bytes.

    Attributes:
        used: by this process and those that it started.
        free: of the machine, or of the container.
        total: the same.
    """

    used: int
    free: int
    total: int

    @classmethod
    def now(cls) -> "Memory":
        """Measure it."""
        free, total = platform.memory()
        return cls(programs.memory_of_own_tree(), free, total)


def why_full(limit: int | str, waiting: int, base: int, now: Memory) -> str:
    """Return why nothing further may wait in a process, in words; empty where it may.

    Args:
        limit: so many may wait; ``auto``: as many as leave free what one more takes, and a share for others.
        waiting: so many do, in this process or for it.
        base: bytes that this process used before the first one began.
        now: the memory, that of the one that is to wait included.
    """
    if isinstance(limit, int):
        return "" if waiting < limit else f"launcher.paused = {limit}: so many wait"
    each = max(now.used - base, 0) / (waiting + 1)
    if now.free - each >= RESERVE * now.total:
        return ""
    return f"{waiting} wait, each takes {number(round(each / 2**20))} MiB, and {now.free // 2**20} MiB are free"


@dataclass(frozen=True, slots=True)
class _Waiting:
    code: OwnCode
    attempt: int


class Waiting:
    """The codes that wait in this process, by the folder of their trial."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._base: int | None = None

    def take(self, folder: str, attempt: int) -> OwnCode | None:
        """Return the code of a trial that waits for this attempt of it; one of an earlier study is ended.

        Args:
            folder: of the trial.
            attempt: its number.

        Returns:
            The code, None where none waits.
        """
        if self._base is None:
            self._base = Memory.now().used
        waiting = self._waiting.pop(folder, None)
        if waiting is not None and waiting.attempt + 1 == attempt:
            return waiting.code
        if waiting is not None:
            waiting.code.stop(Decision.STOP)
        return None

    def keep(self, folder: str, attempt: int, code: OwnCode) -> None:
        """Keep the code of a trial."""
        self._waiting[folder] = _Waiting(code, attempt)

    def drop(self, folder: str) -> None:
        """End the code of a trial that will not go on here."""
        self.take(folder, 0)

    def why_not(self, code: OwnCode) -> str:
        """Return why a code cannot wait here, in words; empty where it can."""
        if code.needs_process and not current.process.is_worker:
            return "a function that runs in this process waits only with a checkpoint"
        alone = code.has_programs
        if alone and not (current.process.is_worker and platform.stops_groups()):
            return "programs that it started would run on"
        if alone and self._waiting:
            return "others wait in its process, which would have to stand still with the programs that it started"
        limit = current.process.paused
        starts_others = alone or code.is_program
        if limit == "auto" and (uses_cuda() or (starts_others and sees_cuda())):
            return "what waits would keep its memory on the GPU"
        base = 0 if alone else self._base or 0  # a process that stands still is replaced by another
        return why_full(limit, len(self._waiting) + current.process.parked, base, Memory.now())
