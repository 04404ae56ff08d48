"""Where MLflow keeps what it is sent: the store's address and first creation, a study's experiment, calls to it."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hpsearch.base.borrowed import environment, quiet, still_quiet, unheard
from hpsearch.base.cache import has_home
from hpsearch.base.errors import StorageError
from hpsearch.base.files import replacement
from hpsearch.base.leftovers import remove_lock, sweep_once
from hpsearch.base.passwords import shown_address, without_password
from hpsearch.tracking.mlflow_internals import SPEAK, UNVERIFIED, schema_head, sqlite_uri
from hpsearch.tracking.moved import follow
from hpsearch.tracking.template import write_empty_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks")
LOCK_TIMEOUT_SEC = 120.0
CHECK_TIMEOUT_SEC = 0.5
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",  # it would draw from the generator that trials draw from
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
"""What MLflow's client reads from the environment for a server."""
_NO_HOME = "/nonexistent"
"""As Debian calls the home of users who have none."""
_LONGEST = 504
"""Bytes of the path of a database: SQLite takes 512, and names a journal beside it."""


@contextmanager
def settings(timeout_sec: float = 10.0) -> Iterator[None]:
    """Let MLflow be silent inside the block, and quick to give up on a server; what the user has set stays.

    MLflow cannot be imported where a user has no home, as in a container without a line for the user: there it gets one
    that is not there.

    Args:
        timeout_sec: of one request.

    Yields:
        Nothing.
    """
    home = {} if has_home() else {"HOME": _NO_HOME}
    timeout = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(timeout_sec)))}
    with environment({**ENVIRONMENT, **timeout, **home}), quiet(SPEAK), unheard(UNVERIFIED):
        yield


def store_uri(uri: str | None) -> str:
    """Return the absolute address of a tracking store.

    Args:
        uri: as the user gave it; None for `sqlite:///mlflow.db` in the working folder.

    Returns:
        The address, a SQLite file by its absolute path.

    Raises:
        StorageError: MLflow has no such kind of store, or it is one that loses data.
    """
    uri = uri or "sqlite:///mlflow.db"
    scheme = re.split(r"[+:]", uri, maxsplit=1)[0]
    if scheme not in SCHEMES:
        raise StorageError(
            f"tracker.uri: '{shown_address(uri)}' is no tracking store; give sqlite:///FILE, http://HOST:PORT or postgresql://..."
        )
    path = sqlite_path(uri)
    return uri if path is None else sqlite_uri(path)


def one_line(error: Exception) -> str:
    """Return what went wrong in MLflow in one line, which its own messages are not, without secrets of addresses."""
    text = without_password(" ".join(str(error).split())) or type(error).__name__
    if found := re.search(r"certificate verify failed: ([\w -]+)", text):
        why = found[1].strip()
        return (
            f"the server's certificate is not trusted ({why}): {CERTIFICATE} names its file, or that of who signed it"
        )
    if "error code 401" in text:
        if not os.environ.get(USERNAME):
            return f"the server asks for a name and password: set {USERNAME} and {PASSWORD}"
        return f"the server refuses the name or password of {USERNAME} and {PASSWORD}"
    if "HTTPConnectionPool" in text or "HTTPSConnectionPool" in text:
        return "the server does not answer"
    return text if len(text) <= 300 else f"{text[:299]}…"


