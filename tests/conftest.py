"""What holds in every test."""

import gc
import os
import signal
import tempfile
import zlib
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads of a small net wait for each other, on a busy machine long
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # as workers have it: products do not depend on where they lie
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests of signals are the same under nohup
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs tests in the background
gc.disable()  # until all tests are collected: a third of that time would go into looking at what stays anyway

import hypothesis  # noqa: E402, F401 — looks at its generators by `gc`, which finds nothing frozen
import pytest  # noqa: E402

from hpsearch.config.words import CONFIRM  # noqa: E402


def pytest_collection_modifyitems(items):
    """Mark what needs a server."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


def pytest_collection_finish():
    """Look for garbage again, among what the tests make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_fresh_seeds():
    """Let a search over one seed end with its last point: tests of anything else need no further trials of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hpsearch.config.compose.CONFIRM", 0)
        yield


@pytest.fixture
def fresh_seeds(monkeypatch):
    """Search as users do."""
    monkeypatch.setattr("hpsearch.config.compose.CONFIRM", CONFIRM)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server that asks for passwords, outside of folders that its user may not enter."""
    pytest.importorskip("psycopg")
    from tests.support.postgres import Server, missing

    if why := missing():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="hpsearch-postgres-") as folder:
        server = Server(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def drivers(tmp_path):
    """Starts drivers of studies in that server, each in a folder of its own."""
    from tests.support.postgres import Driver

    made = []

    def start(words, **variables):
        made.append(Driver(tmp_path / f"driver{len(made)}", words, **variables))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.kill()


@pytest.fixture
def database(postgres, monkeypatch, request):
    """The address of an empty database, and its password in the environment."""
    from tests.support.postgres import PASSWORD

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return postgres.create(f"t{zlib.crc32(request.node.nodeid.encode())}")
