import math
from pathlib import Path

import pytest

from hpsearch.base import words
from hpsearch.base.types import BestPoint, TrialState


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0031622776, "0.00316"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (3.16228, "3.16"),
        (1024, "1024"),
        (1024.0, "1024"),
        (12345.6, "12346"),
        (0, "0"),
        (True, "true"),
        (None, "none"),
        ("relu", "relu"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_number(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [
        (0.97533, 0.0043, "0.975 ± 0.004"),
        (0.97533, 0.0004, "0.9753 ± 0.0004"),
        (0.97533, None, "0.975"),
        (12.345, 0.5, "12.3 ± 0.5"),
        (812.3, 20.0, "812 ± 20"),
        (0.000123456, 0.00001, "0.000123 ± 0.000010"),
        (0.5, 0.0, "0.500 ± 0.000"),
        (1.2345e-9, None, "1.23e-09"),
        (1.2345e-9, 1e-10, "1.23e-09 ± 1e-10"),
        (0, None, "0.000"),
        (123456.0, None, "123456"),
        (math.inf, None, "inf"),
        (None, None, "–"),
        (math.nan, None, "–"),
    ],
)
def test_score_has_the_decimals_its_spread_deserves(mean, sd, text):
    assert words.score(mean, sd) == text


def test_interval_keeps_signs_apart():
    assert words.interval(0.965, 0.985, 0.975, 0.004) == "0.965–0.985"
    assert words.interval(-0.5, 0.25, 0.1, 0.3) == "-0.500 to 0.250"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0324, "32 ms"),
        (0.843, "0.84 s"),
        (8.44, "8.4 s"),
        (9.6, "10 s"),
        (41.2, "41 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (119.7, "2 min"),
        (60, "1 min"),
        (725, "12 min 5 s"),
        (12000, "3 h 20 min"),
        (86400, "1 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_duration(seconds, text):
    assert words.duration(seconds) == text
    assert words.duration(math.nan) == words.duration(None) == "–"


def test_settings_use_the_names_of_the_field():
    assert words.settings({"optimizer.lr": 0.1, "model": "mlp"}) == "learning rate 0.1, model = mlp"
    assert words.setting("optimizer.lr", 0.1) == "a learning rate of 0.1"
    assert words.setting("model.act", "relu") == "model.act = relu"
    assert (words.count(1, "seed"), words.count(3, "seed")) == ("1 seed", "3 seeds")


def test_assignments_are_short_overrides():
    params = {"optimizer.lr": 10**-1.25, "model": "mlp", "n": 3, "nesterov": True}
    assert words.assignments(params) == "optimizer.lr=0.0562 model=mlp n=3 nesterov=true"


def test_one_value_is_written_in_one_way():
    rate = 0.21544346900318834
    assert words.number(rate) == "0.215"
    assert words.settings({"optimizer.lr": rate}) == "learning rate 0.215"
    assert words.assignments({"optimizer.lr": rate}) == "optimizer.lr=0.215"


@pytest.mark.parametrize(
    ("sd", "n", "metric", "text"),
    [
        (0.0041, 3, "valid/acc", "valid/acc 0.972 ± 0.004 (3 trials)"),
        (0.0041, 3, "", "0.972 ± 0.004 (3 trials)"),
        (0.0, 1, "", "0.972 (1 trial)"),
        (math.nan, 2, "", "0.972 (2 trials)"),
    ],
)
def test_the_score_of_the_best_point(sd, n, metric, text):
    assert words.best_score(BestPoint(0, {}, 0.9722, sd, n, metric)) == text


def test_tally_names_the_finished_first_and_no_state_without_trials():
    counts = {TrialState.RUNNING: 2, TrialState.INFEASIBLE: 6, TrialState.COMPLETE: 33, TrialState.FAILED: 0}
    assert words.tally(counts) == "33 complete, 6 infeasible, 2 running"


def test_path_is_relative_inside_the_working_folder_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words.shown_path(tmp_path / "studies" / "a") == "studies/a"
    assert words.shown_path(Path("/elsewhere/a")) == "/elsewhere/a"
