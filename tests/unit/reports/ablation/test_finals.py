"""Parts of the data at the final weights, equal training and races, on tables made by hand."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from scipy import stats

from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation.contrasts import contrasts
from hpsearch.reports.ablation.costs import TimeToTarget
from hpsearch.reports.ablation.equal_training import crossing
from hpsearch.reports.ablation.fastest import in_rounds, race
from hpsearch.reports.ablation.measured import equal_rows, final_rows, gap_rows, time_rows
from hpsearch.reports.ablation.numbers import ablation_of
from tests.support.ablations import study

SEEDS = ((0, 0), (1, 0), (2, 0), (3, 0))
SMALL, LARGE = (32, 0.0), (128, 0.0)
SCORES = {SMALL: [0.9, 0.92, 0.91], LARGE: [0.93, 0.95, 0.95]}
TRAIN = {SMALL: [0.95, 0.96, 0.94], LARGE: [0.99, 0.98, 0.97]}


def table(scores=SCORES, train=TRAIN, test=0.02, reduce="end", **changes) -> TrialTable:
    """Arms with evaluations at the end and a training part along the curve: its last 10, 20 and 0 % are missing."""
    made = study(scores, extra={"parameters": 4810}, **changes)
    cells = list(scores)
    end = [train[cells[p]][s] for p, s in zip(made.trials["point"], made.trials["seed"], strict=True)]
    valid = made.trials["score"] + 0.001  # the last evaluation is not the score, a mean of several
    trials = made.trials.assign(**{
        "train_eval/acc": end, "valid/acc": valid, "test/acc": valid - test, "train_eval/loss": 0.1, "test/loss": 0.4,
        "valid/loss": 0.3,
    })  # fmt: skip
    by_trial = {(p, s): t for p, s, t in zip(trials["point"], trials["seed"], end, strict=True)}
    curve = [by_trial[row.point, row.seed] - {1: 0.2, 2: 0.1, 3: 0.0}[row.epoch] for row in made.curves.itertuples()]
    curves = made.curves.assign(**{"train_eval/acc": curve})
    last = trials[["point", "seed", "fold", "train_eval/acc", "valid/acc", "test/acc"]].assign(step=90)
    first = last.assign(step=88, **{"valid/acc": last["valid/acc"] - 0.003, "test/acc": 0.5, "train_eval/acc": 0.4})
    record = {**made.study, "objective": {**made.study["objective"], "reduce": reduce}}
    ends = pd.concat([first, last]) if reduce == "end" else None
    return replace(made, study=record, trials=trials, curves=curves, ends=ends)


def test_the_final_weights_are_those_of_the_last_evaluation_not_the_score():
    small, large = ablation_of(table()).finals.arms
    assert small.parts["valid"]["acc"].mean == pytest.approx(0.911)
    assert small.parts["test"]["acc"].mean == pytest.approx(0.891)
    assert small.parts["train_eval"]["acc"].values == (0.95, 0.96, 0.94)
    low, high = stats.t.interval(0.95, 2, loc=0.95, scale=0.01 / math.sqrt(3))
    shown = small.parts["train_eval"]["acc"].shown
    assert (shown.low, shown.high) == pytest.approx((low, high))
    assert large.parts["train_eval"]["acc"].shown.high == 1  # a share is no more
    assert small.gaps["test"]["acc"].mean == pytest.approx(0.059)
    assert small.gaps["valid"]["acc"].values == pytest.approx((0.049, 0.039, 0.029))


@pytest.mark.parametrize("which", ["best", "restored"])
def test_where_the_best_weights_are_kept_these_are_the_final_ones(which):
    made = table(reduce="best" if which == "best" else "last")
    if which == "restored":
        stopping = {"early_stopping": {"restore_best": True}}
        config = {**made.study["config"], "regularizer": stopping}
        made = replace(made, study={**made.study, "config": config})
    made = replace(made, trials=made.trials.assign(best_epoch=2))
    found = ablation_of(made).finals
    assert found.weights == which
    rows = made.curves[(made.curves["epoch"] == 2) & (made.curves["point"] == 0)]
    for name in ("train_eval", "valid"):
        assert found.arms[0].parts[name]["acc"].values == pytest.approx(tuple(rows[f"{name}/acc"]))
    assert found.arms[0].parts["test"]["acc"].mean == pytest.approx(0.891)  # measured once, of these weights


def test_the_arms_are_compared_with_the_reference_on_the_test_part():
    (tested,) = ablation_of(table()).finals.tested
    gaps = [0.03, 0.03, 0.04]
    assert tested.difference.mean == pytest.approx(sum(gaps) / 3)
    assert tested.p_holm == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)
    assert tested.direction == 1


def test_an_arm_that_lost_a_trial_is_not_tested():
    made = table({SMALL: [0.9, 0.92, 0.91], LARGE: [0.93, None, 0.95]})
    assert ablation_of(made).finals.tested == ()


def test_where_a_straight_line_reaches_a_level():
    rows = [(0, 0.1, 0.2), (10, 0.5, 0.4), (20, 0.9, 0.6), (30, 0.7, 0.5)]
    assert crossing(rows, 0.6, True) == pytest.approx((12.5, 0.45))
    assert crossing(rows, 0.05, True) == (0, 0.2) and crossing(rows, 0.95, True) is None
    falling = [(0, 2.0, 0.2), (10, 1.0, 0.4)]
    assert crossing(falling, 1.5, False) == pytest.approx((5, 0.3))


def test_equal_training_is_at_the_lowest_end_of_a_trial():
    found = ablation_of(table()).equal
    assert (found.level, found.lowest) == (0.94, "batch size 32, momentum 0")
    small, large = found.arms
    assert len(small.reached) == len(large.reached) == 3
    # Of .99, .89 after epoch 2 at 14 updates and .93 - .1 there: half the way to epoch 3.
    assert large.reached[0, 0] == pytest.approx((18.5, 0.93 - 0.05), abs=0.6)
    assert small.reached[2, 0][1] == pytest.approx(0.91)
    gaps = [large.reached[each][1] - small.reached[each][1] for each in small.reached]
    assert found.differences[0].difference.values == pytest.approx(tuple(gaps))


def test_a_seed_that_never_gets_there_is_counted_and_its_arm_not_compared():
    made = table({SMALL: [0.9, 0.92, 0.91], LARGE: [0.93, None, 0.95]})
    found = ablation_of(made).equal
    assert [(len(each.reached), each.trials) for each in found.arms] == [(3, 3), (2, 3)]
    assert found.differences == ()
    assert [row[1].text for row in equal_rows(ablation_of(made))[1]] == ["3 of 3", "2 of 3"]


def test_without_a_curve_of_the_training_part_there_is_no_equal_training():
    made = table()
    assert ablation_of(replace(made, curves=made.curves.drop(columns="train_eval/acc"))).equal is None


def test_ratios_are_geometric_means_of_pairs():
    measured = {"a": {(0, 0): 2.0, (1, 0): 8.0}, "b": {(0, 0): 1.0, (1, 0): 1.0}}
    arm = next(iter(ablation_of(table()).arms))
    (found,) = contrasts(measured, replace(arm, name="b"), logarithms=True)
    assert math.exp(found.difference.mean) == pytest.approx(4)


def test_the_arm_that_needs_the_least_is_named():
    races = ablation_of(table(ablation={"target": 0.75})).races
    assert races["epochs"].arms == ("batch size 32, momentum 0", "batch size 128, momentum 0")
    assert races["training"].least == "batch size 128, momentum 0"  # a quarter of the seconds in every seed
    assert races["training"].rivals == []
    (ratio,) = races["training"].ratios
    assert math.exp(ratio.difference.mean) == pytest.approx(0.25)
    assert ablation_of(table(ablation={"target": 0.915})).races["updates"].least == ""  # one arm alone gets there


def test_an_arm_that_lost_a_trial_is_not_the_fastest():
    made = table({SMALL: [0.9, 0.92, 0.91], LARGE: [0.93, None, 0.95]})
    assert ablation_of(made).races["training"].arms == ("batch size 32, momentum 0",)


def test_no_arm_is_called_slower_than_the_least_that_its_pair_with_the_reference_does_not_show():
    def raced(*rows):
        arms = [replace(each, name=name, point=point, replicates=SEEDS) for point, (name, each) in enumerate(
            zip("abc", [ablation_of(table()).arms[0]] * 3, strict=True))]  # fmt: skip
        times = [TimeToTarget("epochs", 0.9, SEEDS, row, (True,) * 4, None) for row in rows]
        costs = [replace(ablation_of(table()).costs[0], arm=a.name, to_target={"epochs": t})
                 for a, t in zip(arms, times, strict=True)]  # fmt: skip
        return race(arms, costs, "epochs", arms[0])

    def said(found):
        return [{1: "more", -1: "less", 0: ""}[each.direction] for each in found.ratios]

    clear = raced((8.0, 9.0, 8.0, 9.0), (4.0, 4.5, 4.1, 4.4), (16.0, 18.0, 16.5, 17.0))
    assert (clear.least, clear.rivals, said(clear)) == ("b", [], ["less", "more"])
    # All spreads together show that b needs less than a; their own pairs, of which two count, do not.
    unclear = raced((8.0, 8.0, 8.0, 8.0), (4.0, 4.0, 7.0, 4.0), (7.9, 8.0, 8.0, 8.1))
    assert said(unclear)[0] == "" and (unclear.least, unclear.rivals) == ("b", ["a"])
    swapped = raced((4.0, 4.0, 7.0, 4.0), (8.0, 8.0, 8.0, 8.0), (7.9, 8.0, 8.0, 8.1))
    assert said(swapped) == ["", ""] and (swapped.least, swapped.rivals) == ("a", ["b", "c"])


def test_trials_that_were_made_arm_by_arm_are_not_in_rounds():
    made = table()
    arms = ablation_of(made).arms
    seed, point = made.trials["seed"], made.trials["point"]
    assert in_rounds(replace(made, trials=made.trials.assign(started=seed * 10 + point)), arms)
    assert not in_rounds(replace(made, trials=made.trials.assign(started=point * 10 + seed)), arms)
    late = (
        seed * 10 + point * (seed == 2) * -20
    )  # the last round began among the others: it counts where it is asked for
    made_late = replace(made, trials=made.trials.assign(started=late + point * (seed < 2)))
    assert not in_rounds(made_late, arms) and in_rounds(made_late, arms, [(0, 0), (1, 0)])
    beside = (seed * 10 + point).replace({1: 10, 10: 1})  # two workers: the last of a round beside the first of another
    assert in_rounds(replace(made, trials=made.trials.assign(started=beside)), arms)


def test_tables_hold_what_was_measured():
    found = ablation_of(table())
    names, rows = final_rows(found)
    assert names[:4] == ("arm", "part", "n", "acc")
    assert [row[1].text for row in rows] == ["training", "validation", "test"] * 2
    assert [row[3].value for row in rows[:3]] == pytest.approx([0.95, 0.911, 0.891])
    names, rows = gap_rows(found)
    assert rows[0][names.index("acc: training − test")].value == pytest.approx(0.059)
    names, rows = time_rows(found)
    assert rows[0][names.index("parameters")].text == "4,810"
