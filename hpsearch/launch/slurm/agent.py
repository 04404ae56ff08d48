"""What a job on another machine runs: it starts workers for the driver, and carries their frames over one connection.

The driver reaches it through a folder that both machines share: there lie the address and the token. What workers print
is written here, into the logs of the trials, so that the driver is sent messages alone. When the driver is gone, or
says so, every worker ends with all that it started.
"""

import os
import pickle
import queue
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpsearch.base import lineage
from hpsearch.base.errors import MachineError
from hpsearch.base.threads import start_thread
from hpsearch.launch.devices import visible_gpus, worker_environment
from hpsearch.launch.frames import ALONE, EVENTS, GONE
from hpsearch.launch.process import WorkerProcess
from hpsearch.launch.slot import Inbox
from hpsearch.launch.slurm.wire import Refused, Wire
from hpsearch.launch.versions import Facts, facts

TOKEN = "token"
"""The file in the shared folder."""
JOB = 2**32 - 1
"""The number of frames that are of no worker."""

# driver to agent, beside the frames for a worker
START = b"S"  # a Start: start a worker of this number
KILL = b"K"  # kill it with all that it started
STAND = b"Z"
GO_ON = b"G"
END = b"E"  # of the job: end

# agent to driver, beside the frames of a worker; GONE carries how it ended
ABOUT = b"A"  # of the job: an About
NOTICE = b"N"  # of the job: it is to end soon

_CONNECT_SEC = 30.0
_AGAIN_SEC = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """How an agent reaches its driver.

    Attributes:
        folder: the shared one.
        host: where the driver listens.
        port: the same.
        job: the number that the driver gave the job.
        working_folder: of the driver.
    """

    folder: str
    host: str
    port: int
    job: int
    working_folder: str


@dataclass(frozen=True, slots=True)
class About:
    """What an agent says first.

    Attributes:
        job: the number that the driver gave it.
        facts: of its machine.
    """

    job: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Start:
    """A worker to be started.

    Attributes:
        seat: which of the workers of its job it is, for its share of the GPUs.
        threads: that it computes with.
        gpus_per_trial: that it sees.
        log: what it prints while it trains nothing is appended here.
        log_bytes: that a log may have.
    """

    seat: int
    threads: int
    gpus_per_trial: float
    log: str
    log_bytes: int


def main(call: Call) -> None:
    """Serve the driver until it is gone, or says to end.

    Raises:
        MachineError: the working folder or the token is not there, or the driver cannot be reached.
    """
    try:
        os.chdir(call.working_folder)
        token = Path(call.folder, TOKEN).read_bytes()
    except OSError as error:
        raise MachineError(
            f"{socket.gethostname()} does not share the driver's folder {error.filename} ({error.strerror})"
        ) from None
    wire = _connected(call, token)
    wire.send(JOB, ABOUT, pickle.dumps(About(call.job, facts(socket.gethostname()))))
    _Agent(wire).serve()


def _connected(call: Call, token: bytes) -> Wire:
    deadline = time.monotonic() + _CONNECT_SEC
    while True:
        try:
            return Wire.connected(socket.create_connection((call.host, call.port), _CONNECT_SEC), token)
        except Refused as error:
            raise MachineError(f"what listens at {call.host}:{call.port} is not the driver: {error}") from None
        except OSError as error:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"{socket.gethostname()} cannot reach the driver at {call.host}:{call.port} "
                    f"({error.strerror or error}): see launcher.address and launcher.port"
                ) from None
        time.sleep(_AGAIN_SEC)


class _Agent:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._workers: dict[int, WorkerProcess] = {}
        self._inbox: Inbox = queue.SimpleQueue()
        self._mark = lineage.new_mark()
        self._over = threading.Event()
        self._known = threading.Lock()

    def serve(self) -> None:
        for name in ("SIGUSR2", "SIGTERM"):
            signal.signal(getattr(signal, name), self._on_notice)
        start_thread(self._obey, name="commands")
        start_thread(self._tell, name="messages")
        try:
            self._over.wait()
        finally:
            for worker in list(self._workers.values()):
                worker.kill()
            lineage.end_marked(self._mark)
            self._wire.close()

    def _on_notice(self, _number: int, _frame: object) -> None:
        """Say that the job ends soon; from a thread, as this may have interrupted what is being written."""
        start_thread(self._send, JOB, NOTICE, name="notice")

    def _send(self, number: int, kind: bytes, payload: bytes = b"") -> None:
        with suppress(OSError):
            self._wire.send(number, kind, payload)

    def _obey(self) -> None:
        try:
            while (frame := self._wire.receive()) and frame[1] != END:
                self._one(*frame)
        finally:
            self._over.set()

    def _one(self, number: int, kind: bytes, payload: bytes) -> None:
        if kind == START:
            self._start(number, pickle.loads(payload))
        elif (worker := self._workers.get(number)) is None:
            return
        elif kind == KILL:
            worker.kill()
        elif kind == STAND:
            worker.stand_still()
        elif kind == GO_ON:
            worker.go_on()
        else:
            worker.send(kind, payload)

    def _start(self, number: int, start: Start) -> None:
        gpus = visible_gpus()
        share = start.gpus_per_trial if gpus else 1
        environment = worker_environment(start.seat, start.threads, gpus, share)
        marked = lineage.marked(environment, self._mark)
        with self._known:  # before its first message is sent on
            log = Path(start.log)
            self._workers[number] = WorkerProcess(log, start.log_bytes, marked, self._inbox)

    def _tell(self) -> None:
        """Send what workers say; what a trial printed is in its log before its end is told."""
        while True:
            worker, kind, payload = self._inbox.get()
            with self._known:
                number = next(number for number, each in self._workers.items() if each is worker)
            if kind in (EVENTS, ALONE):
                worker.settle(pickle.loads(payload)[0])
            elif kind == GONE:
                payload = worker.exit_report().encode()
                del self._workers[number]
            self._send(number, kind, payload)
