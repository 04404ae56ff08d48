"""Files that are either the old one or the new one, never half of it."""

import os
import tempfile
from pathlib import Path

from hpsearch.base.errors import StorageError

REPORT = "report.html"


def replace_text(path: Path, text: str) -> Path:
    """Write a text file in one move, so that a reader or a crash never meets half of it.

    Args:
        path: the file; its folder is made when it is missing.
        text: what to write, as UTF-8.

    Returns:
        The path.

    Raises:
        StorageError: the file cannot be written.
    """
    try:
        _replace(path, text)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
