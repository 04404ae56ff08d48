"""The arms of an ablation."""

from dataclasses import replace

from hpsearch.reports.ablation.arms import level, replicates_in_common, scores, with_arms
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.tables import arm_rows
from hpsearch.reports.kit.cells import texts
from tests.support.ablations import arm, study


def test_levels_that_are_nearly_equal_are_two_arms():
    found = ablation_of(study({(32, 0.9001): [0.8, 0.9], (32, 0.9002): [0.7, 0.9]}))
    assert [arm.name for arm in found.arms] == ["batch size 32, momentum 0.9001", "batch size 32, momentum 0.9002"]
    assert len(found.differences) == 1 and "reference" not in texts(arm_rows(found)[1])[1]
    assert (
        level(0.1 + 0.2) == "0.3" and level(1e-4) == "0.0001" and level(1234567) == "1234567" and level(True) == "true"
    )


def test_scores_come_in_the_order_that_is_asked():
    one = arm({3: 0.3, 1: 0.1, 2: 0.2})
    assert scores(one, [(2, 0), (3, 0)]) == [0.2, 0.3]
    assert replicates_in_common([one, arm({2: 1.0, 3: 1.0, 9: 1.0})]) == ((2, 0), (3, 0))


def test_the_test_score_is_that_of_each_finished_trial():
    table = study({(32, 0.0): [0.8, None, 0.9]})
    tested = table.trials.assign(**{"test/acc": [0.7, 0.1, 0.6]})
    (only,) = ablation_of(replace(table, trials=tested)).arms
    assert only.test.values == (0.7, 0.6) and only.score.values == (0.8, 0.9)
    assert (only.trials, only.diverged, only.replicates) == (3, 1, ((0, 0), (2, 0)))
    assert ablation_of(table).arms[0].test is None


def test_curves_are_told_which_arm_they_are_of():
    table = with_arms(study({(32, 0.0): [0.8], (128, 0.9): [0.9]}))
    assert list(table.trials["arm"]) == ["batch size 32, momentum 0", "batch size 128, momentum 0.9"]
    last = table.curves[table.curves["point"] == 1]
    assert set(last["arm"]) == {"batch size 128, momentum 0.9"} and set(last["optimizer.momentum"]) == {0.9}
