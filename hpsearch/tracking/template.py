"""An empty MLflow store in the user's cache folder, which new stores are copied from: to build one takes two seconds.

MLflow builds it once for each of its versions. It is kept packed: a file that is cut or damaged does not unpack, and is
built again.
"""

import gzip
import sqlite3
import time
import zlib
from contextlib import closing
from pathlib import Path

from hpsearch.base.cache import cache_folder
from hpsearch.base.files import replacement
from hpsearch.base.leftovers import remove_lock, sweep_once, temporary_folder
from hpsearch.tracking.mlflow_internals import build_schema, installed_version, schema_head, sqlite_uri

LOCK_TIMEOUT_SEC = 120.0
_MOVE = "UPDATE experiments SET artifact_location = ?, creation_time = ?, last_update_time = ? WHERE experiment_id = 0"


def template_file() -> Path | None:
    """Return where the empty store of the installed MLflow is kept; None where there is no folder for it."""
    folder, version = cache_folder(), installed_version()
    return folder / "hpsearch" / f"mlflow-{version}-{schema_head()}.db.gz" if folder and version else None


def write_empty_store(path: Path, artifacts: str) -> None:
    """Write an empty store, from the template where there can be one.

    Args:
        path: of a file that does not exist yet.
        artifacts: address of the folder of its first experiment's artifacts.
    """
    content = _template()
    if content is None:
        build_schema(sqlite_uri(path), artifacts)
        return
    path.write_bytes(content)
    now = round(time.time() * 1000)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(_MOVE, (f"{artifacts}/0", now, now))


def _template() -> bytes | None:
    """Return the content of an empty store, which is built first unless it is kept; None where it cannot be kept."""
    file = template_file()
    if file is None:
        return None
    kept = _unpacked(file)
    lock = file.with_name(f"{file.name}.lock")
    if kept is not None:
        remove_lock(lock)
        return kept
    from filelock import FileLock, Timeout

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK_TIMEOUT_SEC):
            content = _unpacked(file)  # another process may have built it meanwhile
            if content is None:
                content = _build(file)
            lock.unlink(missing_ok=True)
            return content
    except (OSError, Timeout):
        return None


def _unpacked(file: Path) -> bytes | None:
    try:
        return gzip.decompress(file.read_bytes()) or None
    except (OSError, EOFError, zlib.error):
        return None


def _build(file: Path) -> bytes:
    sweep_once(file.parent)
    with temporary_folder() as folder:
        path = Path(folder) / "mlflow.db"
        build_schema(sqlite_uri(path), path.parent.as_uri())
        content = path.read_bytes()
    with replacement(file) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0))
    return content
