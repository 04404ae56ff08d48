"""A worker that has imported what all of them need, and forks the others before it works itself.

Importing takes two seconds of processor time in every worker; a fork takes hundredths and shares the memory. It is done
where that is safe: on Linux, without a GPU (CUDA does not survive a fork), by a process of one thread that has imported
the libraries and nothing of the user's.
"""

import importlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from hpsearch.base import forks, platform

_MARK_BYTES = 64


def may_fork(module: str, gpus: Sequence[str]) -> bool:
    """Return whether workers may be forked that have imported a module, where these GPUs are visible."""
    return module.partition(".")[0] == __name__.partition(".")[0] and forks.forks_safely() and not gpus


class Ends(NamedTuple):
    """One side's ends of the pipes between the driver and a worker.

    Attributes:
        commands: frames to the worker.
        messages: frames of the worker.
        output: what the worker prints.
        lifeline: see `hpsearch.base.platform.die_with`; None where there is none.
    """

    commands: int
    messages: int
    output: int
    lifeline: int | None

    def close(self) -> None:
        """Close them."""
        for fd in self:
            if fd is not None:
                os.close(fd)


def pipes() -> tuple[Ends, Ends]:
    """Return the driver's ends and the worker's."""
    (commands, our_commands), (our_messages, messages), (our_output, output) = os.pipe(), os.pipe(), os.pipe()
    lifeline, our_lifeline = platform.open_lifeline()
    return (
        Ends(our_commands, our_messages, our_output, our_lifeline),
        Ends(commands, messages, output, lifeline),
    )


class Template:
    """The driver's connection to a worker that forks others.

    Args:
        connection: to `serve` in that worker.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._left = 0

    @classmethod
    @contextmanager
    def connected(cls) -> "Iterator[tuple[Template, socket.socket]]":
        """Return a connection and the worker's end of it, which is closed here at the end of the block."""
        ours, theirs = socket.socketpair()
        with theirs:
            yield cls(ours), theirs

    def expect(self, count: int) -> None:
        """Say how many workers will be forked; then, or at once if it is none, this one begins to work."""
        self._left = count
        if not count:
            self._connection.close()

    def fork(self, ends: Ends, mark: str) -> forks.Process | None:
        """Return a worker with these ends; waits until the template has imported.

        Args:
            ends: the worker's.
            mark: what its marks begin with, see `hpsearch.launch.output`.

        Returns:
            The process; None where the template is gone, or had a reason not to fork.
        """
        assert ends.lifeline is not None
        with self._lock:
            process = None
            with suppress(OSError), forks.adopting_orphans():
                socket.send_fds(self._connection, [mark.encode()], [*ends[:3], ends.lifeline])
                if pid := int(self._connection.recv(_MARK_BYTES) or b"0"):
                    process = forks.adopted(pid)
            self._left -= 1
            if self._left <= 0:
                self._connection.close()
        return process


def serve(requests: int, own: Sequence[int]) -> tuple[str, Ends] | None:
    """Fork a worker for each request of the driver, until it closes the connection; called in the template.

    Args:
        requests: file descriptor of the connection.
        own: file descriptors of the template, which the forked ones close.

    Returns:
        In a forked worker its mark and its pipes; None in the template, after the last one.
    """
    with socket.socket(fileno=requests) as connection:
        while True:
            mark, fds, _, _ = socket.recv_fds(connection, _MARK_BYTES, len(Ends._fields))
            if not mark:
                return None
            ends = Ends(*fds)
            if (pid := _forked() if forks.has_one_thread() else 0) is None:
                for fd in own:
                    os.close(fd)
                return mark.decode(), ends
            ends.close()
            connection.send(str(pid).encode())


def _forked() -> int | None:
    """Fork a process that is nobody's child here, so that the driver adopts it; return its id, None in the process."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        if os.fork():
            os._exit(0)
        os.setsid()  # before anybody knows of it: who kills it kills its group
        os.write(writing, str(os.getpid()).encode())
        os.close(reading)
        os.close(writing)
        return None
    os.close(writing)
    pid = int(os.read(reading, _MARK_BYTES) or b"0")
    os.close(reading)
    os.waitpid(between, 0)
    return pid


def load(module: str) -> None:
    """Import a module and call its `preload`, if it has one: what a worker does before it trains."""
    importlib.import_module(module)
    preload = getattr(sys.modules[module], "preload", None)
    if preload:
        preload()
