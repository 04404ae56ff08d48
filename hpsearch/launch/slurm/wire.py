"""Frames over a TCP connection between processes that know the same token; nothing is unpickled of anybody else.

Both sides prove that they know the token (HMAC-SHA256 over a number that each has drawn), before anything else is
read. From it and both numbers comes the key of the connection, by which every frame is signed with its place in the
stream: nobody who does not know the token can add, change, repeat or reorder one. Nothing is encrypted.
"""

import hashlib
import hmac
import os
import secrets
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

TOKEN_BYTES = 32
_HEADER = struct.Struct("<IcQ")
_TAG_BYTES = hashlib.sha256().digest_size
_GREET_SEC = 10.0
_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
"""A machine that is lost is noticed after a minute."""
_DRIVER, _WORKER, _SESSION = b"driver", b"worker", b"session"


def write_token(path: Path) -> bytes:
    """Make a token, in a file that this user alone can read."""
    token = secrets.token_bytes(TOKEN_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(token)
    return token


class Refused(ConnectionError):
    """Whoever is at the other end does not know the token."""


class Wire:
    """A connection; one thread may read while others write.

    Args:
        connection: whose other end knows the token.
        key: of this connection.
        ours: how what is written here is told from what the other end writes.
        theirs: the other's.
    """

    def __init__(self, connection: socket.socket, key: bytes, ours: bytes, theirs: bytes) -> None:
        self._connection, self._key = connection, key
        self._ours, self._theirs = ours, theirs
        self._written = self._read = 0
        self._lock = threading.Lock()
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in _ALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    @classmethod
    def accepted(cls, connection: socket.socket, token: bytes) -> Self:
        """Return the driver's end of a connection.

        Raises:
            Refused: the other end does not know the token.
        """
        connection.settimeout(_GREET_SEC)
        drawn = secrets.token_bytes(TOKEN_BYTES)
        connection.sendall(drawn)
        answer = _exactly(connection, TOKEN_BYTES + _TAG_BYTES)
        if answer is None:
            raise Refused("the connection ended before the token was shown")
        numbers = drawn + answer[:TOKEN_BYTES]
        if not hmac.compare_digest(answer[TOKEN_BYTES:], _tag(token, _WORKER, numbers)):
            raise Refused("the other end does not know the token")
        connection.sendall(_tag(token, _DRIVER, numbers))
        return cls(connection, _tag(token, _SESSION, numbers), _DRIVER, _WORKER)

    @classmethod
    def connected(cls, connection: socket.socket, token: bytes) -> Self:
        """Return the worker's end of a connection.

        Raises:
            Refused: the other end does not know the token.
        """
        connection.settimeout(_GREET_SEC)
        theirs, ours = _exactly(connection, TOKEN_BYTES), secrets.token_bytes(TOKEN_BYTES)
        if theirs is None:
            raise Refused("the connection ended before the token was asked for")
        connection.sendall(ours + _tag(token, _WORKER, theirs + ours))
        answer = _exactly(connection, _TAG_BYTES)
        if answer is None or not hmac.compare_digest(answer, _tag(token, _DRIVER, theirs + ours)):
            raise Refused("the other end does not know the token")
        return cls(connection, _tag(token, _SESSION, theirs + ours), _WORKER, _DRIVER)

    def send(self, number: int, kind: bytes, payload: bytes = b"") -> None:
        """Write a frame for, or of, a worker of a number; raises OSError when nobody reads any more."""
        with self._lock:
            header = _HEADER.pack(number, kind, len(payload))
            place = self._written.to_bytes(8, "little")
            self._written += 1
            signed = _tag(self._key, self._ours, place, header), _tag(self._key, self._ours, place, header, payload)
            self._connection.sendall(b"".join((header, signed[0], payload, signed[1])))

    def receive(self) -> tuple[int, bytes, bytes] | None:
        """Read a frame: number, kind and payload; None at the end of the stream, and where one is not signed."""
        with suppress(OSError):
            place = self._read.to_bytes(8, "little")
            self._read += 1
            head = _exactly(self._connection, _HEADER.size + _TAG_BYTES)
            if head is None:
                return None
            header = head[: _HEADER.size]
            if not hmac.compare_digest(head[_HEADER.size :], _tag(self._key, self._theirs, place, header)):
                return None
            number, kind, size = _HEADER.unpack(header)
            body = _exactly(self._connection, size + _TAG_BYTES)
            if body is None:
                return None
            payload = body[:size]
            if hmac.compare_digest(body[size:], _tag(self._key, self._theirs, place, header, payload)):
                return number, kind, payload
        return None

    def close(self) -> None:
        """End the connection; whoever reads at either end finds the end of the stream."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _tag(key: bytes, *parts: bytes) -> bytes:
    signed = hmac.new(key, digestmod="sha256")
    for part in parts:
        signed.update(part)
    return signed.digest()


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = list[bytes]()
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
