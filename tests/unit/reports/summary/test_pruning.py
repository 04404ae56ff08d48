import math
from dataclasses import replace

import pandas as pd
import pytest

from hpsearch.base.outcome import GIVEN_UP
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.pruning import EarlyRanks, pruning_of
from hpsearch.reports.summary.sentences import answer
from tests.support import synthetic


def study(epochs, states, planned=10):
    """One trial per entry that reported epochs 0 to the given one."""
    trials = pd.DataFrame({"point": range(len(epochs)), "seed": 0, "fold": 0, "state": states, "reason": ""})
    rows = [
        {"point": p, "seed": 0, "fold": 0, "epoch": e}
        for p, last in enumerate(epochs)
        if last is not None
        for e in range(last + 1)
    ]
    config = {"trainer": {"epochs": planned}} if planned else {}
    return replace(synthetic.empty(), trials=trials, curves=pd.DataFrame(rows), study={"config": config})


def test_the_saved_epochs_are_those_pruned_trials_did_not_train():
    found = pruning_of(study([10, 3, 3, 6, 1], ["COMPLETE", "PRUNED", "PRUNED", "PRUNED", "INFEASIBLE"]))
    assert (found.trained, found.saved) == (23, 7 + 7 + 4)
    assert found.share == pytest.approx(18 / 41)
    assert (found.pruned, found.trials) == (3, 5)
    assert found.stops == ((3, 2), (6, 1))
    assert found.alive == (5, 4, 4, 2, 2, 2, 1, 1, 1, 1)
    assert found.without == (5, 4, 4, 4, 4, 4, 4, 4, 4, 4)
    assert sum(found.alive) == found.trained
    assert sum(found.without) == found.trained + found.saved


def test_epochs_that_were_trained_twice_count_twice():
    table = study([10, 3, 3], ["COMPLETE", "PRUNED", "PRUNED"])
    found, again = pruning_of(table), replace(table, trials=table.trials.assign(repeated_epochs=[4, math.nan, 1]))
    assert (pruning_of(again).trained, pruning_of(again).saved) == (found.trained + 5, found.saved - 5)


def test_without_a_pruned_trial_there_is_nothing_to_say():
    assert pruning_of(study([10, 10], ["COMPLETE", "INFEASIBLE"])) is None
    assert pruning_of(synthetic.empty()) is None


def test_a_trial_that_never_reported_trained_nothing():
    found = pruning_of(study([10, None, 2], ["COMPLETE", "INFEASIBLE", "PRUNED"]))
    assert (found.trained, found.saved, found.trials) == (12, 8, 2)


@pytest.mark.parametrize("owner", ["trainer", "args"])
def test_a_searched_number_of_epochs_is_that_of_the_trial(owner):
    table = study([5, 2, 2], ["COMPLETE", "PRUNED", "PRUNED"], None)
    table.trials[f"{owner}.epochs"] = [5, 20, math.nan]
    assert pruning_of(table).saved == 18 + 3  # without a number of its own, the longest trial's


def test_a_function_of_ones_own_may_say_its_epochs():
    table = study([5, 2, 2], ["COMPLETE", "PRUNED", "PRUNED"], None)
    assert pruning_of(table).saved == 3 + 3
    assert pruning_of(replace(table, study={"config": {"args": {"epochs": 8}, "trainer": {}}})).saved == 6 + 6


def test_what_the_user_gave_up_was_not_saved_by_a_pruner():
    table = study([10, 3, 4], ["COMPLETE", "PRUNED", "PRUNED"])
    table.trials.loc[1, "reason"] = GIVEN_UP
    found = pruning_of(table)
    assert (found.trained, found.saved, found.pruned) == (17, 6, 1)
    table.trials.loc[2, "reason"] = GIVEN_UP
    assert pruning_of(table) is None


def curved(curves, states):
    table = study([len(curve) for curve in curves], states, planned=len(curves[0]))
    values = {(p, e): value for p, curve in enumerate(curves) for e, value in enumerate(curve, 1)}
    loss = [values.get((p, e), math.nan) for p, e in zip(table.curves["point"], table.curves["epoch"], strict=True)]
    return replace(table, curves=table.curves.assign(**{"valid/loss": loss}))


def test_early_ranks_are_worth_what_they_say_of_the_ends():
    ends = [[5, 9, 1], [4, 9, 2], [3, 9, 3], [2, 9, 4], [1, 9, 5]]
    states = ["COMPLETE"] * 5 + ["PRUNED"]
    found = pruning_of(curved([*ends, [6]], states), "valid/loss").early
    assert (found.epoch, found.correlation, found.n) == (1, pytest.approx(-1.0), 5)
    found = pruning_of(curved([*([a, a, a] for a in range(5)), [6, 6]], states), "valid/loss").early
    assert (found.epoch, found.correlation) == (2, pytest.approx(1.0))


def test_trials_that_ended_by_the_early_epoch_say_nothing_of_early_ranks():
    longer = [[a, a, -a] for a in range(5)]
    found = pruning_of(curved([*longer, [9, 9], [6, 6]], ["COMPLETE"] * 6 + ["PRUNED"]), "valid/loss").early
    assert (found.epoch, found.correlation, found.n) == (2, pytest.approx(-1.0), 5)


def test_of_few_or_equal_or_unnamed_curves_nothing_is_said_of_early_ranks():
    states = ["COMPLETE"] * 5 + ["PRUNED"]
    ends = [[1, 9, 5]] * 5
    assert pruning_of(curved([*ends, [6]], states), "valid/loss").early is None
    assert (
        pruning_of(curved([*([a, a, a] for a in range(4)), [6], [6]], [*states[:4], "PRUNED", "PRUNED"])).early is None
    )
    assert pruning_of(curved([*([a, a, a] for a in range(5)), [6]], states), "valid/acc").early is None


def test_ranks_that_turn_round_are_written_with_a_true_minus():
    summary = summarize(synthetic.sweep())
    pruning = pruning_of(study([10, 3], ["COMPLETE", "PRUNED"]))
    turned = replace(summary, pruning=replace(pruning, early=EarlyRanks(epoch=1, correlation=-0.07, n=8)))
    assert "8 trials that came to their end, ranks after epoch 1 and at the end correlate by −0.07 (" in answer(turned)
