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
        ([0.5, 0.12345], "[0.5, 0.12345]"),
        (["linear", {"cosine": {"T_max": 5}}], "[linear, {cosine: {T_max: 5}}]"),
        (math.nan, "nan"),
        (-math.inf, "−inf"),
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
        (1.23456e-9, 1e-14, "1.23456e-09 ± 1e-14"),
        (-2.5e-161, 2.5e-163, "−2.5e-161 ± 2.5e-163"),
        (5e-324, None, "4.94e-324"),
        (2.5e145, 1e143, "2.5e+145 ± 1e+143"),
        (1.7e308, math.inf, "1.7e+308"),
        (1.23456e12, 1e8, "1.2346e+12 ± 1e+08"),
        (999999999.0, None, "999999999"),
        (0.5, 1e-12, "0.50000000 ± 1e-12"),
        (0.0, 1e-12, "0 ± 1e-12"),
        (0.0, 0.0, "0.000 ± 0.000"),
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
    assert words.interval(-0.5, 0.25, 0.1, 0.3) == "−0.500 to 0.250"
    assert words.interval(2.46e-8, 2.59e-8, 2.53e-8, 2.5e-10) == "2.46e-08 to 2.59e-08"
    assert words.interval(1e145, 3e145, 2e145, 1e145) == "1e+145 to 3e+145"


@pytest.mark.parametrize(
    ("mean", "low", "high", "text"),
    [
        (0.0123, 0.01, 0.0146, "+0.0123 +0.0100 +0.0146"),
        (-2e-9, -3e-9, -1e-9, "−2e-09 −3e-09 −1e-09"),
        (1.5e20, 1e20, 2e20, "+1.5e+20 +1e+20 +2e+20"),
    ],
)
def test_a_difference_has_the_digits_its_interval_deserves(mean, low, high, text):
    precision = words.interval_precision(low, high)
    assert " ".join(precision.write(value, "+") for value in (mean, low, high)) == text


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


def test_an_argument_of_a_function_has_the_name_that_the_function_gives_it():
    params = {"args.lr": 0.1, "args.h[0]": 8}
    assert words.settings(params) == "lr = 0.1, h[0] = 8"
    assert (words.setting("args.lr", 0.1), words.label("args.lr")) == ("lr = 0.1", "lr")
    assert words.assignments(params) == "lr=0.1 h[0]=8"


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


def test_people_read_a_true_minus_and_what_is_pasted_or_named_has_a_hyphen():
    assert [words.number(value) for value in (-1, -0.25, 3, "-x", True, 1e-7)] == [
        "−1",
        "−0.25",
        "3",
        "-x",
        "true",
        "1e-07",
    ]
    assert words.score(-0.975, 0.004) == "−0.975 ± 0.004"
    assert words.settings({"optimizer.lr": 0.1, "args.shift": -2}) == "learning rate 0.1, shift = −2"
    assert words.plain_number(-0.25) == "-0.25"
    assert words.assignments({"args.shift": -0.5}) == "shift=-0.5"
