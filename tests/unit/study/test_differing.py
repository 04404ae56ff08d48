"""Where two curves part: the first value in the order of updates, both values, how far apart they are."""

import math
import struct
from dataclasses import replace

import pytest

from hpsearch.base.types import Report
from hpsearch.study.differing import Difference, differences, distance, first_difference

CURVE = (
    Report(0, 0, {"valid/acc": 0.1}),
    Report(1, 4, {"valid/acc": 0.5, "epoch_sec": 1.0}, ((1, 2.5), (3, 2.25))),
    Report(2, 8, {"valid/acc": 0.6, "train/loss": 1.0}, ((5, 2.0), (7, 1.5)), end=((6, {"valid/loss": 0.5}),)),
)


def other(at, **changed):
    return (*CURVE[:at], replace(CURVE[at], **changed), *CURVE[at + 1 :])


def next_float32(value, by=1):
    return struct.unpack("<f", struct.pack("<i", struct.unpack("<i", struct.pack("<f", value))[0] + by))[0]


def first(again):
    found = differences(CURVE, again)
    return first_difference(found, CURVE)


def test_the_same_values_differ_in_nothing_whatever_was_measured_of_the_machine():
    assert differences(CURVE, other(1, metrics={"valid/acc": 0.5, "epoch_sec": 9.0}, time=7.0)) == []
    both = (Report(1, 4, {"valid/f1": math.nan}),)
    assert differences(both, both) == []


def test_values_differ_in_the_order_of_updates_and_the_loss_of_a_step_before_what_is_evaluated_after_it():
    changed = replace(CURVE[2], metrics={"valid/acc": 0.7, "train/loss": 0.9}, steps=((5, 2.0), (7, 1.25)))
    changed = replace(changed, end=((6, {"valid/loss": 0.25}),))
    found = differences(CURVE, (*CURVE[:2], changed))
    assert [(each.step, each.name) for each in found] == [
        (6, "valid/loss"),
        (7, "train/loss"),
        (8, "train/loss"),
        (8, "valid/acc"),
    ]
    assert [each.line for each in found][1] == "epoch 2: train/loss at step 7 logged 1.5, now 1.25"
    assert [each.line for each in found][3] == "epoch 2: valid/acc logged 0.6, now 0.7"


def test_of_one_update_its_loss_comes_before_what_is_evaluated_after_it():
    one = (Report(1, 4, {"a": 1.0}, ((4, 2.0),), end=((4, {"b": 1.0}),)),)
    other = (Report(1, 4, {"a": 2.0}, ((4, 3.0),), end=((4, {"b": 2.0}),)),)
    found = [(each.name, each.at) for each in differences(one, other)]
    assert found == [("train/loss", True), ("b", True), ("a", False)]


def test_the_first_step_that_differs_is_named_with_its_distance_and_what_was_the_same_before():
    assert first(other(2, steps=((5, 2.0), (7, next_float32(1.5, 3))))) == (
        "step 7 (epoch 2): train/loss 1.5 on record, 1.50000036 now, 3 ulp of float32 (relative 2.4e-07); "
        "the 3 losses on record until step 5 are the same, that of the step between is not on record"
    )
    assert first(other(1, steps=((1, 2.75), (3, 2.25)))).startswith(
        "step 1 (epoch 1): train/loss 2.5 on record, 2.75 now"
    )
    assert first(other(1, steps=((1, 2.75), (3, 2.25)))).endswith("(relative 0.1)")


def test_where_no_step_is_to_blame_the_epoch_is_named():
    assert first(other(1, metrics={"valid/acc": 0.75})) == (
        "epoch 1: valid/acc 0.5 on record, 0.75 now, 4194304 ulp of float32 (relative 0.5); "
        "the 2 losses on record until step 3 are the same"
    )
    alone = tuple(replace(report, steps=(), end=()) for report in CURVE)
    found = differences(alone, (*alone[:2], replace(alone[2], metrics={"valid/acc": 0.7, "train/loss": 1.0})))
    assert first_difference(found, alone).endswith("; losses of single steps are not on record")


def test_a_report_that_one_curve_lacks_is_one_difference():
    assert [each.line for each in differences(CURVE, CURVE[:2])] == ["epoch 2: only in the record"]
    assert [each.line for each in differences(CURVE[:2], CURVE)] == ["epoch 2: only in this run"]
    assert first(CURVE[1:]) == "epoch 0: only in the record"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (1.0, math.nan, "not both finite"),
        (math.inf, 1.0, "not both finite"),
        (0.1, 0.1 + 2**-56, "relative 1.4e-16"),
        (0.0, 0.1, "apart by 0.1"),
        (-1.0, next_float32(-1.0), "1 ulp of float32 (relative 1.2e-07)"),
        (-next_float32(0.0), next_float32(0.0), "2 ulp of float32 (relative 2)"),
        (1e300, 2e300, "relative 1"),
    ],
)
def test_distances(old, new, said):
    assert distance(Difference(1, 1, "loss", old, new)) == said


def test_sizes():
    assert Difference(1, 1, "loss", 1.0, 0.75).size == 0.25
    assert Difference(1, 1, "loss", 1.0, math.nan).size == math.inf
    assert Difference(1, 1, logged=1).size == 0.0
