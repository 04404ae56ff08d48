"""What an ablation found, against scipy, closed forms and cases done by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arm_by_arm import arm_by_arm, told
from hpsearch.reports.ablation.arms import level
from hpsearch.reports.ablation.costs import Training, time_to_target
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.tables import arm_rows, cost_rows, difference_rows, ranking_aid
from hpsearch.reports.kit.cells import texts

NO_STEPS = pd.DataFrame(columns=["point", "seed", "fold", "step", "loss"])
MAXIMIZE = Objective("valid/acc", share=True)


def study(scores, seeds=None, epochs=3, states=None, ablation=None, extra=None):
    """A table of arms batch size x momentum; `scores` maps (batch, momentum) to one score per seed, None: diverged."""
    trials, curves = [], []
    for point, ((batch, momentum), values) in enumerate(scores.items()):
        for seed, score in enumerate(values):
            place = {"point": point, "seed": seed, "fold": 0}
            trials.append({
                **place, "state": "INFEASIBLE" if score is None else "COMPLETE", "score": score, "attempts": 1,
                "reason": "", "started": 0.0, "ended": 1.0, "duration_sec": 1.0, "run_id": None, "key": "",
                "command": "", "data.batch_size": batch, "optimizer.momentum": momentum, **(extra or {}),
            })  # fmt: skip
            for epoch in range(1, epochs + 1):
                accuracy = (score or 0.0) - 0.1 * (epochs - epoch)
                curves.append({
                    **place, "epoch": epoch, "step": epoch * 960 // batch, "time": 0.0, "epoch_sec": 32 / batch,
                    "valid/acc": accuracy, "valid/loss": abs(epoch - 2) + 1.0,
                })  # fmt: skip
    keys = ["data.batch_size", "optimizer.momentum"]
    record = {
        "question": "?",
        "objective": {"metric": "valid/acc", "direction": "maximize"},
        "space": dict.fromkeys(keys, "choice(1)"),
        "config": {"ablation": {"factors": keys, "nuisance": "held", **(ablation or {})}, "optimizer": {"lr": 0.1}},
    }
    return TrialTable("a", record, pd.DataFrame(trials), pd.DataFrame(curves), pd.DataFrame())


def grid(seeds=6, sd=0.01, rng=0):
    draw = np.random.default_rng(rng)
    return {
        (b, m): list(0.9 - 0.02 * (b > 32) + 0.03 * (m > 0) + sd * draw.normal(size=seeds))
        for b in (32, 128)
        for m in (0.0, 0.9)
    }


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


def test_interaction_of_two_by_two_is_the_t_test_of_the_contrast():
    scores = grid()
    found = ablation_of(study(scores))
    cells = {key: np.array(values) for key, values in scores.items()}
    contrast = cells[32, 0.0] - cells[32, 0.9] - cells[128, 0.0] + cells[128, 0.9]
    expected = stats.ttest_1samp(contrast, 0.0)
    effect = found.effects.each[2]
    assert effect.interaction and effect.keys == ("data.batch_size", "optimizer.momentum")
    assert effect.f == pytest.approx(expected.statistic**2) and effect.p == pytest.approx(expected.pvalue)
    assert sum(each.eta_squared for each in found.effects.each) == pytest.approx(1.0)
    assert effect.freedom == pytest.approx((1, 5))


def test_arms_are_compared_with_the_reference():
    found = ablation_of(
        study(grid(sd=0.002), ablation={"reference": {"optimizer.momentum": 0.9, "data.batch_size": 32}})
    )
    assert found.reference.levels == {"data.batch_size": 32, "optimizer.momentum": 0.9}
    assert [each.verdict for each in found.differences] == ["worse"] * 3
    assert found.ranking[0].arm == found.reference.name and found.ranking[0].best > 0.9
    assert "it is the reference" in found.answer and "t interval" in found.answer


def test_the_answer_begins_with_a_capital_letter_and_a_key_is_left_as_it_is():
    table = study(grid())
    assert ablation_of(table).answer.startswith("Batch size 32, momentum 0.9 has the best valid/acc")
    keys = {"data.batch_size": "model.width", "optimizer.momentum": "model.depth"}
    record = {**table.study, "space": {keys[key]: value for key, value in table.study["space"].items()}}
    record["config"] = {**record["config"], "ablation": {"factors": list(keys.values())}}
    found = ablation_of(replace(table, study=record, trials=table.trials.rename(columns=keys)))
    assert found.answer.startswith("model.width = 32, model.depth = 0.9 has the best valid/acc")


@pytest.mark.parametrize("metric", ["valid/acc", "valid/loss"])
def test_a_share_has_no_difference_above_one(metric):
    table = study({(32, 0.0): [0.1, 0.9], (128, 0.0): [0.8, 0.2], (512, 0.0): [0.6, 0.65]})
    objective = {"metric": metric, "direction": "maximize"}
    found = ablation_of(replace(table, study={**table.study, "objective": objective}))
    caveat = next(line for line in found.caveats if "Not told apart is not equal" in line)
    cells = [row[-1].text for row in difference_rows(found)[1]]
    if metric == "valid/acc":
        assert "of more than could ever be seen would" in caveat and cells == ["> 1", "> 1"]
    else:
        assert "more than" not in caveat and all(float(cell) > 1 for cell in cells)


def test_unequal_seeds_are_paired_on_those_in_common():
    scores = grid()
    scores[128, 0.0][1] = None
    found = ablation_of(study(scores))
    own = found.differences[1]
    kept = [0, 2, 3, 4, 5]
    expected = [scores[128, 0.0][i] - scores[32, 0.0][i] for i in kept]
    assert own.difference.values == pytest.approx(expected) and own.dropped == 1
    assert any("unequal seeds (5 to 6 finished)" in line for line in found.caveats)
    assert any("1 of 6 trials" in line and "flatters" in line for line in found.caveats)


def test_an_arm_without_a_finished_trial_is_told_and_left_out():
    scores = grid()
    scores[128, 0.9] = [None] * 6
    found = ablation_of(study(scores))
    assert found.differences[2].verdict == "not compared" and "no finished trial" in found.differences[2].why
    assert found.effects.each == () or found.effects.why
    assert found.caveats[0].startswith("No trial of batch size 128, momentum 0.9 finished (6 of 6 diverged)")
    assert len(found.ranking) == 3


def searched(levels, trained):
    """The search over the rate of arms; those not in `trained` diverged at every rate."""
    table = study({cell: [0.9 if cell in trained else None] for cell in levels})
    rows = pd.concat([table.trials.assign(**{"optimizer.lr": rate}) for rate in (0.1, 0.2)], ignore_index=True)
    space = {**table.study["space"], "optimizer.lr": "choice(0.1, 0.2)"}
    return replace(
        table, study={**table.study, "space": space}, trials=rows.assign(point=range(len(rows))), steps=NO_STEPS
    )


@pytest.mark.parametrize("lost", [(32, 0.0), (128, 0.9)])
def test_an_arm_that_trained_nowhere_in_the_search_is_still_told(lost):
    scores = grid()
    tuning = searched(list(scores), trained=[cell for cell in scores if cell != lost])
    name = f"batch size {lost[0]}, momentum {lost[1]:g}"
    del scores[lost]
    found = ablation_of(study(scores, ablation={"nuisance": "retuned"}), tuning)
    assert [arm.name for arm in found.arms if not arm.finished] == [name] and len(found.arms) == 4
    assert found.caveats[0].startswith(f"No trial of {name} finished (the search before found no setting")
    assert found.reference.name == "batch size 32, momentum 0" and "No answer" not in found.answer
    assert [factor.values for factor in found.factors] == [(32, 128), (0.0, 0.9)]
    assert all(rows for _, rows in (arm_rows(found), difference_rows(found), cost_rows(found)))


def test_a_reference_that_never_ran_is_no_lack_of_trials():
    found = ablation_of(study(grid(), ablation={"reference": {"data.batch_size": 64}}))
    assert found.reference is None and found.answer.endswith("nothing is compared, for the reference has no trial.")
    assert not any("reference" in row for row in texts(arm_rows(found)[1]))


def test_levels_that_are_nearly_equal_are_two_arms():
    found = ablation_of(study({(32, 0.9001): [0.8, 0.9], (32, 0.9002): [0.7, 0.9]}))
    assert [arm.name for arm in found.arms] == ["batch size 32, momentum 0.9001", "batch size 32, momentum 0.9002"]
    assert len(found.differences) == 1 and "reference" not in texts(arm_rows(found)[1])[1]
    assert (
        level(0.1 + 0.2) == "0.3" and level(1e-4) == "0.0001" and level(1234567) == "1234567" and level(True) == "true"
    )


@pytest.mark.parametrize(("seeds", "warned"), [(3, True), (20, False)])
def test_the_ranking_over_few_seeds_is_not_to_be_trusted(seeds, warned):
    assert ("too narrow" in ranking_aid(ablation_of(study(grid(seeds=seeds))))) is warned


def test_one_seed_claims_no_interval_and_says_why():
    found = ablation_of(study(grid(seeds=1)))
    assert "no interval is claimed" in found.answer
    assert all(each.p is None and each.difference.shown is None for each in found.differences)
    assert any("One seed per arm" in line for line in found.caveats)


def test_costs_on_times_that_are_known():
    found = ablation_of(study(grid(), ablation={"target": 0.75}))
    first, last = found.costs[0], found.costs[-1]
    assert first.epoch_sec.mean == pytest.approx(1.0) and first.update_sec.mean == pytest.approx(1 / 30)
    assert last.epoch_sec.mean == pytest.approx(0.25)
    assert first.to_target["updates"].median == 60
    assert first.timed == tuple((seed, 0) for seed in range(6)) and first.to_target["updates"].replicates == first.timed
    assert [each.claim.number for each in found.claims] == [1, 2, 3, 4, 5, 6, 7]
    assert [each.claim.number for each in found.claims if each.result.series] == [6, 7]


def test_two_ablations_are_compared_arm_by_arm_over_the_seeds_that_both_have():
    first = study(grid(sd=0.01, rng=0))
    scores = {arm: [v + 0.05 * (arm == (128, 0.9)) + 0.001 * i for i, v in enumerate(values)]
              for arm, values in grid(sd=0.01, rng=0).items() if arm != (32, 0.0)}  # fmt: skip
    second = replace(study({**scores, (64, 0.0): [0.5] * 6}, ablation={"nuisance": "retuned"}), name="b")
    shared = arm_by_arm(first, second)
    assert [each.difference.arm for each in shared] == [
        "batch size 32, momentum 0.9", "batch size 128, momentum 0", "batch size 128, momentum 0.9",
    ]  # fmt: skip
    for each in shared:
        values = np.subtract(each.second.score.values, each.first.score.values)
        assert each.difference.difference.values == pytest.approx(values)
        assert each.difference.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
        low, high = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
        assert (each.difference.difference.shown.low, each.difference.difference.shown.high) == pytest.approx((
            low,
            high,
        ))
        assert each.first.nuisance == {} and each.difference.p_holm >= each.difference.p
    assert told(shared, "a", "b").startswith("Of 3 arms that both have, in b against a: 3 better (")


@pytest.mark.parametrize(
    "changes", [{"ablation": {"factors": []}}, {"seeds": 1}, {"metric": "valid/loss"}], ids=["search", "seed", "metric"]
)
def test_what_cannot_be_compared_arm_by_arm_says_so(changes):
    first, second = study(grid()), replace(study(grid(), ablation=changes.get("ablation")), name="b")
    if "metric" in changes:
        second.study["objective"] = {"metric": changes["metric"], "direction": "minimize"}
    if "seeds" in changes:
        second = replace(second, trials=second.trials.assign(seed=second.trials["seed"] + 100))
        shared = arm_by_arm(first, second)
        assert {each.difference.why for each in shared} == {"the two have no seed in common"}
        assert "4 not compared" in told(shared, "a", "b")
    else:
        assert arm_by_arm(first, second) == ()


def test_an_arm_without_a_score_is_named_with_its_study():
    lost = grid() | {(32, 0.9): [None] * 6}
    shared = arm_by_arm(replace(study(lost), name="first"), replace(study(grid()), name="second"))
    assert shared[1].difference.why == "batch size 32, momentum 0.9 of first has no finished trial"
