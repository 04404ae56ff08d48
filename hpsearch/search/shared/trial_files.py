"""The files of trials in the database: checkpoints, that another driver goes on from, and what reports show."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from hpsearch.base.errors import StorageError
from hpsearch.base.files import replacement
from hpsearch.base.inside import inside
from hpsearch.search.shared.database import Cursor

TRIALS = "trials"
"""Where the files of trials lie in a study's folder."""
PART_BYTES = 4 * 2**20
"""A file is kept in parts of this size."""


def put(cursor: Cursor, study: str, file: str, content: Path) -> None:
    """Keep a file, in the place of one that was there; one that is the same is left alone.

    Args:
        cursor: inside a transaction.
        study: its name.
        file: its path in the study's folder.
        content: where it lies.
    """
    digest, modified = digest_of(content), content.stat().st_mtime_ns
    cursor.execute(
        "select digest, modified from hpsearch.files where study = %s and file = %s and part = 0", (study, file)
    )
    if cursor.fetchone() == (digest, modified):
        return
    cursor.execute("delete from hpsearch.files where study = %s and file = %s", (study, file))
    for number, part in enumerate(_parts(content)):
        cursor.execute(
            "insert into hpsearch.files values (%s, %s, %s, %s, %s, %s)",
            (study, file, number, digest, modified, part),
        )


def get(cursor: Cursor, study: str, file: str, digest: str, modified: int, path: Path) -> None:
    """Write a file that is kept to a path, unless it is there.

    Args:
        cursor: inside a transaction.
        study: its name.
        file: its path in the study's folder.
        digest: of what it holds.
        modified: when it was written, in nanoseconds since 1970: which of several checkpoints is the newest.
        path: where to write it.

    Raises:
        StorageError: what is kept is not what was put, or it cannot be written.
    """
    if path.is_file() and digest_of(path) == digest:
        return
    try:
        with replacement(path, durable=False) as temporary, temporary.open("wb") as out:
            for number in range(_count(cursor, study, file)):
                cursor.execute(
                    "select content from hpsearch.files where study = %s and file = %s and part = %s",
                    (study, file, number),
                )
                (part,) = cursor.fetchone() or (b"",)
                out.write(part)
            out.flush()
            if digest_of(temporary) != digest:
                raise StorageError(f"{file} of study '{study}' in the database is not what was put there")
            os.utime(temporary, ns=(modified, modified))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None


def content_of(cursor: Cursor, study: str, file: str) -> bytes:
    """Return what a file that is kept holds; nothing where there is none."""
    cursor.execute("select content from hpsearch.files where study = %s and file = %s order by part", (study, file))
    return b"".join(part for (part,) in cursor.fetchall())


def fetch(cursor: Cursor, study: str, under: str, folder: Path) -> None:
    """Write the files that are kept under a path of a study's folder; others that lie there under `trials` are removed.

    Args:
        cursor: inside a transaction.
        study: its name.
        under: path in the study's folder; empty for all of it.
        folder: that stands for the study's folder here.
    """
    cursor.execute(
        "select file, digest, modified from hpsearch.files where study = %s and part = 0 and starts_with(file, %s)",
        (study, f"{under}/" if under else ""),
    )
    kept = cursor.fetchall()
    names = {file for file, _, _ in kept}
    for path in _files(folder / (under or TRIALS)):
        if path.relative_to(folder).as_posix() not in names:
            path.unlink()
    for file, digest, modified in kept:
        get(cursor, study, file, digest, modified, inside(folder, file))


def store(cursor: Cursor, study: str, under: str, folder: Path) -> None:
    """Keep the files under a path of a study's folder, and none that is not there any more.

    Args:
        cursor: inside a transaction.
        study: its name.
        under: path in the study's folder.
        folder: that stands for the study's folder here.
    """
    here = {path.relative_to(folder).as_posix(): path for path in _files(folder / under)}
    cursor.execute(
        "delete from hpsearch.files where study = %s and starts_with(file, %s) and not file = any(%s)",
        (study, f"{under}/", list(here)),
    )
    for file, path in here.items():
        put(cursor, study, file, path)


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _count(cursor: Cursor, study: str, file: str) -> int:
    cursor.execute("select count(*) from hpsearch.files where study = %s and file = %s", (study, file))
    (count,) = cursor.fetchone() or (0,)
    return int(count)


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(PART_BYTES)
        while part := file.read(PART_BYTES):
            yield part


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
