"""Arms against the reference arm."""

from dataclasses import replace

import numpy as np
import pytest

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.comparisons import differences, paired, tally
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.sentences import answer, caveats
from hpsearch.reports.ablation.tables import arm_rows, difference_rows
from hpsearch.reports.kit.cells import NONE
from hpsearch.statistics.comparisons import detectable_factor
from tests.support.ablations import DOWN, UP, arm, grid, study


@pytest.mark.parametrize("levels", [([1, 1], [6, 6]), ({"a": 1}, {"a": 2}), (None, [6, 6])])
def test_a_level_may_be_a_list_as_of_the_blocks_of_a_network(levels):
    found = study(grid(), ablation={"reference": {"data.batch_size": levels[1]}})
    column = [levels[each > 32] for each in found.trials["data.batch_size"]]
    found = ablation_of(replace(found, trials=found.trials.assign(**{"data.batch_size": column})))
    assert found.reference.point == 2 and len(found.differences) == 3


def test_arms_are_compared_with_the_reference():
    found = ablation_of(
        study(grid(sd=0.002), ablation={"reference": {"optimizer.momentum": 0.9, "data.batch_size": 32}})
    )
    assert found.reference.levels == {"data.batch_size": 32, "optimizer.momentum": 0.9}
    assert [each.verdict for each in found.differences] == ["worse"] * 3
    assert found.ranking[0].arm == found.reference.name and found.ranking[0].best > 0.9
    assert "It is the reference" in answer(found) and "t interval" in answer(found)


def test_unequal_seeds_are_paired_on_those_in_common():
    scores = grid()
    scores[128, 0.0][1] = None
    found = ablation_of(study(scores))
    own = found.differences[1]
    kept = [0, 2, 3, 4, 5]
    expected = [scores[128, 0.0][i] - scores[32, 0.0][i] for i in kept]
    assert own.difference.values == pytest.approx(expected) and own.dropped == 1
    assert any("unequal seeds (5 to 6 finished)" in line for line in caveats(found))


def test_an_arm_of_which_a_seed_diverged_is_not_ranked_by_its_mean():
    scores = grid()
    scores[128, 0.0][1] = None
    found = ablation_of(study(scores))
    own = found.differences[1]
    assert (own.verdict, own.p) == ("not compared", None) and "given that both train" in own.why
    assert own.arm not in [rank.arm for rank in found.ranking] and len(found.ranking) == 3
    (line,) = [line for line in caveats(found) if "Its mean is not ranked." in line]
    assert line.startswith("Batch size 128, momentum 0: 5 of 6 trials train (0.870")
    assert "), 1 diverges; the share" in line
    # Clopper-Pearson of 5 of 6 and Fisher's test of 5 of 6 against 6 of 6, by scipy.
    assert "the share that trains is 36 to 100 % (95 % Clopper-Pearson interval)" in line
    assert "of the reference 6 of 6 train (Fisher's p = 1)" in line


def with_dead_trial(table, point, seed):
    """The ablation with losses: all but one trial train."""
    chance = (table.curves["point"] == point) & (table.curves["seed"] == seed)
    losses = np.where(chance, 2.3, 2.3 / table.curves["epoch"])
    facts = {"constant.train/loss": 2.3, "constant.valid/loss": 2.3, "constant.valid/acc": 0.1, "data.valid_size": 360}
    scores = np.where((table.trials["point"] == point) & (table.trials["seed"] == seed), 0.1, table.trials["score"])
    curves = {"train/loss": losses, "valid/loss": losses, "valid/acc": np.where(chance, 0.1, 0.9)}
    return replace(table, curves=table.curves.assign(**curves), trials=table.trials.assign(score=scores, **facts))


