"""The time of day, of which no interval is negative or a jump: a clock that is set while processes run changes nothing.

A driver reads the system's clock once and counts on from there by the time since the system started, sleep included,
which nobody sets. The processes that it starts on the same machine count on from the same reading.
"""

import os
import time

from hpsearch.base import platform

VARIABLE = "HPSEARCH_CLOCK"
"""Tells the processes that are started from here this run of the system, and the time of day when it started."""


def time_of_day() -> float:
    """Return the time of day as it is counted on here, in seconds since the Unix epoch."""
    return _began() + _running()


def restart() -> None:
    """Read the system's clock anew, for this process and those that are told of it from here on."""
    global _known
    _known = time.time() - _running()


def told() -> dict[str, str]:
    """Return what the environment of a process that is started from here says of it."""
    return {} if _known is None else {VARIABLE: f"{platform.boot_id()} {_known!r}"}


_known: float | None = None


def _began() -> float:
    """Return the time of day when the system started, by what was first read of its clock."""
    if _known is None:
        boot, _, began = os.environ.get(VARIABLE, "").partition(" ")
        if boot == platform.boot_id():
            return _keep(float(began))
        restart()
    assert _known is not None
    return _known


def _keep(began: float) -> float:
    global _known
    _known = began
    return began


def _running() -> float:
    """Return the seconds since the system started, those in which it slept included where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
