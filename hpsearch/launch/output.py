"""What a worker prints, and everything that it starts: read by the driver, parted by trial, in files of limited size.

Standard output and error of a worker are one pipe. Where a trial begins and ends in it the worker writes a mark, so
that every line finds its trial; as the driver reads it nothing is lost when the worker crashes.
"""

import math
import os
import re
import secrets
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from hpsearch.base.files import LOG
from hpsearch.base.threads import start_thread

_LAST = 4096
"""Bytes that are known of the end of what a worker printed."""
_LINE = 4096
"""Where lines are no longer than this a file is cut between two of them."""
_BEGINS = "+"
_MISSING = "[... {} bytes are left out here ...]\n"
_MISSING_LINE = re.compile(rb"^\[\.\.\. (\d+) bytes are left out here \.\.\.\]\n", re.MULTILINE)


def new_mark() -> str:
    """Return what the marks of a worker begin with, and nothing else that is printed."""
    return f"\0{secrets.token_hex(8)}"


def write_mark(fd: int, mark: str, folder: str = "", begins: bool = False) -> None:
    """Say where this process prints whose what follows is.

    Args:
        fd: where that goes.
        mark: what the marks of this process begin with.
        folder: of the trial; an empty one: of none.
        begins: whether an attempt of the trial begins; else it goes on after others had their turns.
    """
    os.write(fd, f"{mark}{_BEGINS * begins}{os.fsencode(folder).hex()}\n".encode())


class Streams:
    """Standard output and error of this process, which trials may close, or put something else in the place of.

    Attributes:
        fd: a descriptor of its own for where they go.
    """

    def __init__(self) -> None:
        self.fd, self._nothing = os.dup(2), os.dup(0)
        self._own = self._opened()
        self.mend()

    def mend(self) -> None:
        """Give the process what it had at first."""
        for fd in range(3):
            try:
                os.fstat(fd)
            except OSError:
                os.dup2(self.fd if fd else self._nothing, fd)
        if any(stream.closed for stream in self._own):
            self._own = self._opened()
        sys.stdout, sys.stderr = self._own

    def flush(self) -> None:
        """Bring what was printed to where it goes, as far as it can be."""
        for stream in dict.fromkeys((sys.stdout, sys.stderr, *self._own)):
            with suppress(Exception):
                stream.flush()

    def _opened(self) -> tuple[TextIO, TextIO]:
        out, error = (
            open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            for fd in (1, 2)
        )
        return out, error


class Marks:
    """The marks that this process writes, one where others print than before.

    Args:
        streams: of this process.
        mark: what they begin with.

    Attributes:
        ends: how often what follows was of no trial.
    """

    def __init__(self, streams: Streams, mark: str) -> None:
        self.ends = 0
        self._streams = streams
        self._mark, self._folder = mark, ""

    def turn_to(self, folder: str = "", begins: bool = False) -> None:
        """Say whose what follows is, see `write_mark`; what was printed before is of those before."""
        if folder == self._folder and not begins:
            return
        self._streams.flush()
        write_mark(self._streams.fd, self._mark, folder, begins)
        self._folder = folder
        self.ends += not folder


