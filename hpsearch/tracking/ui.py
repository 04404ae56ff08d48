"""The MLflow UI, light and bound to this machine, opened where a study's trials can be compared."""

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from hpsearch.base import lookup, platform
from hpsearch.base.errors import StorageError, check_int, nearest
from hpsearch.base.passwords import without_password
from hpsearch.base.printed import say
from hpsearch.tracking import store
from hpsearch.tracking.found import experiments, uid_of
from hpsearch.tracking.home import FoundExperiment
from hpsearch.tracking.mlflow_internals import TABLE, TAG, view_path

HOST = "127.0.0.1"
PORTS = 50
START_SEC = 60.0


def serve(
    uri: str | None = None,
    artifacts: str | None = None,
    port: int = 5000,
    study: str | None = None,
    uid: str | None = None,
) -> int:
    """Run the MLflow UI until it is interrupted, and print the links that open the studies' trials.

    Args:
        uri: tracking store; None for `sqlite:///mlflow.db` in the working folder. A server is not started again: its
            links are printed.
        artifacts: folder of the artifacts; None for `mlartifacts` beside the store's file.
        port: on 127.0.0.1; the next free one when it is taken.
        study: print the links of this study alone.
        uid: of the study that is meant where several have the name; None where that is not known.

    Returns:
        The exit code of the server; 0 when it was interrupted.
    """
    address = store.store_uri(uri)
    if address.startswith("http"):
        _print_links(address.rstrip("/"), links(address, artifacts, study, uid))
        return 0
    found = links(address, artifacts, study, uid)
    port = free_port(port)
    before = {number: signal.signal(number, signal.default_int_handler) for number in platform.stop_signals()}
    try:
        with server(address, artifacts, port) as process:
            _print_links(f"http://{HOST}:{port}", found)
            print("stop with Ctrl-C", flush=True)
            return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def links(
    uri: str, artifacts: str | None = None, study: str | None = None, uid: str | None = None
) -> dict[str, tuple[str, str]]:
    """Return the paths that open each study: its trials to compare, and their curves.

    Args:
        uri: absolute address of the store.
        artifacts: folder of the artifacts of an embedded store.
        study: of this study alone, by its name or that of its experiment.
        uid: of the study that is meant where several have the name; None where that is not known.

    Returns:
        Table and curves by name of the experiment, the newest first.

    Raises:
        StorageError: there is no store, it does not answer, or there is no such study in it.
    """
    path = store.sqlite_path(uri)
    if path is not None and not path.exists():
        raise StorageError(f"no tracking store at {path}; run a study in this folder first")
    store.check_store(uri)
    there = [each for each in _experiments(uri, artifacts) if TAG + TABLE in each.tags]
    meant = there if study is None else [each for each in there if _holds(each, study)]
    own = [each for each in meant if uid in each.places]
    if study is not None and not meant:
        raise StorageError(f"no study '{study}' in {without_password(uri)}{nearest(study, [e.name for e in there])}")
    return {each.name: (view_path(each.id), view_path(each.id, True)) for each in own or meant}


def _holds(experiment: FoundExperiment, study: str) -> bool:
    """Return whether a study of this name, which may have the beginning of a uid behind it, is in an experiment."""
    name, uid = uid_of(study)
    called = experiment.uids_called(name)
    return study == experiment.name or any(each.startswith(uid) for each in called)


def _experiments(uri: str, artifacts: str | None) -> list[FoundExperiment]:
    with store.one_line_errors(uri):
        return experiments(store.connect(uri, store.artifact_root(artifacts, uri)))


def _print_links(address: str, found: dict[str, tuple[str, str]]) -> None:
    say(f"MLflow: {address}")
    for name, (table, curves) in found.items():
        say(f"{name}\n  trials  {address}/{table}\n  curves  {address}/{curves}")


def free_port(port: int) -> int:
    """Return the first free port of this machine from `port` on.

    Raises:
        StorageError: the next ports are taken too.
    """
    check_int("--port", port, 1, 65_535)
    for candidate in range(port, min(port + PORTS, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return candidate
    raise StorageError(f"ports {port} to {port + PORTS - 1} of {HOST} are taken")


@contextmanager
def server(uri: str, artifacts: str | None, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run an MLflow server with one worker and no job runner, on this machine only.

    Args:
        uri: absolute address of the store.
        artifacts: folder of the artifacts.
        port: of 127.0.0.1.

    Yields:
        The server, which answers; it and its children are killed at the end, and when this process dies.
    """
    command = platform.watched(["-m", "mlflow", "server", "--workers", "1"])
    command += ["--host", HOST, "--port", str(port)]
    command += ["--default-artifact-root", store.artifact_root(artifacts, uri).as_uri()]
    address = {"MLFLOW_BACKEND_STORE_URI": uri}  # not among the words, which every user of the machine can read
    ours = {**store.ENVIRONMENT, **address, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**lookup.safe_environment(), **ours}
    with tempfile.TemporaryFile() as log:
        end, lifeline = os.pipe()
        with os.fdopen(end), os.fdopen(lifeline, "wb"):
            streams = {"stdin": end, "stdout": log, "stderr": log}
            process = platform.start_group(command, env=environment, cwd=lookup.ELSEWHERE, **streams)
            try:
                _wait_until_up(process, port, log)
                yield process
            finally:
                platform.end_group(process)


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SEC
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            raise StorageError(f"the MLflow server ended with code {process.returncode}: {' '.join(lines[-1:])}")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise StorageError(f"the MLflow server does not answer at http://{HOST}:{port} after {START_SEC:.0f} s")
