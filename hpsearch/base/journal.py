"""Append-only JSON lines that survive a power cut, and tell when they are not those that were written.

A line may be sealed: its last field is the CRC-32 of everything that stands before that field in the file. A file that
lost lines before a seal, or has another byte there, is damaged; one that was cut at a line's end is a shorter record.
"""

import json
import os
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Barrier
from typing import Any

from hpsearch.base import platform
from hpsearch.base.errors import DamageError, StorageError
from hpsearch.base.formats import check_format
from hpsearch.base.intake import opened

Event = dict[str, Any]
SYNC_THREADS = 8
"""Files that wait for the disk at the same time."""
SEAL = "seal"
_SEALED = re.compile(rb',"seal":"([0-9a-f]{8})"}\n')
_SECOND = "this command writes no more: run it again where the study is now"


def way_out(path: Path) -> str:
    """Return what to do about a file of a study that is damaged."""
    study = path.parent.parent.name if path.parent.name == "events" else "STUDY"
    return f"restore the file, or mend the study: `python -m hpsearch doctor --repair {study}`"


def whole_lines(data: bytes) -> tuple[list[Event], int]:
    """Return the events of a file's whole lines and the number of bytes they take.

    The record ends at the first line that is not whole: what a power cut leaves there was never confirmed.

    Raises:
        ValueError: a whole line stands behind one that is not, so this is no torn end; its argument is the number of
            whole lines before the damage.
    """
    split = data.splitlines(keepends=True)
    events = _parsed_at_once(split)
    if len(events) == len(split):
        return events, len(data)
    events, end = [], 0
    lines = iter(split)
    for line in lines:
        event = _event(line)
        if event is None:
            if any(_event(later) is not None for later in lines):
                raise ValueError(len(events))
            break
        events.append(event)
        end += len(line)
    return events, end


def _parsed_at_once(lines: Sequence[bytes]) -> list[Event]:
    """Return the events of lines parsed in one go, which takes a fraction of the time; fewer if one is not whole."""
    if not lines or not lines[-1].endswith(b"\n"):
        return []
    try:
        values = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return []
    return [value for value in values if isinstance(value, dict)]


def _event(line: bytes) -> Event | None:
    try:
        event = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def check_seal(data: bytes, path: Path) -> None:
    """Refuse the content of a file whose last seal is not that of what stands before it.

    Args:
        data: the file from its beginning on.
        path: of the file, for the message.

    Raises:
        DamageError: they differ.
    """
    place = len(data)
    while (place := data.rfind(b',"seal":"', 0, place)) >= 0:
        if found := _SEALED.match(data, place):
            if int(found[1], 16) != zlib.crc32(data[:place]):
                for event in filter(None, map(_event, data[:place].splitlines(keepends=True))):
                    check_format(event, path)  # a newer version may seal otherwise
                line = data.count(b"\n", 0, place) + 1
                raise DamageError(f"{path}: is damaged: up to line {line} it is not what was written; {way_out(path)}")
            return


def salvaged(path: Path) -> list[Event]:
    """Return what is left of a damaged file: the lines whose seals follow from the ones before, and whole ones without.

    A seal is the checksum of what stands before it, so the next one can be told from it, whatever came earlier.
    """
    data, kept, start, known = path.read_bytes(), b"", 0, 0
    for seal in _SEALED.finditer(data):
        if zlib.crc32(data[start : seal.start()], known) == int(seal[1], 16):
            kept += data[start : seal.end()]
        start, known = seal.end(), zlib.crc32(seal[0], int(seal[1], 16))
    lines = (kept + data[start:]).splitlines(keepends=True)
    events = [event for event in map(_event, lines) if event is not None]
    return [{name: value for name, value in event.items() if name != SEAL} for event in events]


def read_lines(path: Path, offset: int = 0, end: int | None = None) -> tuple[list[Event], int]:
    """Read the events of a file's whole lines between two byte offsets.

    Args:
        path: the file.
        offset: where a line begins.
        end: where to stop; None for the end of the file.

    Returns:
        The events and the offset behind them; nothing when the file does not exist. A file that is damaged before its
        end raises a DamageError.
    """
    events, data = _read(path, offset, end)
    return events, offset + len(data)


def _read(path: Path, offset: int = 0, end: int | None = None) -> tuple[list[Event], bytes]:
    """Return the events of a file's whole lines between two byte offsets, without their seals, and these lines."""
    try:
        with opened(path, StorageError) as file:
            file.seek(offset)
            data = file.read(-1 if end is None else end - offset)
            events, length = whole_lines(data)
    except FileNotFoundError:
        return [], b""
    except ValueError as error:
        line = path.read_bytes()[:offset].count(b"\n") + error.args[0] + 1
        raise DamageError(f"{path}: line {line} is damaged and lines after it are not; {way_out(path)}") from None
    if not events and not offset and _is_strange(data):
        raise DamageError(f"{path}: begins with {data[:20]!r} and is no record of hpsearch's; move it aside")
    data = data[:length]
    if not offset:
        check_seal(data, path)
    for event in events:
        event.pop(SEAL, None)
    return events, data


