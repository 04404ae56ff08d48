"""Where the user's system keeps what can be made again."""

import os
from pathlib import Path

from hpsearch.base import platform


def cache_folder() -> Path | None:
    """Return the user's folder for what can be made again; None where there is no home.

    Linux: ``XDG_CACHE_HOME``, if it is absolute, or ``~/.cache``. macOS: ``~/Library/Caches``. Windows:
    ``LOCALAPPDATA``.
    """
    told = Path(os.environ.get("LOCALAPPDATA" if platform.WINDOWS else "XDG_CACHE_HOME", ""))
    if told.is_absolute() and not platform.MACOS:
        return told
    if not has_home():
        return None
    home = Path.home()
    return (
        home / "Library/Caches" if platform.MACOS else home / "AppData/Local" if platform.WINDOWS else home / ".cache"
    )


def has_home() -> bool:
    """Return whether the user has a home: not where neither ``HOME`` nor the list of users names one."""
    try:
        Path.home()
    except RuntimeError:
        return False
    return True
