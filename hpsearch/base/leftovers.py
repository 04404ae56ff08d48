"""Temporary files and folders of ours: named after the process that makes them, removed by a later one if that died.

Every file that is written before it takes its place, and every folder that is used up within a command, gets its name
here: ``NAME.OWNER.new``. A name without an owner is never touched, and nothing is whose owner lives, belongs to another
user of the machine, or ran on another machine. Links are neither followed nor removed.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpsearch.base.owners import MARK, Owner, this_process

_NAME = re.compile(rf".+\.(?P<owner>{MARK})\.new(-journal|-wal|-shm)?", re.DOTALL)
"""What SQLite writes beside a database has the name of that, too."""
_LONGEST = 200
"""Bytes of a name that still leave room for the owner's."""
_KEPT = 40
_swept: set[tuple[int, Path]] = set()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A temporary file or folder.

    Attributes:
        path: where it is.
        is_ours: whether its owner is gone and was this user's, so that it may be removed; None where only another
            machine can say.
    """

    path: Path
    is_ours: bool | None


def temporary_path(path: Path) -> Path:
    """Return the temporary path beside a file, for this process alone."""
    name = path.name if len(os.fsencode(path.name)) <= _LONGEST else path.name[:_KEPT]
    return path.with_name(f"{name}.{this_process()}.new")


def is_temporary(name: str) -> bool:
    """Return whether a file or folder of this name is a temporary one of ours, whoever's."""
    return _NAME.fullmatch(name) is not None


def temporary_folder(parent: Path | None = None) -> "tempfile.TemporaryDirectory[str]":
    """Make a folder that is gone at the end of a block, or of the process; those of dead ones are removed first.

    Args:
        parent: where; None for the system's folder of temporary files.

    Returns:
        The folder, which this user alone can read.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    sweep_once(parent)
    return tempfile.TemporaryDirectory(f".{this_process()}.new", "hpsearch-", parent, ignore_cleanup_errors=True)


def leftovers(folder: Path, deep: bool = False) -> Iterator[Leftover]:
    """Find temporary files and folders of processes that are gone, or of other machines.

    Args:
        folder: to look in; one that cannot be read holds none.
        deep: look in its folders too.

    Yields:
        Each; none whose owner lives.
    """
    folders = [str(folder)]  # no recursion: a program may leave folders in one another by the thousand
    while folders:
        for entry in _entries(folders.pop()):
            found = _NAME.fullmatch(entry.name)
            if found:
                yield from _leftover(entry, found["owner"])
            elif deep and entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)


def _leftover(entry: "os.DirEntry[str]", mark: str) -> Iterator[Leftover]:
    owner = Owner.of(mark)
    gone = owner.is_gone() if owner else False
    with suppress(OSError):  # it has just been renamed
        if gone is not False and _may_be_ours(entry.stat(follow_symlinks=False)):
            yield Leftover(Path(entry.path), gone)


def _may_be_ours(found: os.stat_result) -> bool:
    kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return kind and found.st_uid == getattr(os, "geteuid", lambda: found.st_uid)()


def remove(found: Iterable[Leftover]) -> list[Path]:
    """Remove what processes left that are gone.

    Args:
        found: of `leftovers`; those of other machines stay.

    Returns:
        What was removed; what cannot be, as in a folder that may only be read, stays.
    """
    removed = []
    for path in [each.path for each in found if each.is_ours]:
        with suppress(OSError):  # another command may remove it at the same time
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            removed.append(path)
    return removed


def sweep_once(folder: Path, deep: bool = False) -> None:
    """Remove what dead processes left in a folder, the first time that this process is asked to."""
    if (asked := (os.getpid(), folder)) not in _swept:
        _swept.add(asked)
        remove(leftovers(folder, deep))


def sweep(folder: Path) -> None:
    """Remove what dead processes left in a study's folder and among the system's temporary files, once a process."""
    sweep_once(Path(tempfile.gettempdir()))
    sweep_once(folder, deep=True)


def remove_lock(lock: Path) -> bool:
    """Remove a lock's file unless somebody holds it.

    It is removed by the one who holds it: who waits for it meanwhile finds that the file is gone, and makes a new one.

    Args:
        lock: the file.

    Returns:
        Whether there was one, and it is gone.
    """
    if lock.is_symlink() or not lock.is_file():
        return False
    from filelock import FileLock, Timeout

    with suppress(OSError, Timeout), FileLock(lock, timeout=0):
        lock.unlink()
        return True
    return False


def is_held(lock: Path) -> bool:
    """Return whether a process holds a lock, or this one may not ask."""
    if not lock.exists():
        return False
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _entries(folder: str) -> "Iterator[os.DirEntry[str]]":
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries
