"""A program that runs as a trial: started, read, told, and ended with all that it has started."""

import math
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hpsearch.base import platform, supervise
from hpsearch.base.errors import ConfigError

LONGEST_LINE = 1 << 16
"""Characters of a line that are read; the rest of it is in the log."""
_CHUNK = 1 << 16
_REST_SEC = 2.0
"""How long what it printed is read on after its end, where something that left it keeps its output open."""
_LAST = 8192
"""Bytes that are known of the end of what it wrote to standard error, and in all."""


class Lines:
    """Bytes as they come, in whole lines; a carriage return ends one too, and a line that is too long is cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._skips = False

    def take(self, data: bytes) -> list[str]:
        """Return the lines that are whole now; of bytes that are no UTF-8 each is one sign."""
        *whole, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        if self._skips and whole:
            whole, self._skips = whole[1:], False
        if len(self._rest) > LONGEST_LINE:
            whole = whole if self._skips else [*whole, self._rest[:LONGEST_LINE]]
            self._rest, self._skips = b"", True
        return [line.decode(errors="replace") for line in whole if line]

    def end(self) -> list[str]:
        """Return the last line, which nothing ended."""
        return self.take(b"\n")


class Program:
    """A program that runs; what it prints goes to standard error of this process, from where it finds its log.

    Args:
        command: its words.
        environment: its environment variables.

    Attributes:
        lines: of its standard output that nobody has taken yet.
        code: its return code, negative for a signal; None while it runs and where that is not known.
        ended: whether it has ended and everything is read.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.lines: deque[str] = deque()
        self.code: int | None = None
        self.ended = False
        self._lines, self._last, self._errors, self._said = Lines(), b"", b"", b""
        self._over = math.inf
        control, self._control = os.pipe()
        self._status, status = os.pipe()
        words = [sys.executable, "-I", "-S", supervise.__file__, str(control), str(status), *command]
        try:
            self._process = platform.start_group(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=dict(environment),
                pass_fds=(control, status),
            )
        finally:
            os.close(control)
            os.close(status)
        assert self._process.stdout
        assert self._process.stderr
        self._selector = selectors.DefaultSelector()
        self._out, self._error = self._process.stdout.fileno(), self._process.stderr.fileno()
        for fd in (self._out, self._error, self._status):
            self._selector.register(fd, selectors.EVENT_READ)

    def poll(self, timeout_sec: float) -> None:
        """Read what there is, waiting at most so long for the first of it; nothing once it has ended."""
        if self.ended:
            return
        for key, _ in self._selector.select(timeout_sec):
            data = os.read(key.fd, _CHUNK)
            if not data:
                self._selector.unregister(key.fd)
                self._over = min(self._over, time.monotonic() + _REST_SEC) if key.fd == self._status else self._over
            elif key.fd == self._status:
                self._said += data
            else:
                self._take(key.fd, data)
        if not self._selector.get_map() or time.monotonic() > self._over:
            self._end()

    def _take(self, fd: int, data: bytes) -> None:
        _log(data)
        self._last = (self._last + data)[-_LAST:]
        if fd == self._error:
            self._errors = (self._errors + data)[-_LAST:]
        else:
            self.lines.extend(self._lines.take(data))

    def _end(self) -> None:
        self.lines.extend(self._lines.end())
        self._process.wait()
        self.ended = True
        assert self._process.stdout
        assert self._process.stderr
        for close in (self._process.stdout.close, self._process.stderr.close, self._selector.close):
            close()
        for fd in (self._control, self._status):
            os.close(fd)
        word, _, rest = self._said.decode(errors="replace").rpartition(" ")
        if word == supervise.ENDED:
            self.code = int(rest)
        elif word.startswith(supervise.NOT_STARTED):
            raise ConfigError(f"trainer.command: {self._said.decode().removeprefix(supervise.NOT_STARTED).strip()}")

    def tell(self, order: bytes) -> None:
        """Give an order, see `hpsearch.base.supervise`; one that has ended does not mind."""
        if not self.ended:
            with suppress(BrokenPipeError):
                os.write(self._control, order)

    def stop(self, grace_sec: float) -> None:
        """Ask it to end, kill it after a grace, and wait until nothing of it is left."""
        self.tell(supervise.TERMINATE)
        deadline = time.monotonic() + grace_sec
        while not self.ended and (left := deadline - time.monotonic()) > 0:
            self._drain(left)
        self.tell(supervise.KILL)
        while not self.ended:
            self._drain(1.0)

    def _drain(self, timeout_sec: float) -> None:
        with suppress(ConfigError):
            self.poll(timeout_sec)
        self.lines.clear()

    @property
    def last_lines(self) -> list[str]:
        """The last lines of its error output; of all that it printed, where that has none."""
        said = self._errors if self._errors.strip() else self._last
        lines = said.replace(b"\r", b"\n").decode(errors="replace").splitlines()
        return [line.rstrip() for line in lines if line.strip()]


def _log(data: bytes) -> None:
    """Write to standard error of this process; where that is gone nothing is kept."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(2, view) :]
    except OSError:
        return


class Appended:
    """What is appended to a file, in whole lines; one that became shorter was begun anew.

    Args:
        path: of the file, which need not be there yet.
        from_end: whether what is there already is passed over.
    """

    def __init__(self, path: Path, from_end: bool) -> None:
        self._path = path
        self._lines = Lines()
        self._at = self._size() if from_end else 0

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    @property
    def has_more(self) -> bool:
        """Whether there is something that is not read yet."""
        return self._size() != self._at

    def take(self) -> list[str]:
        """Return lines that are new, of a long file some; what no line feed stands after is waited for."""
        size = self._size()
        if size < self._at:
            self._at, self._lines = 0, Lines()
        if size == self._at:
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read(_CHUNK)
        self._at += len(data)
        return self._lines.take(data)

    def end(self) -> list[str]:
        """Return the last line, which nothing ended."""
        return self._lines.end()
