"""What the system lets this process use at most: memory, open files, the size of files, time."""

import importlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_resource: Any = None
with suppress(ImportError):  # not on Windows
    _resource = importlib.import_module("resource")
_LIMITS = tuple(getattr(_resource, name) for name in dir(_resource) if name.startswith("RLIMIT_"))


def limits() -> Mapping[int, tuple[int, int]]:
    """Return the limits of this process by number, soft and hard; none on Windows."""
    return {each: _resource.getrlimit(each) for each in _LIMITS}


def hard_limits() -> tuple[int, ...]:
    """Return the hard limits: one that was lowered stays so until the process ends, but for root."""
    return tuple(hard for _, hard in limits().values())


def set_limit(limit: int, wanted: tuple[int, int]) -> None:
    """Set a limit, soft and hard; where the hard one was lowered, which only root undoes, the soft one below it."""
    try:
        _resource.setrlimit(limit, wanted)
    except (OSError, ValueError):
        hard = _resource.getrlimit(limit)[1]
        _resource.setrlimit(limit, (min(wanted[0], hard), hard))
