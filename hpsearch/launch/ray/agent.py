"""The actor of a slot: runs worker processes on its node, and passes on what they say."""

import itertools
import os
import pickle
import queue
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import Any

from hpsearch.base import lineage
from hpsearch.base.leftovers import temporary_folder
from hpsearch.base.threads import start_thread
from hpsearch.base.types import TrialSpec
from hpsearch.launch.base import Ended
from hpsearch.launch.devices import worker_environment
from hpsearch.launch.frames import ALONE, BATCH, CALL, EVENTS, GONE, HELLO
from hpsearch.launch.process import WorkerProcess
from hpsearch.launch.ray.files import Folder, Writer
from hpsearch.launch.ray.terms import FILE, NAMED, NEED, Order, Piece, Said, Wanted, is_here
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
        waiting: the frames that are held back until files have come; the first one is a batch.
        needed: how many files or folders have not come.
        folders: those of its trials, by their paths here.
        sent: when files were sent.
    """

    worker: WorkerProcess
    waiting: deque[tuple[bytes, bytes]] = field(default_factory=deque)
    needed: int = 0
    folders: dict[str, Folder] = field(default_factory=dict)
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
        here = wanted.folder[0] if is_here(wanted.folder) else str(self._base)
        os.chdir(here)
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
        marked = lineage.marked(environment, self._mark)
        return WorkerProcess(log, self._wanted.log_limit, marked, self._inbox, self._wanted.module)

    def send(self, number: int, kind: bytes, payload: bytes) -> None:
        """Send a frame to a worker, behind a batch that waits for its files."""
        process = self._processes.get(number)
        if process is None:
            return
        if process.needed:
            process.waiting.append((kind, payload))
        else:
            process.worker.send(kind, payload)

    def ask(self, number: int, payload: bytes, files: Sequence[str]) -> None:
        """Let a worker answer a call, with copies of the files among its arguments that are not seen here."""
        process = self._processes.get(number)
        missing = [path for path in files if not Path(path).exists()]
        if process is None or not missing:
            self.send(number, CALL, payload)
            return
        function, args = pickle.loads(payload)
        moved = tuple(self._local(each) if each in missing else each for each in args)
        process.needed = len(missing)
        process.waiting.append((CALL, pickle.dumps((function, moved))))
        self._said.put((number, NEED, pickle.dumps(missing)))

    def train(self, number: int, payload: bytes, token: tuple[str, str]) -> None:
        """Let a worker train a batch, in folders of this node where it does not see the driver's.

        Args:
            number: of the worker.
            payload: of the frame.
            token: a file of the driver's beside the trials, and what is in it.
        """
        process = self._processes.get(number)
        if process is None:
            return
        if process.needed:
            process.waiting.append((BATCH, pickle.dumps((payload, token))))
        elif self._sees(token):
            process.worker.send(BATCH, payload)
        else:
            self._fetch(number, process, payload)

    def _sees(self, token: tuple[str, str]) -> bool:
        if token not in self._seen:
            path, text = token
            try:
                self._seen[token] = Path(path).read_text(encoding="ascii") == text
            except (OSError, ValueError):
                self._seen[token] = False
        return self._seen[token]

    def _fetch(self, number: int, process: _Process, payload: bytes) -> None:
        """Ask for the files of a batch that the driver has; the batch waits for them."""
        trials, content = pickle.loads(payload)
        specs, parked = pickle.loads(content)
        moved = tuple(self._moved(spec) for spec in specs)
        needs = {spec.folder for spec in specs} | {
            spec.source for spec, there in zip(specs, moved, strict=True) if there.source != spec.source
        }
        for spec, there in zip(specs, moved, strict=True):
            Path(there.folder).mkdir(parents=True, exist_ok=True)
            folder = Folder(Path(there.folder), spec.folder)
            for piece in list(folder.news()):  # what another attempt left here
                (folder.path / piece.name).unlink(missing_ok=True)
            process.folders[there.folder] = folder
        process.needed = len(needs)
        process.waiting.append((BATCH, pickle.dumps((trials, pickle.dumps((moved, parked))))))
        self._said.put((number, NEED, pickle.dumps(sorted(needs))))

    def _moved(self, spec: TrialSpec) -> TrialSpec:
        source = spec.source
        if source is not None and not Path(source).exists():
            source = self._local(source)
        return replace(spec, folder=self._local(spec.folder), source=source)

    def _local(self, path: str) -> str:
        return str(self._base / "files" / Path(path).relative_to(Path(path).anchor))

    def put(self, piece: Piece) -> None:
        """Take a piece of a file of the driver's."""
        self._writer.take(piece, Path(self._local(piece.folder)))

    def put_all(self, number: int) -> None:
        """Go on with a batch: what it needed is there, or the driver has it neither."""
        process = self._processes.get(number)
        if process is None:
            return
        process.needed = 0
        for folder in process.folders.values():
            folder.take()
        kind, payload = process.waiting.popleft()
        process.worker.send(kind, payload)
        while process.waiting and not process.needed:
            kind, payload = process.waiting.popleft()
            if kind == BATCH:
                self.train(number, *pickle.loads(payload))
            else:
                self.send(number, kind, payload)

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


def _ends(payload: bytes) -> tuple[int, bool]:
    """Return the marks that a frame of events tells of, and whether a trial ends with it."""
    try:
        marks, packed, _ = pickle.loads(payload)
        return marks, any(isinstance(event, Ended) for each in packed for event in pickle.loads(each))
    except Exception:  # the driver says so
        return 0, True


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
