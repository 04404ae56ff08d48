"""Bounds for tests of files that would take all memory or hang."""

import resource
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bounded_memory(more: int):
    """Let this process take so many bytes of memory more inside the block, on Linux."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
