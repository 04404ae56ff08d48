"""Which nuisance values an arm is given."""

from dataclasses import replace

import pandas as pd
import pytest

from hpsearch.reports.ablation.tuning import searches_of
from tests.support.ablations import NO_STEPS, study

RATES = (0.01, 0.02, 0.04, 0.08, 0.16)
NARROW = {0.01: 0.80, 0.02: 0.86, 0.04: 0.88, 0.08: 0.87, 0.16: 0.90}
LUCKY = {0.01: 0.80, 0.02: 0.91, 0.04: 0.88, 0.08: 0.90, 0.16: 0.84}


def tuning(rows, space, losses=None, direction="maximize"):
    """The search of one arm: `rows` are (values by key, scores by seed, None: diverged)."""
    trials = [
        {**study({(32, 0.9): [score]}).trials.iloc[0].to_dict(), "point": point, "seed": seed, **params}
        for point, (params, scores) in enumerate(rows)
        for seed, score in enumerate(scores)
    ]
    table = study({(32, 0.9): [0.9]})
    record = {**table.study, "space": {**table.study["space"], **space}}
    record["objective"] = {**record["objective"], "direction": direction}
    ends = losses or {}
    curves = pd.DataFrame(
        {"point": trial["point"], "seed": trial["seed"], "fold": 0, "epoch": epoch, "step": epoch,
         "train/loss": loss}
        for trial in trials for epoch, loss in ((1, 1.0), (2, ends.get(trial["point"], 0.1)))
    )  # fmt: skip
    return replace(table, study=record, trials=pd.DataFrame(trials), curves=curves, steps=NO_STEPS)


def over_rates(means, lost=(), space="tag(log, interval(0.01, 0.16))", sd=0.03, **options):
    rows = [({"optimizer.lr": rate}, [mean - sd, mean, None if rate in lost else mean + sd])
            for rate, mean in means.items()]  # fmt: skip
    return tuning(rows, {"optimizer.lr": space}, **options)


def rate(table):
    (found,) = searches_of(table)
    return found.params["optimizer.lr"]


def test_the_rate_whose_neighbours_do_well_is_chosen_and_not_the_luckiest():
    (found,) = searches_of(over_rates(LUCKY))
    smoothed = [each.smoothed for each in found.tried]
    # by hand, in the middle: (-.80 + 4 x .91 + 9 x .88 + 4 x .90 - .84) / 15
    assert smoothed[2] == pytest.approx(13.52 / 15)
    assert found.params == {"optimizer.lr": 0.04} and found.mean == pytest.approx(0.88) and found.seeds == 3
    assert smoothed[2] > max(each for place, each in enumerate(smoothed) if place != 2)
    assert rate(over_rates({key: 1 - mean for key, mean in LUCKY.items()}, direction="minimize")) == 0.04


def test_a_rate_at_which_a_seed_diverges_or_stays_is_not_chosen_and_smooths_no_other():
    best = {**LUCKY, 0.04: 0.99}
    assert rate(over_rates(best)) == 0.04
    (found,) = searches_of(over_rates(best, lost=[0.04]))
    assert found.params["optimizer.lr"] != 0.04 and found.trained == 4
    assert found.tried[2].smoothed is None and all(each.smoothed < 0.92 for each in found.tried if each.smoothed)
    (flat,) = searches_of(over_rates(best, losses={2: 0.9}))
    assert flat.params == found.params and flat.tried[2].mean == pytest.approx(0.99)


def test_a_setting_that_is_clearly_worse_is_not_chosen_for_its_neighbours():
    # least significant difference of two means of three at 5 %, 10 degrees of freedom: 2.228 sd sqrt(2 / 3) = 1.82 sd
    assert rate(over_rates(LUCKY, sd=0.03 / 1.83)) == 0.02
    assert rate(over_rates(LUCKY, sd=0.03 / 1.81)) == 0.04
    assert rate(over_rates(LUCKY, sd=0.0001)) == 0.02
    lower = {key: 1 - mean for key, mean in LUCKY.items()}
    assert rate(over_rates(lower, sd=0.0001, direction="minimize")) == 0.02
    one = tuning([({"optimizer.lr": key}, [mean]) for key, mean in LUCKY.items()], {"optimizer.lr": "choice(1)"})
    assert rate(one) == 0.04


def test_where_no_loss_falls_by_half_all_complete_settings_are_compared():
    assert rate(over_rates(LUCKY, losses=dict.fromkeys(range(5), 0.9))) == 0.04
    assert rate(over_rates(LUCKY, losses=dict.fromkeys(range(5), 0.9), lost=[0.04])) != 0.04


def test_an_end_and_three_values_stay_as_they_are():
    assert rate(over_rates(NARROW)) == 0.16
    assert rate(over_rates({0.01: 0.5, 0.02: 0.9, 0.04: 0.8})) == 0.02


def test_a_list_of_rates_is_smoothed_as_an_interval_is():
    assert rate(over_rates(LUCKY, space="choice(0.01, 0.02, 0.04, 0.08, 0.16)")) == 0.04


def test_no_setting_is_a_neighbour_of_one_of_another_category():
    means = {"relu": LUCKY, "tanh": {key: 0.2 for key in LUCKY}}
    rows = [({"optimizer.lr": key, "model.act": act}, [mean] * 3) for act in means for key, mean in means[act].items()]
    (found,) = searches_of(tuning(rows, {"optimizer.lr": "choice(1)", "model.act": "choice(relu, tanh)"}))
    assert found.params == {"optimizer.lr": 0.04, "model.act": "relu"}
    assert [each.smoothed for each in found.tried[5:]] == [0.2] * 5


def test_of_two_keys_neighbours_count_along_both():
    rows = [
        ({"optimizer.lr": 0.01 * 2**i, "optimizer.weight_decay": 1e-5 * 10**j}, [0.9 - 0.01 * away])
        for i in range(5) for j in range(5) for away in [(i - 2) ** 2 + (j - 2) ** 2]
    ]  # fmt: skip
    space = {
        "optimizer.lr": "tag(log, interval(0.01, 0.16))",
        "optimizer.weight_decay": "tag(log, interval(1e-5, 0.1))",
    }
    (found,) = searches_of(tuning(rows, space))
    assert [each.smoothed for each in found.tried] == pytest.approx([scores[0] for _, scores in rows])
    params, scores = rows[0]
    rows[0] = (params, [scores[0] + 0.09])  # one lucky corner, above the true best
    (found,) = searches_of(tuning(rows, space))
    assert found.params == pytest.approx({"optimizer.lr": 0.04, "optimizer.weight_decay": 1e-3})


def test_of_equal_settings_the_first_is_chosen():
    assert rate(over_rates(dict.fromkeys(RATES, 0.9))) == 0.01