def read_first(path: Path) -> Event | None:
    """Return the first line of a file; None where there is no whole one."""
    try:
        with opened(path, StorageError) as file:
            return _event(file.readline())
    except FileNotFoundError:
        return None


def _is_strange(data: bytes) -> bool:
    """Whether a file without an event begins with a line that no power cut leaves: a whole one, not of zeros."""
    line, end, _ = data.partition(b"\n")
    return bool(end) and b"\0" not in line


def _plain(value: Any) -> Any:
    """Return what JSON knows for a NumPy scalar, a tuple-like or a mapping; anything else as text."""
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_plain)


class Journal:
    """One append-only file of JSON lines with a single writer; NaN and infinities survive.

    A line is appended where the last one ended and nowhere else: a file that somebody else wrote to, cut or replaced
    meanwhile, or whose folder has another name now, is written no more.

    Args:
        path: the file; it and its folder are created with the first write.
        hold: keep the file open between writes, until `close`: for one that is written all the time.

    Attributes:
        due: whether a durable line was written and is not known to be on the disk.
    """

    def __init__(self, path: Path, hold: bool = False) -> None:
        self.path = path
        self._hold = hold
        self._held: int | None = None
        self.events, data = _read(path)
        """Events that stood in the file when it was opened."""
        self._size, self._sum = len(data), zlib.crc32(data)
        self._torn = max(_size_of(path) - self._size, 0)
        self.due = False
        self._pending: list[bytes] = []
        self._durable = False

    def append(self, event: Mapping[str, Any], durable: bool = False, sealed: bool = False) -> None:
        """Buffer one line.

        Args:
            event: what it says.
            durable: makes the next flush wait for the disk.
            sealed: closes what was written so far with a checksum.
        """
        line = _ENCODER.encode(event).encode() + b"\n"
        if sealed:
            body = line[:-2]
            line = b'%b,"seal":"%08x"}\n' % (body, zlib.crc32(body, self._sum))
        self._sum = zlib.crc32(line, self._sum)
        self._pending.append(line)
        self._durable |= durable

    def flush(self, fsync: bool = False) -> None:
        """Write the buffered lines in one write, and wait for the disk when asked to or when a durable line is due."""
        self.write(durable=fsync)
        if self.due:
            self.sync()

    def write(self, durable: bool = False) -> None:
        """Write the buffered lines in one write: they outlive this process, but not yet a power cut.

        A file that cannot be written raises a StorageError, and the lines stay buffered.

        Args:
            durable: all of them are `due` then, as if each had been appended so.
        """
        if not self._pending:
            return
        data = b"".join(self._pending)
        try:
            self._write(data)
        except OSError as error:
            self._torn = len(data)
            raise self._unwritable(error) from error
        self._size += len(data)
        self._pending.clear()
        self.due |= self._durable or durable
        self._durable = False

    def sync(self) -> None:
        """Wait until the disk has what was written; a disk that does not take it raises a StorageError."""
        try:
            file = os.open(self.path, os.O_RDWR)
            try:
                platform.sync_file(file)
            finally:
                os.close(file)
        except OSError as error:
            raise self._unwritable(error) from error
        self.due = False

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(f"cannot write {self.path}: {error.strerror or error}")

    def close(self) -> None:
        """Let go of a file that is held open."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _write(self, data: bytes) -> None:
        file = self._opened() if self._held is None else self._held
        self._held = file if self._hold else None
        try:
            self._check(file)
            if self._torn:
                os.ftruncate(file, self._size)
                self._torn = 0
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
        finally:
            if not self._hold:
                os.close(file)

    def _check(self, file: int) -> None:
        """Refuse to write into a file that is not, as it was left, the one at the path."""
        here, there = os.fstat(file), _stat(self.path)
        if there is None or (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise StorageError(f"{self.path}: was moved, removed or replaced while it was written; {_SECOND}")
        if not self._size <= here.st_size <= self._size + self._torn:
            raise StorageError(f"{self.path}: somebody else has written to it; {_SECOND}")

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | (0 if self._size else os.O_CREAT)
        try:
            return os.open(self.path, flags, 0o666)
        except FileNotFoundError:
            if self._size:
                raise StorageError(f"{self.path}: was moved or removed while it was written; {_SECOND}") from None
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o666)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _size_of(path: Path) -> int:
    found = _stat(path)
    return 0 if found is None else found.st_size


def sync_all(journals: Collection[Journal]) -> None:
    """Wait until the disk has what was written to several files, together: it confirms many in the time of one."""
    if len(journals) < 2:
        for journal in journals:
            journal.sync()
        return
    for _ in _threads(os.getpid()).map(Journal.sync, journals):
        pass


@cache
def _threads(_process: int) -> ThreadPoolExecutor:
    """Return the threads of this process that wait for the disk; all are started at once, and stay.

    `Thread.start` waits for ever for a thread that finds no memory as it begins, so none is started later on.
    """
    threads = ThreadPoolExecutor(SYNC_THREADS, "sync")
    together = Barrier(SYNC_THREADS)
    try:
        begun = [threads.submit(together.wait) for _ in range(SYNC_THREADS)]
    except BaseException:
        together.abort()  # those that have begun wait for the others, and the process at its end for them
        raise
    for each in begun:
        each.result()
    return threads
