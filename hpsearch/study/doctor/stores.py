"""Whether tracking stores answer, and which data are at hand."""

import http.client
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from hpsearch.base.cache import cache_folder
from hpsearch.base.commands import command
from hpsearch.base.errors import StorageError
from hpsearch.base.passwords import without_password
from hpsearch.base.words import shown_path
from hpsearch.study.doctor.findings import Finding, note, ok, problem
from hpsearch.study.doctor.places import mending
from hpsearch.tracking import store
from hpsearch.tracking.mlflow_internals import schema_head

ANSWER_SEC = 1.0
"""How long a server may take to answer."""
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433, "http": 80, "https": 443}
_SYSTEM_DATA = Path("/usr/share/datasets")
_SHOWN = 8


def tracker_of(words: Sequence[str], config_dirs: Sequence[str | Path]) -> Mapping[str, Any]:
    """Return where words and folders of the user's own say that runs go; nothing of a record is asked."""
    if not words and not config_dirs:
        return {"uri": None, "artifacts": None}
    from hpsearch.study.specs import compose_place

    tracker: dict[str, Any] = compose_place("doctor", words, config_dirs, ("tracker",)).config["tracker"]
    return tracker


def stores(tracker: Mapping[str, Any], words: Sequence[str]) -> Iterator[Finding]:
    """Yield whether the tracking store can be used.

    Args:
        tracker: its part of a configuration.
        words: of the command line that name it.
    """
    if "uri" not in tracker:
        yield ok("store", "no tracking store (tracker=none): the event files are the record")
        return
    try:
        uri = store.store_uri(tracker["uri"])
        path = store.sqlite_path(uri)
        yield from _server(uri, words) if path is None else _file(path, uri)
    except StorageError as error:
        yield problem("store", str(error), "or give another store: tracker.uri=sqlite:///FILE, tracker=none")


def _file(path: Path, uri: str) -> Iterator[Finding]:
    if not path.exists():
        yield ok("store", f"{shown_path(path)} is not there yet; the first study makes it")
        return
    store.check_store(uri)
    if Path(f"{path}-journal").exists():
        yield note("store", f"{shown_path(path)}-journal is of a write that runs or was cut", mending())
    yield ok("store", f"{shown_path(path)}, {path.stat().st_size / 2**20:.1f} MiB, schema {schema_head()}")


def _server(uri: str, words: Sequence[str]) -> Iterator[Finding]:
    address = urlsplit(uri)
    scheme, shown = address.scheme.partition("+")[0], without_password(uri)
    port = address.port or _PORTS.get(scheme)
    if address.hostname is None or port is None:
        yield note("store", f"{shown} is not asked: its kind is not known here")
        return
    try:
        said = _health(address, port) if scheme in ("http", "https") else _listens(address.hostname, port)
    except (OSError, http.client.HTTPException) as error:
        why = f"{shown} does not answer ({error or type(error).__name__}); studies go on without it"
        yield problem("store", why, f"start the server; then {command('sync', *words)}")
        return
    yield ok("store", f"{shown} {said}")


def _health(address: SplitResult, port: int) -> str:
    """Return how an MLflow server says it is, which is not told the secrets of the address."""
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(address.hostname), port, timeout=ANSWER_SEC)
    try:
        connection.request("GET", f"{address.path.rstrip('/')}/health")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status >= http.client.INTERNAL_SERVER_ERROR:
        raise OSError(f"status {status}")
    return "answers" if status == http.client.OK else f"answers with status {status}"


def _listens(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=ANSWER_SEC):
        return f"listens on port {port}; who may log in is not asked"


def data() -> Iterator[Finding]:
    """Yield which data sets are at hand without a download."""
    cache = cache_folder()
    places = [Path("data"), _SYSTEM_DATA, *([cache / "hpsearch"] if cache else [])]
    found = [f"{', '.join(names)} in {place}" for place in places if (names := _names(place))]
    yield ok("data", "; ".join(["digits, wine, breast_cancer and diabetes come with scikit-learn", *found]))


def _names(place: Path) -> list[str]:
    """Return the data sets in a folder; empty stores of MLflow's are kept beside those that were downloaded."""
    if not place.is_dir():
        return []
    names = sorted(each.name for each in place.iterdir() if not each.name.startswith(("mlflow-", ".")))
    return [*names[:_SHOWN], f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else names
