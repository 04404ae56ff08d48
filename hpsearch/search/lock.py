"""Who owns a study: one driver at a time."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path

from hpsearch.base import lineage, platform
from hpsearch.base.copies import leader_of
from hpsearch.base.errors import BusyError, DamageError, HpsearchError, StorageError
from hpsearch.base.files import replacement
from hpsearch.base.intake import json_file
from hpsearch.base.leftovers import is_held
from hpsearch.base.observer import Driver
from hpsearch.base.owners import Owner, this_process

LOCK = "lock"
LOCK_SEC = 0.3  # a listing of studies holds a lock for an instant


@contextmanager
def study_lock(folder: Path, what: str, wait_sec: float = LOCK_SEC) -> Iterator[Callable[[], None]]:
    """Hold the operating system's lock of a study; it goes when this process ends, however it ends.

    Args:
        folder: the study's folder, which exists.
        what: runs in the folder, for the message.
        wait_sec: how long another driver is waited for.

    Yields:
        What is called before each write: it raises a StorageError where the folder has lost this lock, since then
        another driver may hold one of its own; the lock is held inside the block.

    Raises:
        BusyError: another driver holds it.
        StorageError: the folder cannot be written.
    """
    import filelock  # most of what imports this module, a report above all, holds no lock

    path = folder / LOCK
    lock = filelock.FileLock(path, timeout=wait_sec)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BusyError(f"{what} is running already ({_holder(folder)}); wait for it or stop it") from None
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error.strerror}") from None
    try:
        _end_what_was_left(folder)
        _sign(folder)
        held = _identity(path)
        yield partial(_check_held, path, held, what)
    finally:
        lock.release()


def _sign(folder: Path) -> None:
    """Write down who holds the lock, in the place of whatever stands there: to open a pipe waits for a reader."""
    try:
        with replacement(folder / "owner.json", durable=False) as new:
            new.write_text(json.dumps({**owner(), "process": str(this_process())}))
    except OSError as error:
        raise StorageError(f"cannot write {folder / 'owner.json'}: {error.strerror}") from None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file stands at a path; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_held(path: Path, held: tuple[int, int] | None, what: str) -> None:
    if _identity(path) != held:
        raise StorageError(
            f"{what}: {path} was removed or its folder moved while it ran, and another command may have the study; "
            "nothing more is written: run the same command again, in the folder where the study is now"
        )


def owner() -> dict[str, str | int | float]:
    """Return who this process is: host, boot, process id and its start time, together unique."""
    return dict(_owner(os.getpid()))


@cache
def _owner(pid: int) -> dict[str, str | int | float]:
    import psutil

    return {
        "host": socket.gethostname(),
        "boot": platform.boot_id(),
        "pid": pid,
        "started": psutil.Process(pid).create_time(),
    }


def _end_what_was_left(folder: Path) -> None:
    """Kill what trials started of the driver that had a study before, where that was killed."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        lineage.end_left_by(str(json_file(folder / "owner.json")["process"]))


def _holder(folder: Path) -> str:
    try:
        known = json_file(folder / "owner.json")
        return f"process {known['pid']} on {known['host']}"
    except (OSError, ValueError, LookupError, TypeError):
        return "in another process"


def signed(folder: Path) -> float:
    """Return when somebody took a study last, in seconds since the Unix epoch; 0 where nobody has signed."""
    try:
        return (folder / "owner.json").stat().st_mtime
    except OSError:
        return 0.0


def last_driver(folder: Path) -> Driver | None:
    """Return who has a study, or had it last, as it signed; of a copy who led as it was brought; nothing is locked.

    Args:
        folder: of the study.

    Returns:
        The process; None where none has signed.

    Raises:
        DamageError: what stands there does not say who.
    """
    path = folder / "owner.json"
    try:
        known = json_file(path)
        process = Owner.of(str(known["process"]))
        host, pid = str(known["host"]), int(known["pid"])
    except FileNotFoundError:
        return _leader(folder)
    except (HpsearchError, OSError, ValueError, LookupError, TypeError, OverflowError):
        process = None
    if process is None:
        raise DamageError(f"{path} does not say who had it last; the next run writes it again")
    gone = process.is_gone()
    if (leader := _leader(folder)) and not is_held(folder / LOCK):  # whoever signed brought the copy
        return leader
    return Driver(host, pid, None if gone is None else not gone, process.place == this_process().place)


def _leader(folder: Path) -> Driver | None:
    found = leader_of(folder)
    return None if found is None else Driver(*found, is_alive=None, is_here=False)
