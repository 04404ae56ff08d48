"""A person at a notebook, once; `notebook_sessions` draws others."""

import os
import random
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.faults.notebook_sessions import CHANGED, Session, play, working_in

pytestmark = [pytest.mark.slow, pytest.mark.fault]


def test_cells_that_are_interrupted_changed_and_run_again_lose_nothing(tmp_path):
    said = play(tmp_path, 5)  # which interrupt comes in time depends on the machine
    assert "restarted" in said and said.endswith("ok (factor 3)")


def test_what_works_in_a_folder_is_found(tmp_path, monkeypatch):
    assert working_in(tmp_path) == []
    monkeypatch.chdir(tmp_path)
    assert len(working_in(tmp_path)) == 1, os.getpid()


@pytest.mark.parametrize(
    ("printed", "end", "factors"),
    [
        ("CHANGED [0]", "ok", [2, 2]),  # the environment is another one
        ("CHANGED []", "ok", [1, 2]),  # an old answer
        ("CHANGED []", "StorageError", [2, 2]),  # for another reason
        ("CHANGED []", "ValueError", [2, 2]),
    ],
)
def test_what_is_wrong_is_noticed(printed, end, factors):
    session = SimpleNamespace(factor=2, record=lambda: pd.DataFrame({"factor": factors}), drawn=random.Random(0))
    with pytest.raises(AssertionError):
        Session.check_call(session, printed, end)
    Session.check_call(session, f"CHANGED [] {CHANGED}", "ok")
