"""Standard streams that no study fails of: what they cannot take is dropped, and signs they lack are spelled in ASCII.

A terminal may be closed while a study runs, a reader leave (``| head``), a disk be full, a stream be closed from the
start (``>&-``). The study goes on, and its exit code says how it went.
"""

import codecs
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

SPELLED = "hpsearch.spelled"
"""Name of the way to encode signs that an encoding lacks."""
_IN_ASCII = {
    **dict.fromkeys("–—−", "-"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”„", '"'),
    **{"±": "+-", "×": "x", "·": "*", "…": "...", "→": "->", "²": "^2", "≈": "~", "≤": "<=", "≥": ">="},
    **{"✓": "+", "✗": "x", "µ": "u"},
}
_WANTED = (errno.EPIPE, errno.EBADF)
"""How writing fails where a reader has left, or the stream was closed: nobody misses what is dropped."""


class _Descriptor(io.FileIO):
    """A file descriptor that takes everything.

    Attributes:
        lost: how writing failed first; None while it did not.
    """

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of it, waiting where somebody made the descriptor one that does not wait; drop what fails."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                written = super().write(left)
                if written is None:
                    select.select((), (self,), ())
                left = left[written or 0 :]
        except OSError as error:
            self.lost = self.lost or error
        return size


class Forgiving:
    """A stream of somebody else's, as a notebook's, that takes everything; None takes it too.

    Args:
        stream: where text goes.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, its signs spelled in ASCII where the stream has no others; one that is closed takes nothing."""
        if self._stream is None:
            return len(text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            _settle_errors()
            self._stream.write(text.encode(error.encoding, SPELLED).decode(error.encoding))
        except (OSError, ValueError):
            pass
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, if it can be."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except (OSError, ValueError):
            pass

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:
            return False


def settle() -> None:
    """Let the standard streams of this process take everything, once; those that are closed are opened on nothing.

    Else a pipe or a file of ours would get the number of a standard stream, and be written into.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, which is this one
    _settle_errors()
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for good
    sys.stdout, sys.stderr = _unfailing(sys.stdout, 1), _unfailing(sys.stderr, 2)


def has_reader(stream: TextIO) -> bool:
    """Return whether somebody may read what is written to a stream: not of a pipe whose reader has left."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # a notebook's, or one that is closed
        return not stream.closed
    if not hasattr(select, "poll"):  # Windows tells with the next write
        return True
    poll = select.poll()
    poll.register(number, 0)
    return not any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def why_lost() -> str:
    """Return why text of standard output was lost, after it was flushed; empty where none was, or nobody wanted it."""
    lost = getattr(_raw(sys.stdout), "lost", None)
    return "" if lost is None or lost.errno in _WANTED else str(lost.strerror)


def spelled(error: UnicodeError) -> tuple[str, int]:
    """Return what stands in the place of signs that an encoding lacks: a word of ASCII, or what Python writes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    text = "".join(_IN_ASCII.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs)
    return text, error.end


def _settle_errors() -> None:
    codecs.register_error(SPELLED, spelled)


def _unfailing(stream: Any, number: int) -> Any:
    descriptor = _Descriptor(number, "wb", closefd=False)
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(descriptor), "utf-8", SPELLED)
    if not isinstance(_raw(stream), io.FileIO):  # a console of Windows
        return stream
    stream.flush()
    buffered = descriptor if stream.buffer is _raw(stream) else io.BufferedWriter(descriptor)  # `python -u` has none
    kept = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
    return io.TextIOWrapper(buffered, stream.encoding, SPELLED, **kept)  # takes raw ones too


def _raw(stream: Any) -> Any:
    """Return what a stream writes to in the end."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)
