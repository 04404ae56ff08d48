"""What arms cost, by hand."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.costs import Training, time_to_target, trainings_of
from hpsearch.reports.ablation.numbers import ablation_of
from tests.support import synthetic
from tests.support.ablations import grid, study

MAXIMIZE = Objective("valid/acc", share=True)


def test_a_trial_that_diverged_never_gets_there():
    done = Training((0, 0), (1, 2, 3), (10, 20, 30), (1, 2, 3), (0.1, 0.5, 0.9))
    away = Training((1, 0), (1,), (10,), (1,), (0.1,), diverged=True)
    found = time_to_target([done, away], MAXIMIZE, 0.8, "updates")
    assert found.values == (30, 30) and found.reached == (True, False) and found.missed == 1


def test_trials_that_miss_the_target_are_censored_by_hand():
    """Of five trials of three epochs two get there; the seconds of an epoch differ."""
    there, short = (0.1, 0.5, 0.9), (0.1, 0.2, 0.3)
    epochs, updates = (1, 2, 3), (10, 20, 30)
    runs = [
        Training((0, 0), epochs, updates, (1, 2, 3), there),
        Training((1, 0), epochs, updates, (2, 4, 6), short),
        Training((2, 0), epochs, updates, (4, 8, 12), there),
        Training((3, 0), epochs, updates, (5, 10, 15), short),
        Training((4, 0), (1,), (10,), (0.5,), (0.1,), diverged=True),
    ]
    found = time_to_target(runs, MAXIMIZE, 0.8, "seconds")
    assert found.values == (3, 6, 12, 15, 15) and found.reached == (True, False, True, False, False)
    assert [gap for gap in found.gaps if not math.isnan(gap)] == [1, 4]  # seconds of the last epoch
    assert time_to_target(runs[:1], MAXIMIZE, 0.0, "updates").gaps == (10,)
    # S = 4/5 after 3; one is lost at 6, so three are left at 12: S = 4/5 x 2/3 = 8/15, above one half.
    assert found.median is None
    # Without the one that diverged two are left at 12: S = 3/4 x 1/2 = 3/8.
    assert time_to_target(runs[:4], MAXIMIZE, 0.8, "seconds").median == 12
    # With one more that is lost at 5, S = 4/5 x 1/2 = 2/5 at 12; were both lost at the 15 of the longest, 4/5 x 3/4.
    early = Training((5, 0), epochs, updates, (1, 3, 5), short)
    assert time_to_target([*runs[:4], early], MAXIMIZE, 0.8, "seconds").median == 12
    untimed = Training((6, 0), epochs, updates, (math.nan,) * 3, there)
    assert time_to_target([*runs, untimed], MAXIMIZE, 0.8, "seconds") == found
    assert time_to_target([untimed], MAXIMIZE, 0.8, "seconds").n == 0


def test_costs_know_what_diverged():
    scores = grid(seeds=3)
    scores[32, 0.0][2] = None
    table = study(scores, ablation={"target": 0.75})
    gone = (table.curves["point"] == 0) & (table.curves["seed"] == 2) & (table.curves["epoch"] > 1)
    found = ablation_of(replace(table, curves=table.curves[~gone])).costs[0].to_target["updates"]
    assert found.values == (60, 60, 90) and found.reached == (True, True, False)
    (cost, *_) = ablation_of(replace(table, curves=table.curves[~gone])).costs
    assert cost.epochs.values == (3, 3) and cost.timed == ((0, 0), (1, 0))  # how long the others trained


def test_costs_on_times_that_are_known():
    found = ablation_of(study(grid(), ablation={"target": 0.75}))
    first, last = found.costs[0], found.costs[-1]
    assert first.epoch_sec.mean == pytest.approx(1.0) and first.update_sec.mean == pytest.approx(1 / 30)
    assert last.epoch_sec.mean == pytest.approx(0.25)
    assert first.to_target["updates"].median == 60
    assert first.timed == tuple((seed, 0) for seed in range(6)) and first.to_target["updates"].replicates == first.timed
    assert [each.claim.number for each in found.claims] == [1, 2, 3, 4, 5, 6, 7]
    assert [each.claim.number for each in found.claims if each.result.series] == [6, 7]


def slow_first_epoch(epochs):
    """A study of one arm whose first epoch takes 9 s and the others 2, 3 and 4 s, 30 updates each."""
    table = study({(32, 0.0): [0.9, 0.9]}, epochs=epochs)
    return replace(
        table, curves=table.curves.assign(epoch_sec=table.curves["epoch"].map({1: 9.0, 2: 2.0, 3: 3.0, 4: 4.0}))
    )


def test_the_first_epoch_is_left_out_of_the_times_where_there_are_others():
    (cost,) = ablation_of(slow_first_epoch(epochs=4)).costs
    assert cost.epoch_sec.values == (3.0, 3.0)
    assert cost.update_sec.values == pytest.approx((0.1, 0.1))
    assert cost.seconds.values == (18.0, 18.0), "the whole training counts all of them"


def test_of_one_epoch_the_first_is_all_there_is():
    (cost,) = ablation_of(slow_first_epoch(epochs=1)).costs
    assert cost.epoch_sec.values == (9.0, 9.0) and cost.update_sec.values == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize(("direction", "best_epoch", "best"), [("maximize", 2, 0.9), ("minimize", 1, 0.2)])
def test_the_best_epoch_is_that_of_the_objective_and_slack_what_the_end_lost(direction, best_epoch, best):
    table = study({(32, 0.0): [0.5, 0.5]})
    table.study["objective"] = {"metric": "valid/acc", "direction": direction}
    values = table.curves["epoch"].map({1: 0.2, 2: 0.9, 3: 0.5})
    (cost,) = ablation_of(replace(table, curves=table.curves.assign(**{"valid/acc": values}))).costs
    assert cost.best_epoch.values == (best_epoch, best_epoch) and cost.best.values == (best, best)
    assert cost.final.mean == 0.5 and cost.slack.mean == pytest.approx(0.5 - best)
    assert cost.epochs.values == (3, 3) and cost.updates.values == (90, 90)


@pytest.mark.parametrize(("steps", "epochs"), [((30, 60, 69), (1, 2, 2.3)), ((30, 60, 90), (1, 2, 3)), ((12,), (0.4,))])
def test_a_last_epoch_that_was_cut_short_is_not_a_whole_one(steps, epochs):
    """`trainer.steps` ends a training of 30 updates an epoch, .1 s each, in the middle of one."""
    table = study({(32, 0.0): [0.9, 0.9]}, epochs=len(steps), extra={"data.train_size": 950})
    done = table.curves["epoch"].map(dict(enumerate(steps, start=1)))
    seconds = 0.1 * (done - table.curves["epoch"].map(dict(enumerate((0, *steps), start=1))))
    (cost,) = ablation_of(replace(table, curves=table.curves.assign(step=done, epoch_sec=seconds))).costs
    assert cost.epochs.values == pytest.approx((epochs[-1],) * 2)
    assert cost.epoch_sec.values == pytest.approx((3.0,) * 2) and cost.update_sec.values == pytest.approx((0.1,) * 2)
    assert cost.best_epoch.values == pytest.approx((epochs[-1],) * 2)


EVERY = {"1": (1, 2, 3, 4, 5, 6), "half": (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6), "3": (3, 6), "4": (4, 6)}


@pytest.mark.parametrize("name", [*EVERY, "steps"])
def test_seconds_are_those_trained_however_often_is_evaluated(name):
    """Every epoch takes 1.5 s."""
    epochs = {**EVERY, "steps": (0.7, 1.4, 2.1, 4.9, 5.6, 6)}[name]
    rows = [
        {"epoch": e, "step": round(10 * e), "epoch_sec": 1.5 * (e - math.ceil(e) + 1), "valid/acc": e} for e in epochs
    ]
    place = {"point": 0, "seed": 0, "fold": 0}
    trials = pd.DataFrame([{**place, "state": "COMPLETE", "reason": ""}])
    table = replace(synthetic.empty(), curves=pd.DataFrame([{**place, **row} for row in rows]), trials=trials)
    (training,) = trainings_of(table, "valid/acc")[0]
    assert training.seconds == pytest.approx([1.5 * e for e in epochs])
    assert training.epochs == epochs


def test_epochs_whose_metric_is_lost_took_the_time_that_they_took():
    rows = [{"epoch": e, "step": 10 * e, "epoch_sec": float(e), "valid/acc": math.nan if e in (2, 3) else e}
            for e in range(1, 6)]  # fmt: skip
    place = {"point": 0, "seed": 0, "fold": 0}
    trials = pd.DataFrame([{**place, "state": "COMPLETE", "reason": ""}])
    table = replace(synthetic.empty(), curves=pd.DataFrame([{**place, **row} for row in rows]), trials=trials)
    (training,) = trainings_of(table, "valid/acc")[0]
    assert training.epochs == (1, 4, 5) and training.values == (1, 4, 5)
    assert training.seconds == (1, 10, 15)
