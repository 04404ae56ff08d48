"""The actor of a slot: runs worker processes on its node, and passes on what they say."""

import itertools
import os
import pickle
import queue
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import Any

from hpsearch.base import lineage, sent
from hpsearch.base.leftovers import temporary_folder
from hpsearch.base.threads import start_thread
from hpsearch.base.types import TrialId
from hpsearch.launch.base import Ended
from hpsearch.launch.devices import worker_environment
from hpsearch.launch.frames import ALONE, EVENTS, GONE, HELLO
from hpsearch.launch.process import WorkerProcess
from hpsearch.launch.ray.files import Folder, Writer, digest_of
from hpsearch.launch.ray.terms import FILE, NAMED, NEED, Needs, Order, Piece, Said, Wanted, is_here
from hpsearch.launch.versions import Facts, facts

_WAIT_SEC = 30.0
_MOST_BYTES = 32 * 2**20
_EVERY_SEC = 20.0
"""How often files are sent while a trial goes on, where its folder is not seen here."""
_FOREIGN = ("PYTHONBREAKPOINT",)
"""What Ray puts into the environment that changes what a program does."""


@dataclass
class _Process:
    """A worker process, with what it must wait for and the folders of its trials that the driver does not see.

    Attributes:
        worker: the process.
        held: the frame of the batch or call that is held back until its files have come.
        waiting: the orders behind that one.
        folders: those of its trials.
        sent: when files were sent.
    """

    worker: WorkerProcess
    held: tuple[bytes, bytes] | None = None
    waiting: list[Order] = field(default_factory=list)
    folders: dict[TrialId, Folder] = field(default_factory=dict)
    sent: float = 0.0


