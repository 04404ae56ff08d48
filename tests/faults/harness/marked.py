"""The processes of a run: those whose environment carries its mark, detached ones too."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

MARK = "HPSEARCH_FAULT"
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


def marked(mark: str) -> list[psutil.Process]:
    """Return the living processes that were started, however indirectly, with the mark in their environment."""
    return [process for process in psutil.process_iter() if _has(process, mark)]


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except GONE:
        return False


def command(process: psutil.Process) -> str:
    """Return the words of a process, empty when it has gone."""
    try:
        return " ".join(process.cmdline())
    except GONE:
        return ""


def send(processes: Iterable[psutil.Process], number: int = signal.SIGKILL) -> None:
    """Send all of them a signal, at once."""
    for process in processes:
        with suppress(*GONE):
            process.send_signal(number)


def limit(processes: Iterable[psutil.Process], what: int, most: int) -> None:
    """Give all of them a limit, one of `resource.RLIMIT_...`."""
    for process in processes:
        with suppress(*GONE):
            process.rlimit(what, (most, most))


def wait_gone(mark: str, limit_sec: float) -> list[psutil.Process]:
    """Wait until no process has the mark, and return those that still live at the limit."""
    deadline = time.monotonic() + limit_sec
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def end_all(mark: str) -> None:
    """Kill whatever has the mark: what a fault leaves behind must not disturb the next."""
    while left := [process for process in marked(mark) if process.pid != os.getpid()]:
        send(left)
        time.sleep(0.05)
