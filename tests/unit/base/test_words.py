import math

import pytest

from hpsearch.base import words


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
    [(0.843, "0.84 s"), (9.6, "10 s"), (41.2, "41 s"), (60, "1 min"), (725, "12 min 5 s"), (12000, "3 h 20 min")],
)
def test_duration(seconds, text):
    assert words.duration(seconds) == text
    assert words.duration(math.nan) == words.duration(None) == "–"


def test_settings_use_the_names_of_the_field():
    assert words.settings({"optimizer.lr": 0.1, "model": "mlp"}) == "learning rate 0.1, model = mlp"
    assert words.setting("optimizer.lr", 0.1) == "a learning rate of 0.1"
    assert words.setting("model.act", "relu") == "model.act = relu"
    assert (words.count(1, "seed"), words.count(3, "seed")) == ("1 seed", "3 seeds")