class Agent:
    """Starts, feeds and ends the worker processes of a slot.

    Args:
        wanted: what each of them needs.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted, self._node = wanted, gethostname()
        self._folder = temporary_folder()
        self._base = Path(self._folder.name)
        self._mark = lineage.new_mark()
        self._path = _import_path(wanted)
        self._files = self._base / "files"
        self._files.mkdir()
        os.chdir(wanted.folder[0] if is_here(wanted.folder) else self._base)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._processes: dict[int, _Process] = {}
        self._seen: dict[tuple[str, str], bool] = {}
        self._writer = Writer(durable=False)
        self._logs = itertools.count()
        self._first = self._worker() if wanted.module else None
        self._relays = False

    def facts(self) -> tuple[Facts, str]:
        """Return what must be the same on every machine, and Ray's name of the node."""
        import ray

        return facts(self._node), ray.get_runtime_context().get_node_id()

    def take(self, orders: Sequence[Order]) -> None:
        """Do what the driver says, in order."""
        for name, *args in orders:
            getattr(self, name)(*args)

    def said(self) -> list[Said]:
        """Return what the workers say, waiting a while for the first of it."""
        told: list[Said] = []
        with suppress(queue.Empty):
            told.append(self._said.get(timeout=_WAIT_SEC))
            while sum(len(payload) for *_, payload in told) < _MOST_BYTES:
                told.append(self._said.get_nowait())
        return told

    def close(self) -> None:
        """End every worker and what it left, and remove the files of this node."""
        for worker in [self._first, *(process.worker for process in self._processes.values())]:
            if worker is not None:
                worker.kill()
        lineage.end_marked(self._mark)
        os.chdir(os.sep)
        self._folder.cleanup()

    def spawn(self, number: int, hello: bytes) -> None:
        """Start a worker process, or take the first one, which imports already."""
        worker, self._first = self._first or self._worker(), None
        self._processes[number] = _Process(worker)
        if not self._relays:  # not before: what the first one says is of nobody then
            self._relays = True
            start_thread(self._relay, name="relay")
        _, argv, content = pickle.loads(hello)
        worker.send(HELLO, pickle.dumps((self._path, argv, content)))
        self._said.put((number, NAMED, f"{worker.title} of node {self._node}".encode()))

    def _worker(self) -> WorkerProcess:
        environment = worker_environment(0, self._wanted.threads, ())
        environment = {name: value for name, value in environment.items() if name not in _FOREIGN}
        log = self._base / f"worker-{next(self._logs)}.log"
        marked = lineage.marked(environment | {sent.FOLDER: str(self._files)}, self._mark)
        return WorkerProcess(log, self._wanted.log_limit, marked, self._inbox, self._wanted.module)

    def send(self, number: int, kind: bytes, payload: bytes) -> None:
        """Send a frame to a worker, behind what waits for its files."""
        if process := self._in_turn(number, "send", kind, payload):
            process.worker.send(kind, payload)

    def begin(self, number: int, kind: bytes, payload: bytes, needs: Needs) -> None:
        """Let a worker train a batch or answer a call, with copies of the driver's files where they are not seen here.

        Args:
            number: of the worker.
            kind: of the frame.
            payload: of the frame.
            needs: what it needs of the driver's files.
        """
        if not (process := self._in_turn(number, "begin", kind, payload, needs)):
            return
        missing = {path for path, digest in needs.files if not self._has(path, digest)}
        if needs.token is not None and not self._sees(needs.token):
            payload, folders = self._moved(process, payload)
            missing |= folders
        if missing:
            process.held = (kind, payload)
            self._said.put((number, NEED, pickle.dumps(sorted(missing))))
        else:
            process.worker.send(kind, payload)

    def _in_turn(self, number: int, *order: Any) -> _Process | None:
        """Return the worker whose turn it is to be sent something; an order behind what waits for files waits too."""
        process = self._processes.get(number)
        if process is None or process.held is None:
            return process
        name, *args = order
        process.waiting.append((name, number, *args))
        return None

    def _has(self, path: str, digest: str) -> bool:
        """Return whether a file of the driver's is here, at its own place or as a copy, which goes first."""
        copy = sent.copy_of(path, self._files)
        if digest_of(path) == digest:
            copy.unlink(missing_ok=True)
            return True
        return digest_of(copy) == digest

    def _sees(self, token: tuple[str, str]) -> bool:
        if token not in self._seen:
            path, text = token
            try:
                self._seen[token] = Path(path).read_text(encoding="ascii") == text
            except (OSError, ValueError):
                self._seen[token] = False
        return self._seen[token]

    def _moved(self, process: _Process, payload: bytes) -> tuple[bytes, set[str]]:
        """Return a batch whose trials work in folders of this node, and the driver's folders, which they go on from.

        Those of a trial that has waited in this worker are as it left them, and it may have files there open.
        """
        trials, content = pickle.loads(payload)
        specs, parked = pickle.loads(content)
        moved = tuple(replace(spec, folder=str(sent.copy_of(spec.folder, self._files))) for spec in specs)
        needed = set()
        for spec, there in zip(specs, moved, strict=True):
            known = process.folders.get(spec.id)
            if known is not None and known.attempt + 1 == spec.attempt:
                known.attempt = spec.attempt
                continue
            Path(there.folder).mkdir(parents=True, exist_ok=True)
            process.folders[spec.id] = folder = Folder(Path(there.folder), spec.folder, spec.attempt)
            folder.clear()  # what another attempt left here
            needed.add(spec.folder)
        return pickle.dumps((trials, pickle.dumps((moved, parked)))), needed

    def put(self, piece: Piece) -> None:
        """Take a piece of a file of the driver's."""
        self._writer.take(piece, sent.copy_of(piece.folder, self._files))

    def put_all(self, number: int) -> None:
        """Go on with what was held back: what it needs is there, or the driver has it neither."""
        process = self._processes.get(number)
        if process is None or process.held is None:
            return
        for folder in process.folders.values():
            folder.take()
        process.worker.send(*process.held)
        process.held, orders, process.waiting = None, process.waiting, []
        self.take(orders)

    def kill(self, number: int) -> None:
        """Kill a worker with all that it started."""
        if number in self._processes:
            self._processes[number].worker.kill()

    def stand_still(self, number: int) -> None:
        """Let a worker stand still."""
        if number in self._processes:
            self._processes[number].worker.stand_still()

    def go_on(self, number: int) -> None:
        """Let a worker go on."""
        if number in self._processes:
            self._processes[number].worker.go_on()

    def _relay(self) -> None:
        while True:
            worker, kind, payload = self._inbox.get()
            number, process = next((n, p) for n, p in list(self._processes.items()) if p.worker is worker)
            if kind in (EVENTS, ALONE):
                self._before(number, process, payload)
            elif kind == GONE:
                self._processes.pop(number, None)
                payload = worker.exit_report().replace(worker.title, f"{worker.title} of node {self._node}", 1).encode()
            self._said.put((number, kind, payload))

    def _before(self, number: int, process: _Process, payload: bytes) -> None:
        """Bring to the driver what must be there before it hears what trials say."""
        marks, ended = _ends(payload)
        if ended:
            process.worker.settle(marks)
        if process.folders and (ended or time.monotonic() > process.sent + _EVERY_SEC):
            for folder in process.folders.values():
                for piece in folder.news():
                    self._said.put((number, FILE, pickle.dumps(piece)))
            process.sent = time.monotonic()
        for event in ended:
            if not (event.result.held or event.result.alone) and event.trial in process.folders:
                shutil.rmtree(process.folders.pop(event.trial).path, ignore_errors=True)


def _ends(payload: bytes) -> tuple[int, list[Ended]]:
    """Return the marks that a frame of events tells of, and the ends of trials."""
    try:
        marks, packed, _ = pickle.loads(payload)
        return marks, [event for each in packed for event in pickle.loads(each) if isinstance(event, Ended)]
    except Exception:  # the driver says so
        return 0, []


def _import_path(wanted: Wanted) -> list[str]:
    """Return where workers look for modules: as the driver where its folders are seen here, else as this process does.

    What the driver ships stands first among what is not the driver's.
    """
    import sys

    import ray

    if all(known is None or is_here((folder, known)) for folder, known in wanted.path):
        return [folder for folder, _ in wanted.path]
    home = str(Path(ray.__file__).parent)
    own = [entry for entry in sys.path if entry and not entry.startswith(home)]
    shared = [folder for folder, known in wanted.path if is_here((folder, known)) and folder not in own]
    return [*own, *shared]
