"""Trials that only repeat others of their point."""

import math

import pytest

from hpsearch.base.replicates import measured, repeats


@pytest.mark.parametrize(
    ("trials", "repeated"),
    [
        ({(0, 0): "a"}, set()),
        ({(0, 0): "a", (1, 0): "b"}, set()),
        ({(3, 0): "a", (1, 0): "a", (2, 0): "a"}, {(2, 0), (3, 0)}),
        ({(0, 0): "a", (1, 0): "a", (2, 0): "b"}, set()),
        ({(0, 0): "a", (0, 1): "a"}, set()),  # folds are of other data, whatever they give
        ({(0, 0): "a", (0, 1): "b", (1, 0): "a", (1, 1): "b"}, {(1, 0), (1, 1)}),
        ({(0, 0): "a", (0, 1): "b", (1, 0): "a", (1, 1): "a"}, set()),
        ({(0, 0): "a", (1, 1): "a"}, set()),
    ],
)
def test_trials_of_further_seeds_repeat_the_first_where_each_fold_measured_the_same(trials, repeated):
    assert repeats(trials) == repeated


def test_what_the_machine_measured_and_what_has_no_value_is_not_compared():
    first = measured(2, 20, {"loss": 0.5, "epoch_sec": 1.0, "memory_mib": 3.0, "acc": math.nan})
    assert first == measured(2, 20, {"epoch_sec": 2.0, "loss": 0.5})
    assert first != measured(2, 20, {"loss": 0.5000001})
    assert first != measured(3, 20, {"loss": 0.5}) and first != measured(2, 21, {"loss": 0.5})
