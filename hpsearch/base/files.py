"""Files that are either the old one or the new one, never half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpsearch.base import platform
from hpsearch.base.errors import StorageError
from hpsearch.base.leftovers import temporary_path

REPORT = "report.html"
PRINT = "print.html"
"""The report for paper."""
TABLES = ("tables.tex", "tables.md")
"""The tables of a report to be pasted, in LaTeX and in Markdown."""
LAYERS = "layers.json"
"""The artifact of a trial that says what its layers did, see `hpsearch.trial.layers`."""
LOG = "log.txt"
"""The artifact of a trial that holds what it printed in a worker process, see `hpsearch.launch.output`."""

DATABASE = "database.json"
"""It says that a study's folder is the copy of one in a database, and of which; see `hpsearch.search.shared`."""


@contextmanager
def replacement(path: Path, durable: bool = True, beside: Path | None = None) -> Iterator[Path]:
    """Write a file in one move, so that a reader, a kill or a power cut never meets half of it.

    Args:
        path: the file; its folder is made when it is missing.
        durable: wait until it is on the disk; False for a copy, which a power cut may take.
        beside: folder of the temporary file, on the same disk; None for that of the file.

    Yields:
        A temporary path for the block to write. At the end of the block it takes the file's place; after an
        error it is gone and the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path) if beside is None else temporary_path(beside / path.name)
    try:
        yield temporary
        if durable:
            _sync(temporary)
        platform.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        platform.sync_folder(path.parent)


def is_file(path: str | Path) -> bool:
    """Return whether there is such a file; no name is too long or too odd to ask, as it is for `Path.is_file`."""
    return os.path.isfile(path)  # noqa: PTH113 - a name that is too long is an error of Path


def is_folder(path: str | Path) -> bool:
    """Return whether there is such a folder, for any name."""
    return os.path.isdir(path)  # noqa: PTH112


def is_too_open(path: Path) -> bool:
    """Return whether others may read or write a file who could not if it was written now; one that is none raises."""
    umask = os.umask(0o077)  # asked for by setting it; what another thread creates meanwhile is private
    os.umask(umask)
    return bool(path.stat().st_mode & umask & 0o066)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        platform.sync_file(descriptor)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> Path:
    """Replace a text file in one move.

    Args:
        path: the file; its folder is made when it is missing.
        text: what to write, as UTF-8.

    Returns:
        The path.

    Raises:
        StorageError: the file cannot be written.
    """
    try:
        with replacement(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    return path
