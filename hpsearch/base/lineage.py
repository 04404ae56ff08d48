"""What a process has started, and what that has: found also where it left its group or lost its parent.

Whatever a worker starts inherits a mark in its environment, which names the driver; on Linux it stays below the worker
as well, whose descendants have no other parent while it lives. So a process that detaches itself ends with its worker,
and at the latest with the driver, by its mark; when the driver was killed, the next one of its study ends it. One that
threw its environment away and lost its worker, too, is not found.
"""

import os
import secrets
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from hpsearch.base import forks, platform, supervise
from hpsearch.base.owners import Owner, this_process

MARK = "HPSEARCH_STARTED_BY"
"""Environment variable with the marks of the drivers above, the outermost first."""
_ROUNDS = 20
"""How often what is marked is looked for again: it may start others until it is killed."""
_ROUND_SEC = 0.005


def new_mark() -> str:
    """Return a mark of this process for what it starts at one time."""
    return f"{this_process()}.{secrets.token_hex(4)}"


def marked(environment: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return an environment with a mark beside those that it has."""
    return {**environment, MARK: " ".join([*environment.get(MARK, "").split(), mark])}


def end_marked(mark: str) -> None:
    """Kill what carries a mark, and what that starts meanwhile; never this process.

    Args:
        mark: of `new_mark`, or the text of an `Owner` for all of its marks.
    """
    looks_in_vain = 0
    for _ in range(_ROUNDS):
        found = [pid for pid, marks in _marks() if any(f"{each}.".startswith(f"{mark}.") for each in marks)]
        looks_in_vain = 0 if found else looks_in_vain + 1
        if looks_in_vain == 2:  # one look misses what forks and ends meanwhile, or is being started
            return
        _kill(found)
        time.sleep(_ROUND_SEC)


def end_left_by(driver: str) -> None:
    """Kill what a driver left that is gone; nothing where it still runs.

    Args:
        driver: the text of an `Owner`.
    """
    owner = Owner.of(driver)
    if owner is not None and owner.is_gone():
        end_marked(driver)


def keep_descendants() -> None:
    """Become the parent of descendants that lose theirs, on Linux, so that they are found below this process."""
    if platform.LINUX:
        forks.adopt_orphans()


def end_descendants() -> None:
    """Kill everything below this process."""
    _kill(supervise.descendants(os.getpid()))


def kill_tree(pid: int) -> None:
    """Kill a process that `platform.start_group` started, its group, and what left the group below it."""
    below = supervise.descendants(pid)
    platform.kill_group(pid)
    _kill(below)


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _marks() -> Iterator[tuple[int, list[str]]]:
    """Return the processes that carry marks, without this one, and the marks of each."""
    own = os.getpid()
    for pid, marks in _marks_in_proc() if platform.LINUX else _marks_elsewhere():
        if marks and pid != own:
            yield pid, marks.split()


def _marks_in_proc() -> Iterator[tuple[int, str]]:
    """Return what processes were started with, as far as this user may read it."""
    name = f"{MARK}=".encode()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError), open(f"{entry.path}/environ", "rb") as file:  # noqa: PTH123 (of hundreds)
                found = [each for each in file.read().split(b"\0") if each.startswith(name)]
                yield int(entry.name), b"".join(found)[len(name) :].decode(errors="replace")


def _marks_elsewhere() -> Iterator[tuple[int, str]]:
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            yield process.pid, process.environ().get(MARK, "")
