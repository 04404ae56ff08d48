"""The driver's end of the gateway, the process that speaks with Ray."""

import os
import pickle
import secrets
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from hpsearch.base import lineage, lookup, platform
from hpsearch.base.errors import ConfigError
from hpsearch.base.leftovers import temporary_folder, temporary_path
from hpsearch.base.threads import start_thread
from hpsearch.launch.process import import_path
from hpsearch.launch.ray.files import Writer, pieces, pieces_in
from hpsearch.launch.ray.news import DOWN, OPENED, REFUSED, RELEASE, UP
from hpsearch.launch.ray.terms import FILE, NEED, Opening, Piece, Wanted
from hpsearch.launch.ray.worker import RayWorker

_PROGRAM = "import sys; sys.path[:] = {path!r}; {ours}from hpsearch.launch.ray.program import main; main({connection})"
_CLOSE_SEC = 20.0
_LOG_LINES = 8


class Gateway:
    """Starts the process, which finds a cluster, and stays in touch with it; a thread hands on what it says.

    Args:
        address: of the cluster; None: it starts one on this machine.
        modules: files and folders of modules that the nodes need.

    Attributes:
        workers: how many are wanted.
        nodes: what the cluster has, in words.
        up: the slots that have a node, and what that is called.
        nodes_of: Ray's name of the node that a slot has or had.
        refused: why nothing can be done with the cluster; empty for no reason.
    """

    def __init__(self, address: str | None = None, modules: tuple[str, ...] = ()) -> None:
        self.workers, self.nodes, self.refused = 0, "", ""
        self.up: dict[int, str] = {}
        self.nodes_of: dict[int, str] = {}
        self._answered = threading.Event()
        self._temporary = temporary_folder()
        self._log = Path(self._temporary.name, "gateway.log")
        self._workers: dict[int, RayWorker] = {}
        self._tokens: dict[Path, tuple[str, str]] = {}
        self._writer = Writer(durable=True)
        self._writes = threading.Lock()
        self._closing = False
        self._mark = lineage.new_mark()
        self._connection, theirs = Pipe()
        self._process = self._start(theirs)
        theirs.close()
        inner = Path(self._temporary.name, "ray")  # Ray opens its folder to all, so it lies in one that is closed
        inner.mkdir()
        self._link = _short_link(inner)
        self.tell(Opening(address, modules, str(self._link)))
        self._reader = start_thread(self._read, name="gateway")

    def _start(self, theirs: "Connection[Any, Any]") -> "subprocess.Popen[bytes]":
        program = _PROGRAM.format(path=import_path(), ours=lookup.from_home(), connection=theirs.fileno())
        with self._log.open("wb") as log:
            return platform.start_group(
                [sys.executable, "-P", "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=os.sep,
                env=lineage.marked(os.environ, self._mark),
                pass_fds=[theirs.fileno()],
            )

    def want(self, workers: int | None, wanted: Wanted) -> None:
        """Wait until there is a cluster; a ConfigError where there is none.

        Args:
            workers: how many are wanted; None: as many as the nodes have room for.
            wanted: what each needs.
        """
        self.tell((workers, wanted))
        self._answered.wait()
        self.check()

    def check(self) -> None:
        """Raise a ConfigError where nothing can be done with the cluster."""
        if self.refused:
            raise ConfigError(self.refused)

    def tell(self, message: Any) -> None:
        """Send the process something; one that is gone does not mind."""
        with self._writes, suppress(OSError):
            self._connection.send(message)

    def attach(self, number: int, worker: RayWorker) -> None:
        """Let a worker hear what its process says."""
        self._workers[number] = worker
        if self._process.poll() is not None:
            worker.lose(self._how_it_ended())

    def token(self, trial_folder: Path) -> tuple[str, str]:
        """Return a file beside the folder of a trial, and what is in it: who can read it there sees the folder."""
        beside = trial_folder.parent
        if beside not in self._tokens:
            path, text = temporary_path(beside / "seen"), secrets.token_hex(16)
            beside.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
            self._tokens[beside] = (str(path), text)
        return self._tokens[beside]

    def release(self, slot: int) -> None:
        """Let the node of a slot go."""
        self.up.pop(slot, None)
        self.tell((slot, (RELEASE,)))

    def close(self, now: bool = False) -> None:
        """End the process, and a cluster of its own; `now` leaves it no time."""
        self._closing = True
        self.tell(None)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0 if now else _CLOSE_SEC)
        lineage.kill_tree(self._process.pid)
        self._process.wait()
        self._reader.join()
        self._connection.close()
        lineage.end_marked(self._mark)
        for path, _ in self._tokens.values():
            Path(path).unlink(missing_ok=True)
        self._link.unlink(missing_ok=True)
        self._temporary.cleanup()

    def _read(self) -> None:
        try:
            while True:
                name, *news = self._connection.recv()
                self._take(name, news)
        except (EOFError, OSError):
            self._end()

    def _take(self, name: str, news: list[Any]) -> None:
        if name == OPENED:
            self.workers, self.nodes = news
            self._answered.set()
        elif name == REFUSED:
            (self.refused,) = news
            self._answered.set()
        elif name == UP:
            self.nodes_of[news[0]] = news[2]
            self.up[news[0]] = news[1].node
        elif name == DOWN:
            self.up.pop(news[0], None)
        else:
            self._hand_on(*news)

    def _hand_on(self, slot: int, number: int, kind: bytes, payload: bytes) -> None:
        worker = self._workers[number]
        if kind == NEED:
            for path in map(Path, pickle.loads(payload)):
                found = pieces_in(path) if path.is_dir() else pieces(path, str(path.parent), path.name)
                for piece in found:
                    self.tell((slot, ("put", piece)))
            self.tell((slot, ("put_all", number)))
        elif kind == FILE:
            written: Piece = pickle.loads(payload)
            if worker.is_wanted:
                self._writer.take(written, Path(written.folder))
        else:
            worker.receive(kind, payload)

    def _end(self) -> None:
        """Say of every worker that it is gone with the process."""
        if not self._closing:
            self._process.wait()
            why = self._how_it_ended()
            self.refused = self.refused or why
            self._answered.set()
            for worker in list(self._workers.values()):
                worker.lose(why)

    def _how_it_ended(self) -> str:
        how = platform.how_it_ended(self._process.returncode)
        last = self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join([f"the process that speaks with Ray {how}", *last])


def _short_link(folder: Path) -> Path:
    """Return a short name for a folder, in which Ray makes sockets: their names have at most 107 characters."""
    short = Path(tempfile.gettempdir())
    short = short if len(str(short)) < len("/var/tmp/") else Path("/tmp")
    for old in short.glob("hps-*"):
        if old.is_symlink() and not old.exists():
            old.unlink(missing_ok=True)
    link = short / f"hps-{secrets.token_hex(4)}"
    link.symlink_to(folder, target_is_directory=True)
    return link
