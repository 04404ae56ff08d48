"""The driver's end of one worker process."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

from hpsearch.base import lineage, lookup, platform
from hpsearch.base.forks import Process
from hpsearch.base.threads import start_thread
from hpsearch.launch.frames import ALONE, GARBLED, GONE, read_frame, write_frame
from hpsearch.launch.output import Output, new_mark
from hpsearch.launch.slot import Inbox
from hpsearch.launch.template import Ends, Template, pipes

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; sys.argv[:] = {argv!r}; {ours}"
    "from hpsearch.launch.worker import main; main({lifeline}, {mark!r}, {module!r}, {requests})"
)
_EXIT_SEC = 5.0
_LOG_LINES = 16


class WorkerProcess:
    """One worker process, with a thread that puts every frame it sends into the driver's inbox, and GONE at its end.

    It is a plain program rather than `multiprocessing`, which would run the user's script a second time. It gets this
    process's import path, with the working folder on it, this package from where this process has it, and of its
    command line the program's name: arguments are for
    whoever runs the program.

    Args:
        log: what it prints while it trains nothing is appended to this file; else it goes to the log of the trial
            whose turn it is.
        limit: bytes that a log may have.
        environment: its environment variables.
        inbox: where its frames go.
        module: imported at once, and its `preload` called, before the worker is told what to train.
        template: forks the process, with the environment of its own; without one, or where it cannot, the process
            imports by itself.
        forks: whether the process is a template itself, see `template`, until that is closed.

    Attributes:
        inbox: where its frames go.
        started_by: the mark in its environment, see `hpsearch.base.lineage`; empty for none.
        template: the connection to the process while it forks others.
    """

    def __init__(
        self,
        log: Path,
        limit: int,
        environment: Mapping[str, str],
        inbox: Inbox,
        module: str = "",
        template: Template | None = None,
        forks: bool = False,
    ) -> None:
        self.inbox = inbox
        self._gone = self._unwanted = self._garbled = False
        self._open = threading.Lock()
        self._environment, self._module = environment, module
        self.started_by = environment.get(lineage.MARK, "").rpartition(" ")[2]
        self._mark = new_mark()
        self._ours, theirs = pipes()
        self._started = threading.Event()
        self._process: Process
        self.template: Template | None = None
        if template is None:
            with Template.connected() if forks else nullcontext((None, None)) as (self.template, requests):
                self._process = self._spawn(theirs, requests)
            theirs.close()
            self._started.set()
        self._output = Output(self._ours.output, self._mark, log, limit)
        self._reader = start_thread(self._run, template, theirs, name=f"read {log.stem}")

    @property
    def pid(self) -> int:
        """The process id, which is also its process group."""
        self._started.wait()
        return self._process.pid

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"worker process {self.pid}"

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame; a worker that is gone does not mind, GONE follows."""
        with self._open, suppress(OSError):
            if not self._gone:
                write_frame(self._ours.commands, kind, payload)

    def log_to(self, log: Path, limit: int) -> None:
        """Append what it prints while it trains nothing to another file from now on."""
        self._output.log_to(log, limit)

    def settle(self, marks: int) -> None:
        """Wait until everything is in its log that the trials printed whose ends were sent after so many marks."""
        self._output.wait_for(marks, _EXIT_SEC)

    def kill(self) -> None:
        """Kill the process and everything it started."""
        self._unwanted = True
        if self._started.is_set() and not self._gone:
            lineage.kill_tree(self.pid)

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
        how = platform.how_it_ended(self._process.returncode)
        if self._garbled:
            how = "was killed: something wrote into the pipe for its messages"
        head = f"{self.title} {how}"
        return "\n".join([head, *self._output.last.splitlines()[-_LOG_LINES:]])

    def _spawn(self, theirs: Ends, requests: socket.socket | None) -> "subprocess.Popen[bytes]":
        """Start a process that imports by itself."""
        number = None if requests is None else requests.fileno()
        program = _PROGRAM.format(
            path=import_path(),
            argv=sys.argv[:1],
            ours=lookup.from_home(),
            lifeline=theirs.lifeline,
            mark=self._mark,
            module=self._module,
            requests=number,
        )
        return platform.start_group(
            [sys.executable, "-P", "-c", program],
            stdin=theirs.commands,
            stdout=theirs.messages,
            stderr=theirs.output,
            env=dict(self._environment),
            pass_fds=[fd for fd in (theirs.lifeline, number) if fd is not None],
        )

    def _run(self, template: Template | None, theirs: Ends) -> None:
        if template is not None:
            self._process = template.fork(theirs, self._mark) or self._spawn(theirs, None)
            theirs.close()
        self._started.set()
        if self._unwanted:
            self.kill()
        while frame := read_frame(self._ours.messages):
            if frame[0] == GARBLED:
                self._garbled = True
                self.kill()
                break
            if frame[0] == ALONE:
                self.stand_still()
            self.inbox.put((self, *frame))
        self._end(self._process)
        self.inbox.put((self, GONE, b""))

    def _end(self, process: Process) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_EXIT_SEC)
        self.kill()
        process.wait()
        self._output.join(_EXIT_SEC)
        with self._open:
            self._gone = True
            os.close(self._ours.commands)
            os.close(self._ours.messages)
            if self._ours.lifeline is not None:
                os.close(self._ours.lifeline)


def import_path() -> list[str]:
    """Return where this process looks for modules, the working folder among it: last, if no script says else."""
    folder = str(Path.cwd())
    path = [str(Path(entry).absolute()) for entry in sys.path]
    return path if folder in path else [*path, folder]