class LimitedFile:
    """A file of which the first and the last part are kept, and between them a line that says how much is missing.

    Args:
        path: of the file, which may be there already; its folder is made.
        limit: bytes that it may have when it is closed; until then half as many more.
    """

    def __init__(self, path: Path, limit: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part = limit // 2
        self._file = path.open("a+b", buffering=0)
        self._size = self._file.tell()
        self._missing, self._head, self._tail = 0, 0, 0
        if found := _MISSING_LINE.search(self._read(0)):
            self._missing, self._head, self._tail = int(found[1]), found.start(), found.end()

    def write(self, data: bytes) -> None:
        """Write at the end."""
        self._size += self._file.write(data)
        if self._size > 3 * self._part:
            self._shorten()

    def close(self) -> None:
        """Bring the file to its limit."""
        if self._size > 2 * self._part:
            self._shorten()
        self._file.close()

    def _shorten(self) -> None:
        """Leave out what lies between the first part and the last, whole lines where there are lines."""
        if not self._tail:
            self._head = self._read(0, self._part).rfind(b"\n", self._part - _LINE) + 1 or self._part
            self._tail = self._head
        if self._size - self._part <= self._tail:
            return
        kept = self._read(self._size - self._part)
        kept = kept[kept.find(b"\n", 0, _LINE) + 1 :]
        self._missing += self._size - self._tail - len(kept)
        line = _MISSING.format(self._missing).encode()
        self._file.truncate(self._head)
        self._file.write(line + kept)
        self._tail = self._head + len(line)
        self._size = self._tail + len(kept)

    def _read(self, start: int, size: int = -1) -> bytes:
        self._file.seek(start)
        return self._file.read(size)


class Output:
    """Reads what a worker prints, in a thread, into the log of the trial whose turn it is, else into its own.

    Args:
        fd: the reading end of the pipe; it is closed at its end.
        mark: what the worker's marks begin with.
        log: of the worker: what it prints while it trains nothing.
        limit: bytes that a log may have.
    """

    def __init__(self, fd: int, mark: str, log: Path, limit: int) -> None:
        self._ends: float = 0
        self._ended = threading.Condition()
        self._fd, self._mark, self._own, self._limit = fd, mark.encode(), log, limit
        self._path = self._opened = log
        self._file: LimitedFile | None = None
        self._going_on: set[Path] = set()
        self._rest = self._last = b""
        self._thread = start_thread(self._run, name=f"output of {log.stem}")

    def log_to(self, log: Path, limit: int) -> None:
        """Write what is printed while it trains nothing, and so far was nothing, into another file."""
        self._own, self._path, self._limit = log, log, limit

    def join(self, timeout_sec: float) -> None:
        """Wait until everything is read; a process that left the worker's group may keep the pipe open."""
        self._thread.join(timeout_sec)

    def wait_for(self, ends: int, timeout_sec: float) -> None:
        """Wait until everything is in its log that was printed before so many marks of no trial, see `Marks`."""
        with self._ended:
            self._ended.wait_for(lambda: self._ends >= ends, timeout_sec)

    @property
    def last(self) -> str:
        """The end of what the worker printed since it began to do what it does."""
        return self._last.decode(errors="replace")

    def _run(self) -> None:
        with suppress(OSError):
            while data := os.read(self._fd, 1 << 16):
                self._take(data)
        self._write(self._rest)
        self._close()
        os.close(self._fd)
        self._count(math.inf)

    def _take(self, data: bytes) -> None:
        """Write what is complete: not what may be the beginning of a mark."""
        self._rest += data
        while (place := self._rest.find(self._mark)) >= 0 and (end := self._rest.find(b"\n", place)) >= 0:
            text = self._rest[place + len(self._mark) : end].decode()
            folder = os.fsdecode(bytes.fromhex(text.removeprefix(_BEGINS)))
            self._write(self._rest[:place])
            self._rest = self._rest[end + 1 :]
            self._turn_to(Path(folder, LOG) if folder else self._own, text.startswith(_BEGINS))
        ends = place if place >= 0 else self._rest.rfind(self._mark[:1], -len(self._mark))
        whole = ends if ends >= 0 else len(self._rest)
        self._write(self._rest[:whole])
        self._rest = self._rest[whole:]

    def _turn_to(self, path: Path, begins: bool) -> None:
        self._path, self._last = path, b""
        if begins and path.is_file():
            self._going_on.add(path)
        if path == self._own:
            self._close()
            self._count(1)

    def _count(self, ends: float) -> None:
        with self._ended:
            self._ends += ends
            self._ended.notify_all()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None

    def _write(self, data: bytes) -> None:
        """Write into the present log; what the disk does not take is lost, and the worker goes on."""
        if not data:
            return
        self._last = (self._last + data)[-_LAST:]
        with suppress(OSError):
            if self._file is None or self._opened != self._path:
                self._file = self._open()
            self._file.write(data)

    def _open(self) -> LimitedFile:
        self._close()
        self._opened = self._path
        file = LimitedFile(self._path, self._limit)
        if self._path in self._going_on:
            self._going_on.discard(self._path)
            file.write(f"[goes on, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC]\n".encode())
        return file
