"""The driver's end of one worker process."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from hpsearch.base import platform
from hpsearch.launch.frames import ALONE, BATCH, GONE, read_frame, write_frame
from hpsearch.launch.output import Output, new_mark

Inbox: TypeAlias = "queue.SimpleQueue[tuple[WorkerProcess, bytes, bytes]]"

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; sys.argv[:] = {argv!r}; "
    "from hpsearch.launch.worker import main; main({lifeline}, {mark!r})"
)
_EXIT_SEC = 5.0
_LOG_LINES = 10


class WorkerProcess:
    """One worker process, with a thread that puts every frame it sends into the driver's inbox, and GONE at its end.

    It is a plain program rather than `multiprocessing`, which would run the user's script a second time. It gets this
    process's import path, with the working folder on it, and of its command line the program's name: arguments are for
    whoever runs the program.

    Args:
        log: what it prints while it trains nothing is appended to this file; else it goes to the log of the trial.
        limit: bytes that a log may have.
        environment: its environment variables.
        inbox: where its frames go.
    """

    def __init__(self, log: Path, limit: int, environment: Mapping[str, str], inbox: Inbox) -> None:
        self._gone = False
        self._open = threading.Lock()
        self._lifeline: int | None
        lifeline, self._lifeline = platform.open_lifeline()
        mark = new_mark()
        program = _PROGRAM.format(path=_import_path(), argv=sys.argv[:1], lifeline=lifeline, mark=mark)
        self._process = platform.start_group(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=dict(environment),
            pass_fds=() if lifeline is None else (lifeline,),
        )
        assert self._process.stderr
        self._output = Output(os.dup(self._process.stderr.fileno()), mark, log, limit)
        self._process.stderr.close()
        if lifeline is not None:
            os.close(lifeline)
        self._reader = threading.Thread(target=self._read, args=(inbox,), daemon=True, name=f"read {log.stem}")
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id, which is also its process group."""
        return self._process.pid

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame; a worker that is gone does not mind, GONE follows."""
        assert self._process.stdin
        if kind == BATCH:
            self._output.between.clear()
        with self._open, suppress(OSError):
            if not self._gone:
                write_frame(self._process.stdin.fileno(), kind, payload)

    def settle(self) -> None:
        """Wait until everything is in its log that the trial printed whose end was sent."""
        self._output.between.wait(_EXIT_SEC)

    def kill(self) -> None:
        """Kill the process and everything it started."""
        if not self._gone:
            platform.kill_group(self.pid)

    def stand_still(self) -> None:
        """Let the process stand still, with everything it started."""
        platform.stop_group(self.pid)

    def go_on(self) -> None:
        """Let the process go on after it stood still, with everything it started."""
        platform.continue_group(self.pid)

    def join(self, timeout_sec: float | None = None) -> bool:
        """Wait until the process is gone; return whether it is."""
        self._reader.join(timeout_sec)
        return not self._reader.is_alive()

    def exit_report(self) -> str:
        """Return how the process ended, and the last lines that it printed."""
        head = f"worker process {self.pid} {platform.how_it_ended(self._process.returncode)}"
        return "\n".join([head, *self._output.last.splitlines()[-_LOG_LINES:]])

    def _read(self, inbox: Inbox) -> None:
        assert self._process.stdin
        assert self._process.stdout
        while frame := read_frame(self._process.stdout.fileno()):
            if frame[0] == ALONE:
                self.stand_still()
            inbox.put((self, *frame))
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_SEC)
        self.kill()
        self._process.wait()
        self._output.join(_EXIT_SEC)
        with self._open:
            self._gone = True
            self._process.stdin.close()
            self._process.stdout.close()
            if self._lifeline is not None:
                os.close(self._lifeline)
        inbox.put((self, GONE, b""))


def _import_path() -> list[str]:
    folder = str(Path.cwd())
    path = [str(Path(entry).absolute()) for entry in sys.path]
    return path if folder in path else [folder, *path]
