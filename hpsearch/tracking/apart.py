"""A sender in a process of its own, where sending would take much of the driver's time: they share Python's lock."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from hpsearch.base import lookup, platform
from hpsearch.base.threads import start_thread
from hpsearch.tracking import store
from hpsearch.tracking.events import STUDY
from hpsearch.tracking.sender import Sender

MUCH, MEASURED_SEC = 0.1, 20.0
"""The share of a core that a thread may take for sending, over so many seconds."""
TOGETHER = 256
"""Event files of one request; before each it is asked whether there is time for it."""
_PROGRAM = "import sys; sys.path[:] = {path!r}; {ours}from hpsearch.tracking.apart import serve; serve()"


class Load:
    """How much of a core sending takes.

    Args:
        clock: in seconds.
        spent: processor time of sending so far; by default that of the thread that asks.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, spent: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock, self._spent = clock, spent
        self._since = clock(), spent()

    def is_much(self) -> bool:
        """Return whether it was more than `MUCH` since this was last found out, `MEASURED_SEC` ago or more."""
        now, spent = self._clock(), self._spent()
        if (sec := now - self._since[0]) < MEASURED_SEC:
            return False
        share = (spent - self._since[1]) / sec
        self._since = now, spent
        return share > MUCH


class SenderApart:
    """A `Sender` in a process of its own, which ends when this one does, in the middle of what it sends: it may.

    Args:
        folder: the study's folder.
        uri: absolute address of the store.
        artifacts: folder of the artifacts of an embedded store.
        artifact_mib: larger files of a trial stay in its folder.
        timeout_sec: of one request to a server.

    Attributes:
        problem: one line that says why the last lines did not arrive, or None.
        spent: processor time of the process, in seconds.
        is_gone: whether it has ended by itself, so that nothing is sent any more.
    """

    def __init__(self, folder: Path, uri: str, artifacts: Path, artifact_mib: float, timeout_sec: float) -> None:
        self.problem: str | None = None
        self.spent, self.is_gone = 0.0, False
        program = _PROGRAM.format(path=lookup.elsewhere(), ours=lookup.from_home())
        self._process = platform.start_group(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with suppress(OSError):  # it is gone, which is found out when it is asked to send
            self._say([str(folder), uri, str(artifacts), artifact_mib, timeout_sec])

    def send(self, names: Iterable[str], enough: Callable[[], bool] = lambda: False) -> set[str]:
        """Send the new lines of event files; see `Sender.send`."""
        ordered = sorted(names, key=lambda name: (name != STUDY, name))
        left = set(ordered)
        try:
            for start in range(0, len(ordered), TOGETHER):
                if enough():
                    break
                part = ordered[start : start + TOGETHER]
                unsent, self.problem, self.spent = self._answer(part)
                left = left.difference(part).union(unsent)
                if unsent:
                    break
        except (OSError, ValueError):
            self.is_gone = True
            self.problem = f"the process that sends to MLflow {platform.how_it_ended(self._process.wait())}"
        return left

    def close(self) -> None:
        """End the process; what it was sending is sent again by the next one."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _answer(self, part: list[str]) -> Any:
        assert self._process.stdout is not None
        self._say(part)
        return json.loads(self._process.stdout.readline())

    def _say(self, words: list[Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        self._process.stdin.flush()


def serve() -> None:
    """Send what each line of the input names, and answer with what has not arrived, why, and the time it took so far.

    The first line holds what a `Sender` is made of. Whatever else the process prints goes nowhere.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    folder, uri, artifacts, artifact_mib, timeout_sec = json.loads(sys.stdin.buffer.readline())
    asked: SimpleQueue[list[str]] = SimpleQueue()
    start_thread(_receive, asked, name="requests")
    with store.settings(timeout_sec):
        sender = Sender(Path(folder), uri, Path(artifacts), artifact_mib)
        while True:
            left = sender.send(asked.get())
            answers.write(json.dumps([sorted(left), sender.problem, time.process_time()]).encode() + b"\n")
            answers.flush()


def _receive(asked: "SimpleQueue[list[str]]") -> None:
    """Take requests; without the driver nothing is sent, whatever is under way: the next one may be there already."""
    for line in sys.stdin.buffer:
        asked.put(json.loads(line))
    os._exit(0)
