"""Processes that are forked, where that is safe, and adopted by the one that asked for them."""

import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from hpsearch.base import platform

_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37  # of Linux's prctl(2)
_WAIT_SEC = 0.01


class Process(Protocol):
    """What is asked of a process that was started here, as of one of `subprocess`."""

    pid: int
    returncode: int | None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code, and take longer than `timeout` for a TimeoutExpired."""


class AdoptedProcess:
    """A process that this one adopted.

    Args:
        pid: its id.

    Attributes:
        returncode: how it ended, as `subprocess.Popen` has it; None while it runs.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Returns:
            Its exit code.

        Raises:
            TimeoutExpired: of `subprocess`, after so many seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, 0 if deadline is None else os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            else:
                time.sleep(_WAIT_SEC)
        return self.returncode


def forks_safely() -> bool:
    """Return whether a process may fork another that goes on with what it has imported.

    Linux alone: the system libraries of macOS do not survive it, and Windows has no fork.
    """
    return platform.LINUX


def has_one_thread() -> bool:
    """Return whether this process has no other thread, of a library either, whose locks a fork would leave closed."""
    return len(list(Path("/proc/self/task").iterdir())) == 1


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of processes whose own parent ends inside, so that their ends are known here; Linux alone."""
    prctl, before = ctypes.CDLL(None).prctl, ctypes.c_int()
    prctl(_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, from now on; Linux alone."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def adopted(pid: int) -> AdoptedProcess | None:
    """Return a process that was adopted; one that was not is killed, as nobody here would hear of its end."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        platform.kill_group(pid)
        return None
    return AdoptedProcess(pid)
