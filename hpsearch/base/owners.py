"""Which process something belongs to, so that later ones know whether it is still there.

A process id alone is given again, after a restart and by other machines that see the same folder. With the machine, the
start of the system and that of the process it is given once.
"""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hpsearch.base import platform

MARK = r"[0-9a-f]{8}-[0-9a-f]{8}-[0-9]{1,10}-[0-9]{1,20}"
"""Pattern of the text of an `Owner`."""
_PROCESSES = Path("/proc")
_MACHINE_ID = Path("/etc/machine-id")
_ENDED = (b"Z", b"X")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process.

    Attributes:
        place: hash of its machine and, on Linux, of the space of process ids that it lives in, as containers have one.
        boot: hash of the run of the system.
        pid: its id.
        started: when it began, in the system's own ticks.
    """

    place: str
    boot: str
    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.place}-{self.boot}-{self.pid}-{self.started}"

    @classmethod
    def of(cls, mark: str) -> "Owner | None":
        """Read what `str` wrote; None for another text."""
        if not re.fullmatch(MARK, mark):
            return None
        place, boot, pid, started = mark.split("-")
        return cls(place, boot, int(pid), int(started))

    def is_gone(self) -> bool | None:
        """Return whether the process has ended; None where only another machine or container can say."""
        me = this_process()
        if self.place != me.place:
            return None
        return self.boot != me.boot or started(self.pid) != self.started


def this_process() -> Owner:
    """Return this process."""
    return _owner(os.getpid())


@cache
def _owner(pid: int) -> Owner:
    began = started(pid)
    assert began is not None  # it asks itself
    return Owner(_place(), _hash(platform.boot_id()), pid, began)


def started(pid: int) -> int | None:
    """Return when a process began, in ticks of the system; None for one that is not there, or has ended."""
    if not _PROCESSES.is_dir():
        return _started_elsewhere(pid)
    try:
        content = (_PROCESSES / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    state, *fields = content.rpartition(b")")[2].split()  # the name before it may hold brackets and spaces
    return None if state in _ENDED else int(fields[18])


def _started_elsewhere(pid: int) -> int | None:
    import psutil

    try:
        began: float = psutil.Process(pid).create_time()
    except psutil.Error:
        return None
    return round(began * 100)


def _place() -> str:
    import socket

    machine, processes = _or_none(_MACHINE_ID.read_text), _or_none((_PROCESSES / "self/ns/pid").readlink)
    return _hash(f"{socket.gethostname()} {machine} {processes}")


def _or_none(ask: Callable[[], str | Path]) -> str | Path | None:
    try:
        return ask()
    except OSError:
        return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]
