"""Where MLflow keeps what it is sent: the store's address and first creation, a study's experiment, calls to it."""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from hpsearch.base.errors import StorageError
from hpsearch.base.files import replacement
from hpsearch.base.passwords import without_password
from hpsearch.tracking.mlflow_internals import build_schema, schema_head
from hpsearch.tracking.runs import SUPERSEDED, UID, Metric, ms

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks")
LOCK_TIMEOUT_SEC = 120.0
CHECK_TIMEOUT_SEC = 0.5
METRICS_PER_CALL, OTHERS_PER_CALL = 800, 100  # a server takes 1000 items in all
WITHDRAWN = "KILLED"
"""Status of a run in whose place there is another one."""
FINAL = frozenset({"FINISHED", "FAILED", "KILLED"})
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def set_environment(timeout_sec: float = 10.0) -> None:
    """Make MLflow in this process silent, and quick to give up on a server; what the user has set stays."""
    for name, value in {**ENVIRONMENT, "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(timeout_sec)))}.items():
        os.environ.setdefault(name, value)


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
            f"tracker.uri: '{without_password(uri)}' is no tracking store; give sqlite:///FILE, http://HOST:PORT or postgresql://..."
        )
    path = sqlite_path(uri)
    return uri if path is None else sqlite_uri(path)


def sqlite_uri(path: Path) -> str:
    """Return the address of an SQLite file, whatever characters its path holds."""
    return f"sqlite:///{quote(str(path), safe='/ ', errors='surrogateescape')}"


def one_line(error: Exception) -> str:
    """Return what went wrong in MLflow in one line, which its own messages are not."""
    text = " ".join(str(error).split()) or type(error).__name__
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


def artifact_root(artifacts: str | None) -> Path:
    """Return the absolute folder of the artifacts of an embedded store."""
    return Path(artifacts or "mlartifacts").absolute()


def check_store(uri: str) -> None:
    """Refuse an embedded store that cannot be used; one that is locked, like a server, is allowed to be away.

    Raises:
        StorageError: no such folder, no right to write, no SQLite file, or one of another version of MLflow.
    """
    path = sqlite_path(uri)
    if path is None:
        return
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
    opens again. So it is built under a lock, in a file of its own, which is renamed when it is finished.

    Raises:
        StorageError: another process holds the lock for too long, or the file cannot be written.
    """
    path = sqlite_path(uri)
    if path is None or _filled(path):
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


def _filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _build(path: Path, artifacts: Path) -> None:
    for leftover in path.parent.glob(f"{path.name}.*.new*"):
        leftover.unlink()
    with replacement(path) as temporary:
        build_schema(sqlite_uri(temporary), (artifacts / "Default").as_uri())


def connect(uri: str, artifacts: Path) -> "MlflowClient":
    """Return a client of a store, which is created when it is embedded and not there yet."""
    set_environment()
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    create_store(uri, artifacts)
    return MlflowClient(tracking_uri=uri)


def experiment_id(client: "MlflowClient", uri: str, name: str, artifacts: Path) -> str:
    """Return the experiment of a study; it is created, or brought back when it was deleted."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if uri.startswith(("http", "databricks")) else (artifacts / name).as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
            assert found is not None
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


@dataclass(frozen=True, slots=True)
class ExperimentWriter:
    """Writes runs of one study's experiment, in calls as large as the store takes.

    Attributes:
        client: of the store.
        experiment: id of the study's experiment.
        folder: the study's folder, which artifact paths are relative to.
    """

    client: "MlflowClient"
    experiment: str
    folder: Path

    def log(
        self,
        run: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log values in as few calls as the store takes; logging the same ones again changes nothing."""
        from mlflow import entities

        values = [entities.Metric(*metric) for metric in metrics]
        words = [entities.Param(*pair) for pair in (params or {}).items()]
        labels = [entities.RunTag(*pair) for pair in (tags or {}).items()]
        longest = max(-(-len(values) // METRICS_PER_CALL), -(-max(len(words), len(labels)) // OTHERS_PER_CALL))
        for call in range(longest):
            many = slice(call * METRICS_PER_CALL, (call + 1) * METRICS_PER_CALL)
            some = slice(call * OTHERS_PER_CALL, (call + 1) * OTHERS_PER_CALL)
            self.client.log_batch(run, values[many], words[some], labels[some])

    def yaml(self, run: str, value: Mapping[str, Any], file: str) -> None:
        """Log nested plain containers as a YAML artifact."""
        import yaml

        self.text(run, yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True), file)

    def text(self, run: str, content: str, file: str) -> None:
        """Log a text as an artifact."""
        self.client.log_text(run, content, file)

    def file(self, run: str, path: Path, to: str = "", limit_bytes: float = float("inf")) -> None:
        """Log a file of the study's folder as an artifact; one that is gone or too large is left out."""
        source = self.folder / path
        if source.is_file() and source.stat().st_size <= limit_bytes:
            self.client.log_artifact(run, str(source), None if to in ("", ".") else to)

    def withdraw(self, run: str) -> None:
        """Take a run out of what is read: another one has taken its place."""
        self.client.set_tag(run, SUPERSEDED, "true")
        self.client.set_terminated(run, WITHDRAWN)

    def status(self, run: str, status: str, ended: float | None = None) -> None:
        """Set a run's status; a final one takes the time it ended."""
        if status in FINAL and ended is not None:
            self.client.set_terminated(run, status, ms(ended))
        else:
            self.client.update_run(run, status=status)


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


def supersede_runs(client: "MlflowClient", experiment: str, keep: str, before: float) -> None:
    """Tag the runs of an experiment as superseded; queries skip them.

    Args:
        client: of the store.
        experiment: whose runs.
        keep: uid of the study whose runs stay.
        before: when that study was started, in seconds since the Unix epoch; younger runs belong to a later one.
    """
    old = [
        run.info.run_id
        for run in search(client, experiment)
        if run.data.tags.get(UID) not in (None, keep)
        and SUPERSEDED not in run.data.tags
        and run.info.start_time < ms(before)
        and run.info.lifecycle_stage == "active"
    ]
    for run in old:
        client.set_tag(run, SUPERSEDED, "true")