def test_dead_and_diverged_count_alike():
    whole, dead = grid(), ablation_of(with_dead_trial(study(grid()), 2, 1))
    whole[128, 0.0][1] = None
    away = ablation_of(study(whole))
    for found in (away, dead):
        arm = found.arms[2]
        assert (arm.trained, arm.lost, arm.score.n) == (5, 1, 5)
        assert found.differences[1].p is None
        assert arm.name not in [rank.arm for rank in found.ranking]
        names, rows = arm_rows(found)
        cells = dict(zip(names, [cell.text for cell in rows[2]], strict=True))
        assert (cells["train"], cells["n"], cells["valid/acc"]) == ("5 of 6", "5", NONE.text)
        assert dict(zip(names, [cell.text for cell in rows[0]], strict=True))["train"] == "6 of 6"
    assert [arm.score.values for arm in away.arms] == [arm.score.values for arm in dead.arms]
    (line,) = [line for line in caveats(dead) if "Its mean is not ranked." in line]
    assert "), 1 stays at chance; the share that trains is 36 to 100 %" in line


def test_the_best_arm_is_one_of_which_every_seed_trains():
    found = ablation_of(study(grid()))
    best = found.best
    lost = ablation_of(with_dead_trial(study(grid()), best.point, 3))
    assert lost.best is not None and lost.best.name != best.name
    only = ablation_of(with_dead_trial(study({(32, 0.0): [0.9, 0.91, 0.1]}), 0, 2))
    assert only.best is None
    assert answer(only) == "No answer: in no arm does every seed train."


def test_rounding_makes_no_difference():
    ones, noisy = [0.1 + 0.2, 0.6, 0.9], [0.3, 0.6 * (1 + 1e-15), 0.9]
    found = paired(arm(ones, **{"data.batch_size": 1}), arm(noisy, **{"data.batch_size": 2}))
    assert found.difference.values == (0.0, 0.0, 0.0)
    assert (found.difference.sd, found.p) == (0.0, 1.0)


def test_nothing_is_tested_against_a_reference_of_which_a_seed_diverged():
    scores = grid()
    scores[32, 0.0][1] = None
    found = ablation_of(study(scores))
    assert {each.verdict for each in found.differences} == {"not compared"}
    assert all("1 of 6 trials of batch size 32, momentum 0 do not train" in each.why for each in found.differences)


def test_an_arm_without_a_finished_trial_is_told_and_left_out():
    scores = grid()
    scores[128, 0.9] = [None] * 6
    found = ablation_of(study(scores))
    assert found.differences[2].verdict == "not compared" and "no finished trial" in found.differences[2].why
    assert found.effects.each == () or found.effects.why
    assert caveats(found)[0].startswith("No trial of batch size 128, momentum 0.9 finished (6 of 6 diverged)")
    assert len(found.ranking) == 3


@pytest.mark.parametrize(("objective", "verdicts"), [(UP, ["better", "worse"]), (DOWN, ["worse", "better"])])
def test_the_direction_of_the_objective_says_what_is_better(objective, verdicts):
    arms = [arm([0.5, 0.6, 0.7], size=1), arm([0.81, 0.9, 1.0], size=2), arm([0.2, 0.31, 0.4], size=3)]
    found = differences(arms, arms[0], objective)
    assert [each.verdict for each in found] == verdicts
    assert found[0].difference.values == pytest.approx((0.31, 0.3, 0.3)), "arm minus reference"
    assert found[0].effect > 0 > found[1].effect
    # at Holm's first step of two comparisons
    assert found[0].detectable == pytest.approx(detectable_factor(3, 0.025) * np.std([0.31, 0.3, 0.3], ddof=1))
    assert found[0].p_holm >= found[0].p


def test_verdicts_are_counted_in_one_order():
    arms = [arm([0.5, 0.6, 0.7], size=1), arm([], size=2), arm([0.2, 0.31, 0.4], size=3), arm([0.6, 0.5, 0.7], size=4)]
    assert tally(differences(arms, arms[0], UP)) == "1 worse, 1 may be equal, 1 not compared"
    assert tally([]) == ""


