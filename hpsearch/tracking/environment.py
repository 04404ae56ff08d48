"""Where a study ran: code version, software, machine."""

from pathlib import Path


def git_state(folder: Path) -> dict[str, str | bool]:
    """Return ``commit``, ``branch`` and ``dirty`` of the checkout a folder is in; empty when it is in none."""
    raise NotImplementedError


def environment() -> dict[str, str | int | float]:
    """Return versions of Python and the libraries, host name, processor, cores, memory and GPUs; without torch."""
    raise NotImplementedError
