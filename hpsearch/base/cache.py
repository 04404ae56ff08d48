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
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return (
        home / "Library/Caches" if platform.MACOS else home / "AppData/Local" if platform.WINDOWS else home / ".cache"
    )
