"""Waiting that has an end: what does not come in time fails the test, with what came instead."""

import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

from hpsearch.launch.base import Launcher, LauncherEvent

WITHIN_SEC = 120.0
"""Long enough for a busy machine, and for Ray to notice that a node is gone; a test's own limit is 300 s."""

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    within_sec: float = WITHIN_SEC,
    look_sec: float = 0.02,
    said: Callable[[], object] = lambda: "",
) -> T:
    """Wait until a condition holds and return what it returned; `said` is shown where it does not."""
    deadline = time.monotonic() + within_sec
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_sec:g} s: {said()}"
        time.sleep(look_sec)
    return found


def events_until(
    launcher: Launcher,
    condition: Callable[[list[LauncherEvent]], object],
    decide: Callable[[LauncherEvent], None] = lambda event: None,
    within_sec: float = WITHIN_SEC,
) -> list[LauncherEvent]:
    """Return what happens until a condition of it holds."""
    events, deadline = list[LauncherEvent](), time.monotonic() + within_sec
    while not condition(events):
        assert time.monotonic() < deadline, f"not within {within_sec:g} s, but {events}"
        for event in launcher.poll(0.5):
            events.append(event)
            decide(event)
    return events


def kill_when(
    process: "subprocess.Popen[Any]",
    condition: Callable[[], object],
    within_sec: float = 200.0,
    look_sec: float = 0.05,
) -> None:
    """Kill a process when a condition holds or it has ended; also where neither comes, which fails the test."""
    try:
        wait_until(lambda: process.poll() is not None or condition(), within_sec, look_sec)
    finally:
        process.kill()
