"""The processes that this one has started: programs, workers of a pool or of a loader of data."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

REPORTS = "reports.jsonl"
"""The file in a trial's folder to which what runs inside a program appends its reports, a line of JSON each."""
ASKED = "checkpoint"
"""What such a line says once the program has asked for a checkpoint."""
ENVIRONMENT = "HPSEARCH_"
"""What the environment variables begin with that a program is given."""


def running() -> frozenset[tuple[int, float]]:
    """Return those that live, and those that they started: number and time of start."""
    import psutil

    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.add((process.pid, process.create_time()))
    return frozenset(found)


@contextmanager
def ends_children_of(process: int) -> Iterator[None]:
    """End a child that code forked inside as it leaves: it would go on as a second one of its parent.

    Args:
        process: the number of the one that may leave.

    Yields:
        Nothing.
    """
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        if os.getpid() != process:
            code = error.code if isinstance(error, SystemExit) else error
            if error is not None and not isinstance(error, SystemExit):
                traceback.print_exception(error)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else int(code is not None))


def memory_of_own_tree() -> int:
    """Return the bytes that this process and those that it started use, without what they share."""
    import psutil

    own = psutil.Process()
    used = 0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):
            used += int(process.memory_full_info().uss)
    return used
