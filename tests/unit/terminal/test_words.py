from pathlib import Path

import pytest

from hpsearch.base.types import BestPoint, TrialState
from hpsearch.terminal.words import assignments, duration, metric, shown_path, spread, tally


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.44, "8.4 s"),
        (9.99, "10.0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (80, "1 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97222, "0.9722"),
        (0, "0.0000"),
        (-0.5, "-0.5000"),
        (123.4, "123.4000"),
        (1.23e-5, "1.23e-05"),
        (123456.0, "1.23e+05"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_metric(value, text):
    assert metric(value) == text


def test_assignments_are_short_overrides():
    params = {"optimizer.lr": 10**-1.25, "model": "mlp", "n": 3, "nesterov": True}
    assert assignments(params) == "optimizer.lr=0.05623 model=mlp n=3 nesterov=True"


@pytest.mark.parametrize(
    ("sd", "n", "text"),
    [(0.0041, 3, "0.9722 ± 0.0041 (3 trials)"), (0.0, 1, "0.9722 (1 trial)"), (float("nan"), 2, "0.9722 (2 trials)")],
)
def test_spread(sd, n, text):
    assert spread(BestPoint(0, {}, 0.9722, sd, n)) == text


def test_tally_names_the_finished_first_and_no_state_without_trials():
    counts = {TrialState.RUNNING: 2, TrialState.INFEASIBLE: 6, TrialState.COMPLETE: 33, TrialState.FAILED: 0}
    assert tally(counts) == "33 complete, 6 infeasible, 2 running"


def test_path_is_relative_inside_the_working_folder_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "studies" / "a") == "studies/a"
    assert shown_path(Path("/elsewhere/a")) == "/elsewhere/a"
