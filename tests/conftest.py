"""What holds in every test."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads of a small net wait for each other, on a busy machine long

import pytest

from hpsearch.config.words import CONFIRM


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
