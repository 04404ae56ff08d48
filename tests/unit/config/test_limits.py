"""Ranges of the well-known keys."""

import math
import subprocess
import sys
from importlib import import_module
from inspect import isfunction, signature
from pkgutil import iter_modules

import pytest
import yaml

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.config.groups import CONF
from hpsearch.config.limits import OWN, check, check_value, limits_of

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
    words = {
        "optimizer.betas": "optimizer=adam",
        "optimizer.amsgrad": "optimizer=adam",
        "init.output_bias": "init=he_normal",
    }
    config = compose([words.get(key, "model=mlp")]).config
    for value in good:
        check_value(config, key, value, "the test")
    for value in bad:
        with pytest.raises(ConfigError) as error:
            check_value(config, key, value, "the test")
        message = str(error.value)
        assert message.startswith(key) and "must be" in message and message.endswith("(from the test)")


SGD = {"_target_": "torch.optim.SGD", "lr": -1, "momentum": 0.5, "unknown": -1}


def test_one_line_per_problem():
    config = {"optimizer": SGD, "data": {"_target_": "hpsearch.data.digits.Digits", "batch_size": 0}, "seed": -1}
    with pytest.raises(ConfigError) as error:
        check(config, lambda key: f"file of {key}")
    assert str(error.value).splitlines() == [
        "seed = -1: must be a whole number >= 0 (from file of seed)",
        "optimizer.lr = -1: must be a number in (0, inf) (from file of optimizer.lr)",
        "data.batch_size = 0: must be a whole number >= 1, or full (from file of data.batch_size)",
    ]


def test_a_mapping_where_a_value_belongs():
    with pytest.raises(ConfigError, match=r"optimizer\.lr"):
        check({"optimizer": {**SGD, "lr": {"a": 1}}}, lambda key: "a file")


def test_a_value_deep_inside_is_checked_by_the_rules_of_its_own_target():
    parts = {"first": {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 0}}
    with pytest.raises(ConfigError, match=r"^scheduler\.parts\.first\.step_size = 0"):
        check({"scheduler": {"_target_": "their.Sequence", "parts": parts}}, lambda key: "a file")


@pytest.mark.parametrize(
    "config",
    [
        {"optimizer": {"_target_": "my_pkg.Mine", "alpha": 1.5, "betas": 3, "lr": "auto"}},
        {"trainer": {"_target_": "my_pkg.train", "epochs": 0, "test": "all"}},
        {"model": {"_target_": "my_pkg.Net", "dropout": 2}},
        {"loss": {"_target_": "my_pkg.Loss", "gamma": -1}},
        {"init": {"_target_": "hpsearch.no_such_room.Init", "std": -1}},
    ],
)
def test_what_no_table_knows_its_constructor_judges(config):
    check(config, lambda key: "a file")


def test_keys_that_are_ours_are_checked_in_front_of_any_target():
    config = {"optimizer": {"_target_": "my_pkg.Mine", "decay_bias_and_norm": 1, "initial_momentum": 2}}
    config |= {"scheduler": {"_target_": "my_pkg.Mine", "per": "hour"}}
    with pytest.raises(ConfigError) as error:
        check(config, lambda key: "a file")
    assert {line.partition(" = ")[0] for line in str(error.value).splitlines()} == {
        "optimizer.decay_bias_and_norm",
        "optimizer.initial_momentum",
        "scheduler.per",
    }


def test_another_path_to_the_same_class_has_the_same_rules():
    assert limits_of("torch.optim.sgd.SGD") == limits_of("torch.optim.SGD") != {}
    assert "alpha" in limits_of("torch.optim.RMSprop") and "alpha" not in limits_of("torch.optim.SGD")
    assert limits_of("hpsearch.regularizers.penalties.L2") == limits_of("hpsearch.regularizers.L2") != {}


def test_every_rule_is_about_a_key_that_exists(every_key):
    tables = {key.rpartition(".")[0] for key in every_key}
    assert set(OWN) - every_key - tables == set()


TABLES = ["base", "data", "launch", "losses", "models", "nn", "optim", "regularizers", "schedules", "search"]
TABLES += ["tracking", "trial"]


@pytest.mark.parametrize("room", TABLES)
def test_every_table_is_about_classes_and_arguments_that_exist(room):
    for target, rules in import_module(f"hpsearch.{room}.limits").LIMITS.items():
        package, _, name = target.rpartition(".")
        modules = [package] if name == "*" else [package, *(f"{package}.{m.name}" for m in walk(package))]
        found = [vars(import_module(module)).get(name) for module in modules]
        made = [each for each in found if isinstance(each, type) or isfunction(each)]
        assert name == "*" or made, target
        for each in made[:1]:
            assert rules.keys() <= arguments_of(each), target


def arguments_of(target):
    """The arguments that a target names, and where it hands options on those that our YAML gives it."""
    named = signature(target).parameters
    if all(each.kind is not each.VAR_KEYWORD for each in named.values()):
        return named.keys()
    files = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in CONF.rglob("*.yaml"))
    path = f"{target.__module__}.{target.__qualname__}"
    return {key for file in files if isinstance(file, dict) and file.get("_target_") == path for key in file}


def walk(package):
    return iter_modules(getattr(import_module(package), "__path__", ()))


def test_no_table_loads_torch():
    names = ", ".join(f"hpsearch.{room}.limits" for room in TABLES)
    code = f"import sys, {names}; print('torch' in sys.modules, 'optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False False\n"
