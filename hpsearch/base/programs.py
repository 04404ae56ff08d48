"""The processes that this one has started: programs, workers of a pool or of a loader of data."""

from contextlib import suppress


def running() -> frozenset[tuple[int, float]]:
    """Return those that live, and those that they started: number and time of start."""
    import psutil

    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.add((process.pid, process.create_time()))
    return frozenset(found)


def memory_of_own_tree() -> int:
    """Return the bytes that this process and those that it started use, without what they share."""
    import psutil

    own = psutil.Process()
    used = 0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):
            used += int(process.memory_full_info().uss)
    return used