@contextmanager
def one_line_errors(uri: str) -> Iterator[None]:
    """Turn whatever MLflow raises in the block into one line.

    Args:
        uri: absolute address of the store.

    Yields:
        Nothing.

    Raises:
        StorageError: the store did not do what it was asked for.
    """
    try:
        with settings():
            yield
    except StorageError:
        raise
    except Exception as error:  # MLflow raises whatever its HTTP and SQL layers raise
        raise StorageError(f"MLflow at {without_password(uri)}: {one_line(error)}") from error


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute file of an SQLite store, None for another kind.

    Raises:
        StorageError: it names no file.
    """
    if not uri.startswith("sqlite:"):
        return None
    name = re.sub(r"^sqlite:/{0,3}", "", uri)
    if not name or name == ":memory:":
        raise StorageError(f"tracker.uri: '{uri}' names no file; give sqlite:///FILE")
    return Path(unquote(name)).absolute()


def artifact_root(artifacts: str | None, uri: str) -> Path:
    """Return the absolute folder of the artifacts of an embedded store.

    Args:
        artifacts: as the user gave it; None for `mlartifacts` beside an SQLite file, else in the working folder.
        uri: absolute address of the store.
    """
    if artifacts is not None:
        return Path(artifacts).absolute()
    path = sqlite_path(uri)
    return (Path.cwd() if path is None else path.parent) / "mlartifacts"


def check_store(uri: str) -> None:
    """Refuse an embedded store that cannot be used; one that is locked, like a server, is allowed to be away.

    Raises:
        StorageError: no such folder, no right to write, no SQLite file, or one of another version of MLflow.
    """
    path = sqlite_path(uri)
    if path is None:
        return
    if (size := len(os.fsencode(path))) > _LONGEST:
        raise StorageError(
            f"tracker.uri: the path of {path.name} has {size} bytes, and SQLite takes {_LONGEST}: work in a "
            f"folder with a shorter path, give tracker.uri=sqlite:////SHORTER/{path.name}, or tracker=none"
        )
    if not path.exists() or path.stat().st_size == 0:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise StorageError(f"tracker.uri: cannot create {path}: {path.parent} cannot be written or does not exist")
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageError(f"tracker.uri: no right to read and write {path}")
    try:
        found, head = _schema(path), schema_head()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return
        raise StorageError(f"tracker.uri: cannot read {path}: {error}") from error
    if found is None:
        raise StorageError(f"tracker.uri: {path} is no MLflow store, or one that was not finished; move it away")
    if found != head:
        raise StorageError(
            f"tracker.uri: {path} was made by another version of MLflow (schema {found}, installed {head}); "
            f"copy it and run `mlflow db upgrade {uri}`, or use another store"
        )


def _schema(path: Path) -> str | None:
    connection = sqlite3.connect(path, timeout=CHECK_TIMEOUT_SEC)
    try:
        if not connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()
    return str(row[0]) if row else None


def create_store(uri: str, artifacts: Path) -> None:
    """Create an SQLite store when there is none; any number of processes may do so at once.

    MLflow builds its schema in the open: two processes at once, or a kill in the middle, leave a file that no MLflow
    opens again. So it is built, or copied, under a lock, in a file of its own, which is renamed when it is finished.
    In one that is there already, artifacts are found where they lie now, see `hpsearch.tracking.moved`.

    Raises:
        StorageError: another process holds the lock for too long, or the file cannot be written.
    """
    path = sqlite_path(uri)
    if path is None:
        return
    if _filled(path):
        tidy(path)
        _follow(path)
        return
    from filelock import FileLock, Timeout

    try:
        with FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_SEC):
            if not _filled(path):
                _build(path, artifacts)
            Path(f"{path}.lock").unlink(missing_ok=True)
    except Timeout as error:
        raise StorageError(f"another process holds {path}.lock since {LOCK_TIMEOUT_SEC:.0f} s") from error
    except OSError as error:
        raise StorageError(f"cannot create {path}: {error.strerror or error}") from error


def tidy(path: Path) -> None:
    """Remove what killed processes left beside an SQLite store, whose own files are left to SQLite.

    A journal is what a cut transaction is rolled back by: reading does that. One that was cut before it held anything
    goes with the next transaction, which here changes nothing.
    """
    sweep_once(path.parent)
    remove_lock(Path(f"{path}.lock"))
    if not any(Path(f"{path}{ending}").exists() for ending in ("-journal", "-wal")):
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=CHECK_TIMEOUT_SEC, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {int(version)}")
        db.execute("COMMIT")


def _follow(path: Path) -> None:
    """Let artifacts be found where they lie now; what is no store of MLflow's is left to `check_store`."""
    try:
        follow(path)
    except sqlite3.Error as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise StorageError(f"cannot use {path}: {error}") from error


def _filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _build(path: Path, artifacts: Path) -> None:
    sweep_once(path.parent)
    with replacement(path) as temporary, settings():
        write_empty_store(temporary, (artifacts / "Default").as_uri())


def connect(uri: str, artifacts: Path) -> "MlflowClient":
    """Return a client of a store, which is created when it is embedded and not there yet."""
    with settings():
        from mlflow import MlflowClient

        still_quiet(SPEAK)
        create_store(uri, artifacts)
        return MlflowClient(tracking_uri=uri)


def search(client: "MlflowClient", experiment: str, query: str = "") -> "list[Run]":
    """Return every run of an experiment that a query finds, deleted ones too, the oldest first."""
    from mlflow.entities import ViewType

    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], query, ViewType.ALL, 1000, ["attributes.start_time ASC"], token)
        found += page
        token = page.token
        if not token:
            return found
