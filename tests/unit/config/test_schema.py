"""Ranges of the well-known keys."""

import math

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.schema import RULES, check, check_value

NO_NUMBER = ["0.1", True, False, None, [0.1], {}, math.nan, math.inf, -math.inf]
NO_COUNT = ["1", True, False, [1], {}, 1.0, 1.5, math.nan, math.inf, -1]


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("optimizer.lr", [1e-9, 0.1, 1, 10.0], [0, -1, 0.0, *NO_NUMBER]),
        ("optimizer.momentum", [0, 0.0, 0.9, 0.999], [1, -0.1, 1.0, *NO_NUMBER]),
        ("optimizer.weight_decay", [0, 1e-4, 3], [-1e-9, *NO_NUMBER]),
        ("optimizer.betas", [[0.9, 0.999], (0, 0)], [[0.9], [0.9, 1], [0.9, "x"], 0.9, None, [0.9, math.nan], []]),
        ("data.batch_size", [1, 4096, "full"], [0, "half", None, *NO_COUNT]),
        ("trainer.epochs", [1, 100], [0, None, *NO_COUNT]),
        ("trainer.clip_norm", [None, 1.0], [0, -1, "x", True, math.inf]),
        ("trainer.diverge_factor", [10, 1.5], [1, 0, *NO_NUMBER]),
        ("trainer.test", [True, False], [0, 1, "true", None]),
        ("loss.reduction", ["mean"], ["sum", "none", None]),
        ("optimizer.dampening", [0, 0.5, 1], [-0.1, 1.5, *NO_NUMBER]),
        ("optimizer.amsgrad", [True, False], [0, 5, "yes", None]),
        ("optimizer.decay_bias_and_norm", [True, False], [0, 1, "maybe", None]),
        ("seed", [0, 7], [None, *NO_COUNT]),
        ("scheduler.warmup_steps", [0, 9], [None, *NO_COUNT]),
        ("model.dropout", [0, 0.5, [0.1, 0.5], []], [1, -0.1, [0.5, 1.0], {}, "x", True, None]),
        ("init.output_bias", [None, 0.5, "log_prior"], ["prior", True, math.inf]),
        ("study.seeds", [1, 5], [0, None, *NO_COUNT]),
        ("launcher.workers", [1, "auto", None], [0, "many", *NO_COUNT]),
        ("budget.points", [None, 1], [0, *NO_COUNT]),
        ("budget.seconds", [None, 0.5], [0, "x", True, math.inf]),
        ("budget.target", [None, -3, 0.97], ["x", True, math.nan]),
        ("sampler.points", [None, 2, {"optimizer.lr": 3}], [1, 0, "x", True, {"optimizer.lr": 1}]),
        ("objective.direction", ["maximize", "minimize"], ["max", None, 1]),
        ("plugins", [[], ["a", "b.c"]], ["a", [1], ["a b"], None, [""], ["a..b"]]),
    ],
)
def test_what_a_key_may_hold(key, good, bad):
    for value in good:
        check_value(key, value, "the test")
    for value in bad:
        with pytest.raises(ConfigError) as error:
            check_value(key, value, "the test")
        message = str(error.value)
        assert message.startswith(key) and "must be" in message and message.endswith("(from the test)")


def test_one_line_per_problem():
    config = {"optimizer": {"lr": -1, "momentum": 0.5, "unknown": -1}, "data": {"batch_size": 0}}
    with pytest.raises(ConfigError) as error:
        check(config, lambda key: f"file of {key}")
    assert str(error.value).splitlines() == [
        "data.batch_size = 0: must be a whole number >= 1, or full (from file of data.batch_size)",
        "optimizer.lr = -1: must be a number in (0, inf) (from file of optimizer.lr)",
    ]


def test_a_mapping_where_a_value_belongs():
    with pytest.raises(ConfigError, match=r"optimizer\.lr"):
        check({"optimizer": {"lr": {"a": 1}}}, lambda key: "a file")


def test_every_rule_is_about_a_key_that_exists(every_key):
    assert set(RULES) - every_key == set()
