"""What holds in every test."""

import gc
import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads of a small net wait for each other, on a busy machine long
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # as workers have it: products do not depend on where they lie
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests of signals are the same under nohup
gc.disable()  # until all tests are collected: a third of that time would go into looking at what stays anyway

import hypothesis  # noqa: E402, F401 — looks at its generators by `gc`, which finds nothing frozen
import pytest  # noqa: E402

from hpsearch.config.words import CONFIRM  # noqa: E402


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
