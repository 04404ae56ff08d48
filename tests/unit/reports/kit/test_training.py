import math

import numpy as np
import pytest

from hpsearch.reports.kit.training import courses_of, dead_trials
from tests.support import synthetic


def with_dead(table, point, seed, level=2.3, accuracy=0.1):
    """The study with the curves of one trial at chance."""
    rows = (table.curves["point"] == point) & (table.curves["seed"] == seed)
    table.curves.loc[rows, ["train/loss", "valid/loss"]] = level
    table.curves.loc[rows, "valid/acc"] = accuracy
    trials = (table.trials["point"] == point) & (table.trials["seed"] == seed)
    table.trials.loc[trials, "score"] = accuracy
    return table


def test_courses_are_read_from_the_tables():
    table = synthetic.sweep(epochs=5)
    table.curves["update_ratio"] = np.where(table.curves["epoch"] > 0, 0.01, math.nan)
    table.trials["constant.valid/acc"] = 0.1
    found = courses_of(table)
    run = found[6, 1, 0]
    own = table.curves[(table.curves["point"] == 6) & (table.curves["seed"] == 1)]
    assert run.losses == tuple(own["train/loss"].dropna())
    assert (run.first, run.valid, run.accuracy) == (2.3, own["valid/loss"].iloc[-1], own["valid/acc"].iloc[-1])
    assert (run.untrained, run.constant_accuracy) == (own["valid/loss"].iloc[0], 0.1)
    assert run.path == pytest.approx(0.01 * 5 * 18)
    assert found[12, 0, 0].diverged
    assert math.isnan(run.constant)


def test_the_loss_that_is_minimized_counts():
    table = synthetic.sweep(epochs=5)
    table.curves["train/weighted_loss"] = 2 * table.curves["train/loss"]
    table.curves["valid/weighted_loss"] = 3 * table.curves["valid/loss"]
    run, plain = courses_of(table)[6, 1, 0], courses_of(synthetic.sweep(epochs=5))[6, 1, 0]
    assert run.losses == pytest.approx([2 * loss for loss in plain.losses])
    assert run.valid == pytest.approx(3 * plain.valid)


@pytest.mark.parametrize("constant", [False, True], ids=["by_siblings", "by_a_constant"])
def test_a_dead_seed_is_found(constant):
    table = with_dead(synthetic.sweep(), 6, 1)
    if constant:
        facts = {"constant.train/loss": math.log(10), "constant.valid/loss": math.log(10), "constant.valid/acc": 0.1}
        for name, value in {**facts, "data.valid_size": 360.0}.items():
            table.trials[name] = value
    assert dead_trials(table) == {(6, 1, 0)}


def test_a_trial_that_was_stopped_is_not_judged():
    table = with_dead(synthetic.sweep(), 6, 1)
    table.trials.loc[(table.trials["point"] == 6) & (table.trials["seed"] == 1), "state"] = "PRUNED"
    assert dead_trials(table) == frozenset()
