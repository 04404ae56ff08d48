"""Two ablations arm by arm."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hpsearch.reports.ablation.arm_by_arm import arm_by_arm, told
from tests.support.ablations import grid, study


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
