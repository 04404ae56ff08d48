"""Optuna's dashboard over a study, beside the drivers that run it: it reads the journal, and nothing here writes."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.journal import read_lines
from hpsearch.base.printed import say
from hpsearch.search.shared.store import ReadDatabase, database_of
from hpsearch.search.storage import JOURNAL_NAME

HOST = "127.0.0.1"
_READS = ("GET", "HEAD")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ReadJournal(BaseJournalBackend):
    """Optuna's journal in a file that another process writes.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logs: list[dict[str, Any]] = []
        self._offset = 0
        self._lock = threading.Lock()

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the operations from a number on that stand in whole lines by now."""
        with self._lock:
            logs, self._offset = read_lines(self._path, self._offset)
            self._logs += logs
            return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:  # noqa: ARG002
        """Refuse.

        Raises:
            StorageError: always.
        """
        raise StorageError(f"{self._path}: the dashboard reads it, and its driver alone writes")


def reading_storage(folder: Path) -> BaseStorage:
    """Return Optuna's storage of a study as it is now, and becomes; it cannot be written.

    Args:
        folder: of the study; the copy of one in a database is read from there.

    Raises:
        StorageError: it has no journal.
    """
    if (database := database_of(folder)) is not None:
        return JournalStorage(ReadDatabase(database, folder.name))
    path = folder / JOURNAL_NAME
    if not path.is_file():
        raise StorageError(f"{folder.name}: it has no {JOURNAL_NAME} to show: it is no search, or has not begun")
    return JournalStorage(ReadJournal(path))


class _Reading:
    """Lets through what reads, of browsers that were sent to this machine by its name.

    A page of somebody else's could have its own name point here, and would read along.
    """

    def __init__(self, application: Application, hosts: tuple[str, ...]) -> None:
        self._application, self._hosts = application, hosts

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_HOST") not in self._hosts:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"this dashboard is for the machine that it runs on\n"]
        if environ["REQUEST_METHOD"] not in _READS:
            start_response("405 Method Not Allowed", [("Content-Type", "text/plain"), ("Allow", ", ".join(_READS))])
            return [b"this dashboard reads only: the study's driver alone writes\n"]
        return self._application(environ, start_response)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""


def dashboard(storage: BaseStorage, port: int) -> WSGIServer:
    """Return a server of optuna-dashboard on 127.0.0.1, which reads only.

    Args:
        storage: what it shows.
        port: where; 0: one that is free.

    Raises:
        ConfigError: optuna-dashboard is not installed.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise ConfigError(
            "ui --dashboard needs optuna-dashboard, which is not installed: pip install 'hpsearch[dashboard]'"
        ) from None
    server = _Server((HOST, port), _Handler)
    hosts = tuple(f"{name}:{server.server_port}" for name in (HOST, "localhost"))
    server.set_app(_Reading(wsgi(storage), hosts))
    return server


def serve_dashboard(storage: BaseStorage, port: int, name: str) -> int:
    """Serve the dashboard until it is interrupted.

    Args:
        storage: what it shows.
        port: where.
        name: of the study, for what is printed.

    Returns:
        The exit code.
    """
    with dashboard(storage, port) as server:
        say(f"Optuna's dashboard of {name}, which reads only: http://{HOST}:{server.server_port}/{_page(storage)}")
        say("stop with Ctrl-C")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _page(storage: BaseStorage) -> str:
    """Return the page of the study; of all where none has begun."""
    names = [each.study_name for each in storage.get_all_studies()]
    return f"dashboard/studies/{storage.get_study_id_from_name(names[0])}" if names else "dashboard"
