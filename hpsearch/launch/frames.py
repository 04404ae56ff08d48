"""Frames over a pipe between the driver and a worker: one byte of kind, eight of length, then a pickle."""

import os
import struct
from dataclasses import dataclass
from typing import Any

_HEADER = struct.Struct("<cQ")

# driver to worker
HELLO = b"h"  # (execute, lockstep, paused): import what it needs
BATCH = b"b"  # (trial ids, pickle of (specs, parked)): train them, beside those that train already
CALL = b"c"  # (function, args)
DECIDE = b"d"  # (trial id, decision, or what is given to one that asks)
LEAVE = b"l"  # end when nothing trains

# worker to driver
READY = b"r"  # the answer to HELLO
EVENTS = b"e"  # (marks, events): Reported and Ended, in order; marks of no trial written so far, see `output.Marks`
ALONE = b"s"  # as EVENTS, the last ones of a trial that waits with what it started: nothing may run on here
ANSWER = b"a"  # an Answer to CALL
BROKEN = b"x"  # (trial ids, traceback) of a BATCH that cannot be unpickled
GONE = b"g"  # never on the wire: the reader's own word for the end of the stream
GARBLED = b"?"  # the same for what is no frame: something else wrote into the pipe

_KINDS = frozenset((HELLO, BATCH, CALL, DECIDE, LEAVE, READY, EVENTS, ALONE, ANSWER, BROKEN))
_MOST_BYTES = 2**40


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended.

    Attributes:
        value: what the function returned.
        error: the HpsearchError it raised, to be raised again in the driver.
        traceback: traceback of any other exception.
    """

    value: Any = None
    error: Exception | None = None
    traceback: str = ""


def write_frame(fd: int, kind: bytes, payload: bytes = b"") -> None:
    """Write one frame; raises OSError when nobody reads any more."""
    data = memoryview(_HEADER.pack(kind, len(payload)) + payload)
    while data:
        data = data[os.write(fd, data) :]


def read_frame(fd: int) -> tuple[bytes, bytes] | None:
    """Read one frame.

    Args:
        fd: the pipe's file descriptor.

    Returns:
        Kind and payload, GARBLED without any for what is no frame; None at the end of the stream, also when the writer
        died in the middle of a frame.
    """
    header = _read_exactly(fd, _HEADER.size)
    if header is None:
        return None
    kind, size = _HEADER.unpack(header)
    if kind not in _KINDS or size > _MOST_BYTES:
        return GARBLED, b""
    payload = _read_exactly(fd, size)
    return None if payload is None else (kind, payload)


def _read_exactly(fd: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
