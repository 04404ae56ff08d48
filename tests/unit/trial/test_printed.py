"""What a program prints, read line by line."""

import math

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.trial.printed import Measured, Printed, check_pattern, measured_in_json

AUTO = {
    "name: number": ("valid/acc: 0.9", {"valid/acc": 0.9}, None),
    "name=number": ("valid/acc=.9", {"valid/acc": 0.9}, None),
    "name number": ("valid/acc 9e-1 after 3 s", {"valid/acc": 0.9}, None),
    "with an epoch": ("Epoch [3/10], valid/acc: 0.9, train/loss: 1.5", {"valid/acc": 0.9, "train/loss": 1.5}, 3),
    "epoch=": ("epoch=4 valid/acc=0.9 lr=1e-3", {"valid/acc": 0.9, "lr": 0.001}, 4),
    "a share": ("valid/acc: 93.2%", {"valid/acc": 93.2}, None),
    "upper case": ("Valid/Acc: 1", {"valid/acc": 1.0, "Valid/Acc": 1.0}, None),
    "a comma after it": ("valid/acc: 1, more", {"valid/acc": 1.0}, None),
    "json": ('{"epoch": 2, "valid": {"n": 3}, "valid/acc": 0.5, "name": "x"}', {"valid.n": 3.0, "valid/acc": 0.5}, 2),
    "json of no number of steps": ('{"step": 1e400, "epoch": NaN, "valid/acc": 1e400}', {"valid/acc": math.inf}, None),
    "json that no float holds": (f'{{"valid/acc": -1{"0" * 400}}}', {"valid/acc": -math.inf}, None),
    "with dashes": ("| valid/acc = -0.5|", {"valid/acc": -0.5}, None),
}


@pytest.mark.parametrize("name", AUTO)
def test_a_line_with_the_metric_is_a_measurement(name):
    line, metrics, epoch = AUTO[name]
    assert Printed("auto", ["valid/acc"]).read(line) == Measured(metrics, epoch)


@pytest.mark.parametrize(
    "line", ["", "valid/acc improved", "test/valid/acc: 0.9", "valid/accuracy: 0.9", "{broken", "valid/acc"]
)
def test_another_line_is_none(line):
    assert Printed("auto", ["valid/acc"]).read(line) is None


def test_both_ends_of_an_endless_line_are_searched_for_a_pattern_of_ones_own():
    read = Printed({"acc": r"acc=(\S+)"}, ["acc"]).read
    for line in ("acc=0.5 " + "x" * 9000, "x" * 9000 + " acc=0.5"):
        assert read(line) == Measured({"acc": 0.5})
    assert read(f"{'x' * 5000} acc=0.5 {'x' * 5000}") is None


def test_other_numbers_follow_names_and_what_dashes_and_points_stand_before():
    said = Printed("auto", ["acc"]).read("x=1 --loss=0.5 acc=0.9 .dot=2 a-b.c/d=3 4e=5")
    assert said == Measured({"x": 1.0, "loss": 0.5, "acc": 0.9, "dot": 2.0, "a-b.c/d": 3.0, "e": 5.0})


@pytest.mark.parametrize("text", ["nan", "NaN", "-inf", "inf"])
def test_a_number_need_not_be_finite(text):
    (value,) = Printed("auto", ["loss"]).read(f"loss: {text}").metrics.values()
    assert not math.isfinite(value)


def test_the_epoch_may_stand_in_a_line_before_and_counts_once():
    printed = Printed("auto", ["acc"])
    assert [printed.read(line) for line in ("Epoch 7", "training", "acc: 0.5", "best acc: 0.6")] == [
        None, None, Measured({"acc": 0.5}, 7), Measured({"acc": 0.6}, None)
    ]  # fmt: skip


def test_names_of_other_numbers_are_remembered():
    printed = Printed("auto", ["valid/acc"])
    printed.read("epoch 1: accuracy=0.5 loss=1")
    printed.read('{"accuracy": 1, "f1": 2}')
    assert printed.names == ["accuracy", "loss", "f1"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("acc: 0,93", "printed acc as '0,93', with a decimal comma"),
        ("acc: 9500/10000", "'9500/10000', which is no num"),
    ],
)
def test_what_is_no_number_is_refused(line, message):
    with pytest.raises(ConfigError, match=message):
        Printed("auto", ["acc"]).read(line)


def test_a_pattern_says_which_number_counts():
    one = Printed(r"test (?P<epoch>\d+): \S+ (?P<value>\S+) at (?P<step>\d+)", ["acc"])
    assert one.read("test 3: loss 0.5 at 70") == Measured({"acc": 0.5}, 3, 70)
    assert one.read("acc: 0.9") is None
    several = Printed({"acc": r"a (\S+)", "loss": r"l (\S+)"}, ["acc"])
    assert several.read("l 2 a 1") == Measured({"acc": 1.0, "loss": 2.0})
    assert several.read("l 2") == Measured({"loss": 2.0})
    with pytest.raises(ConfigError, match=r"no number: see trainer\.pattern"):
        several.read("a one")
    assert Printed(None, ["acc"]).read("acc: 1") is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("acc (", "is no regular expression"),
        ("acc", "needs a group"),
        ({"acc": "x"}, r"k\.acc = 'x': needs"),
        (3, "no reg"),
    ],
)
def test_a_bad_pattern_is_refused(pattern, message):
    with pytest.raises(ConfigError, match=message):
        check_pattern("k", pattern)


def test_lines_of_json_that_are_no_table_say_nothing():
    assert measured_in_json("[1]") is None and measured_in_json("{") is None
    assert measured_in_json('{"a": true, "epoch": 2, "step": 5}') == Measured({}, 2, 5)
