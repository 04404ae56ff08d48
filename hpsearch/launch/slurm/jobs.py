"""The driver's end of workers in jobs, which call it, see `hpsearch.launch.slurm.agent`."""

import pickle
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from hpsearch.base.errors import ConfigError
from hpsearch.base.threads import start_thread
from hpsearch.launch.frames import GONE
from hpsearch.launch.slot import Inbox
from hpsearch.launch.slurm.agent import ABOUT, END, GO_ON, JOB, KILL, NOTICE, STAND, START, About, Start
from hpsearch.launch.slurm.wire import Wire

ANY_PORT = 0


class Job:
    """A job that was submitted, with the workers that it is to start.

    Args:
        number: that the driver gives it.
        name: what it is called in messages: ``Slurm job 812``.
        how_it_ended: says it, when the job is gone.

    Attributes:
        machine: where it runs; empty while it does not.
        leaving: whether it is to end soon: nothing more is begun there.
        over: whether it is gone.
    """

    def __init__(self, number: int, name: str, how_it_ended: Callable[["Job"], str]) -> None:
        self.number, self.name, self._how_it_ended = number, name, how_it_ended
        self.machine = ""
        self.leaving = self.over = self._ending = False
        self.workers: dict[int, RemoteWorker] = {}
        self._wire: Wire | None = None
        self._to_send: queue.SimpleQueue[tuple[int, bytes, bytes]] = queue.SimpleQueue()
        self._ends = threading.Lock()

    @property
    def title(self) -> str:
        """Its name, and where it runs."""
        return f"{self.name} on {self.machine}" if self.machine else self.name

    @property
    def is_connected(self) -> bool:
        """Whether it has called."""
        return self._wire is not None

    @property
    def is_up(self) -> bool:
        """Whether something may be begun there."""
        return self.is_connected and not self.leaving

    def send(self, number: int, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame for a worker, as soon as the job has called."""
        self._to_send.put((number, kind, payload))

    def connect(self, wire: Wire, machine: str) -> None:
        """Go on over a connection, which the job has opened."""
        self.machine, self._wire = machine, wire
        start_thread(self._write, wire, name=f"to job {self.number}")
        start_thread(self._read, wire, name=f"from job {self.number}")
        if self.over:
            wire.close()

    def _write(self, wire: Wire) -> None:
        with suppress(OSError):
            while not self.over:
                wire.send(*self._to_send.get())

    def _read(self, wire: Wire) -> None:
        while frame := wire.receive():
            number, kind, payload = frame
            if kind == NOTICE:
                for worker in list(self.workers.values()):
                    worker.hear(NOTICE)
            elif number in self.workers:
                self.workers[number].hear(kind, payload)
        self.lose(self._how_it_ended(self))

    def lose(self, how: str) -> None:
        """Note that the job is gone, with all of its workers.

        Args:
            how: it ended, in a line, and in further ones the end of what it printed.
        """
        with self._ends:
            if self.over:
                return
            self.over = True
        self.send(JOB, END)
        if self._wire is not None:
            self._wire.close()
        for worker in list(self.workers.values()):
            worker.hear(GONE, f"was lost with {self.title}, which {how}".encode())

    def end(self) -> None:
        """Let the job end."""
        if not self._ending:
            self._ending = True
            self.send(JOB, END)


class RemoteWorker:
    """A worker in a job.

    Args:
        job: that starts it.
        number: of the worker, which no other has.
        inbox: where its frames go.
    """

    def __init__(self, job: Job, number: int, inbox: Inbox) -> None:
        self.job, self._number, self._inbox = job, number, inbox
        self._how = ""
        self._gone = threading.Event()
        job.workers[number] = self

    def start(self, start: Start) -> None:
        """Let the job start it, as soon as it has called."""
        self.job.send(self._number, START, pickle.dumps(start))
        if self.job.over:
            self.hear(GONE, f"was lost with {self.job.title}".encode())

    def hear(self, kind: bytes, payload: bytes = b"") -> None:
        """Take in a frame of the worker; from any thread."""
        if self._gone.is_set():
            return
        if kind == GONE:
            self._how = payload.decode(errors="replace")
            self.job.workers.pop(self._number, None)
            self._gone.set()
        self._inbox.put((self, kind, payload))

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"worker {self._number} of {self.job.title}"

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame; a worker that is gone does not mind."""
        self.job.send(self._number, kind, payload)

    def settle(self, marks: int) -> None:
        """Return at once: what it printed is in its log before its messages are sent."""

    def kill(self) -> None:
        """Kill it and everything that it started."""
        self.job.send(self._number, KILL)
        if not self.job.is_connected:
            self._gone.set()

    def stand_still(self) -> None:
        """Let it stand still, with everything it started."""
        self.job.send(self._number, STAND)

    def go_on(self) -> None:
        """Let it go on after it stood still."""
        self.job.send(self._number, GO_ON)

    def join(self, timeout_sec: float | None = None) -> bool:
        """Wait until it is gone; return whether it is."""
        return self._gone.wait(timeout_sec)

    def exit_report(self) -> str:
        """Return how it ended, and the last lines that it printed."""
        return f"{self.title}: {self._how}"


class Listener:
    """Where jobs call the driver.

    Args:
        host: this machine's address that they reach.
        port: the same; `ANY_PORT`: one that is free.
        token: that they have to know.
        take: is given each connection, and what it says first.

    Raises:
        ConfigError: this machine has no such address, or the port is taken.
    """

    def __init__(self, host: str, port: int, token: bytes, take: Callable[[Wire, About], object]) -> None:
        try:
            self._socket = socket.create_server((host, port), family=_family(host), backlog=512)
        except OSError as error:
            raise ConfigError(
                f"launcher.address={host} launcher.port={port}: cannot be listened on ({error.strerror or error})"
            ) from None
        self._token, self._take = token, take
        start_thread(self._accept, name="jobs that call")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Listen no longer."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with suppress(RuntimeError):  # too many threads: who called calls again
                    start_thread(self._greet, connection, name="a job calls")

    def _greet(self, connection: socket.socket) -> None:
        """Hand on a connection of somebody who knows the token; anybody else's is closed without a word."""
        try:
            wire = Wire.accepted(connection, self._token)
        except OSError:
            connection.close()
            return
        first = wire.receive()
        if first is not None and first[:2] == (JOB, ABOUT):
            self._take(wire, pickle.loads(first[2]))
        else:
            wire.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