def test_the_verdict_is_that_of_the_adjusted_p_value():
    steady, shifted, same = [0.5, 0.6, 0.7, 0.6], [0.54, 0.66, 0.73, 0.69], [0.6, 0.5, 0.6, 0.7]
    arms = [arm(values, size=size) for size, values in enumerate([steady, shifted, same, same, same])]
    found = differences(arms, arms[0], UP)
    assert found[0].p < 0.05 < found[0].p_holm and found[0].verdict == "may be equal"
    (alone,) = differences(arms[:2], arms[0], UP)
    assert alone.p_holm == alone.p == found[0].p and alone.verdict == "better"


def test_what_differs_is_told_on_the_test_split_too():
    scores = {(32, 0.0): [0.5, 0.6, 0.7], (32, 0.9): [0.8, 0.9, None], (128, 0.9): [0.6, 0.8, 0.7]}
    table = study(scores)
    tested = table.trials.assign(**{"test/acc": [0.4, 0.5, 0.6, 0.9, 0.8, 0.1, 0.5, 0.6, 0.8]})
    found = ablation_of(replace(table, trials=tested))
    partly, whole = found.differences
    assert partly.test.values == pytest.approx((0.5, 0.3)) and whole.test.values == pytest.approx((0.1, 0.1, 0.2))
    names, rows = difference_rows(found)
    assert rows[1][names.index("test difference")].text == "+0.13 (−0.01 to +0.28)"
    arms, cells = arm_rows(found)
    place = arms.index("test difference")
    assert [row[place].text for row in cells] == [
        "–",
        "+0.4 (−0.9 to +1.7)",
        "+0.13 (−0.01 to +0.28)",
    ]
    missing = tested.assign(**{"test/acc": tested["test/acc"].where(tested.index != 7)})
    assert ablation_of(replace(table, trials=missing)).differences[1].test is None
    assert "test difference" not in difference_rows(ablation_of(table))[0]


def test_the_pairs_of_the_test_split_are_those_of_the_seeds_in_common():
    first, second = arm({1: 0.1, 2: 0.2, 3: 0.3}, size=1), arm({2: 0.2, 3: 0.3, 4: 0.4}, size=2)
    first, second = (replace(each, test=replace(each.score)) for each in (first, second))
    assert paired(second, first).test.values == (0.0, 0.0)


def ended(scores, lasts, **levels):
    return replace(arm(scores, **levels), lasts=tuple(lasts))


@pytest.mark.parametrize(
    ("drift", "verdict"), [(0.0, "better"), (0.02, "better"), (-0.039, "undecided: drift"), (-0.1, "undecided: drift")]
)
@pytest.mark.parametrize("maximize", [True, False])
def test_a_verdict_that_the_last_evaluations_reverse_is_withheld(drift, verdict, maximize):
    sign = 1 if maximize else -1
    objective = Objective("valid/acc", "maximize" if maximize else "minimize")
    reference = ended([0.5, 0.51, 0.52, 0.49, 0.5], [0.5, 0.51, 0.52, 0.49, 0.5], a=0)
    gains = [0.04, 0.045, 0.042, 0.036, 0.037]
    scores = [base + sign * gain for base, gain in zip(reference.score.values, gains, strict=True)]
    jitter = [0.01, -0.01, 0.02, -0.02, 0.0]  # which leaves the mean, and so the verdict, alone
    other = ended(scores, [s + sign * drift + j for s, j in zip(scores, jitter, strict=True)], a=1)
    (found,) = differences([reference, other], reference, objective)
    assert found.verdict == verdict and found.drift == pytest.approx(sign * drift)
    if verdict != "better":
        assert found.why == f"by the last evaluations alone it is: {'worse' if drift < -0.05 else 'may be equal'}"
    (unknown,) = differences([reference, replace(other, lasts=())], reference, objective)
    assert unknown.verdict == "better" and unknown.drift == 0


def test_drift_makes_no_verdict():
    reference = ended([0.5, 0.51, 0.52], [0.5, 0.51, 0.52], a=0)
    other = ended([0.5, 0.52, 0.51], [0.8, 0.82, 0.81], a=1)
    (found,) = differences([reference, other], reference, Objective("valid/acc"))
    assert found.verdict == "may be equal" and found.why == ""
