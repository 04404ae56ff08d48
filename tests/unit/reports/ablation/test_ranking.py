"""The order of the arms."""

from dataclasses import replace

import numpy as np
import pytest

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.comparisons import differences
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.ranking import beaten_of, ranking_of
from hpsearch.statistics.comparisons import resampled_ranks
from tests.support.ablations import DOWN, UP, arm, study

SCORES = {16: [0.90, 0.92, 0.85], 64: [0.91, 0.89, 0.95], 256: [0.5, 0.6, 0.4]}


def ranked(scores: dict, objective: Objective):
    return ranking_of([arm(values, size=size) for size, values in scores.items()], objective)


@pytest.mark.parametrize(("objective", "order"), [(UP, [64, 16, 256]), (DOWN, [256, 16, 64])])
def test_the_best_comes_first(objective, order):
    ranks = ranked(SCORES, objective)
    assert [rank.arm for rank in ranks] == [f"size = {size}" for size in order]
    assert [rank.place for rank in ranks] == [1, 2, 3]


def test_the_resamples_are_those_of_all_arms_together():
    ranks = {rank.arm: rank for rank in ranked(SCORES, UP)}
    expected = resampled_ranks(-np.array(list(SCORES.values())))
    for index, size in enumerate(SCORES):
        own = ranks[f"size = {size}"]
        assert (own.best, own.low, own.high) == (expected.first[index], expected.low[index], expected.high[index])
    assert ranks["size = 256"].low == 3 and ranks["size = 256"].best == 0


def test_only_replicates_in_common_count():
    ranks = ranked({16: {0: 0.9, 1: 0.9, 2: 0.1}, 64: {0: 0.8, 1: 0.8}}, UP)
    assert [rank.arm for rank in ranks] == ["size = 16", "size = 64"] and ranks[0].best == 1


def test_arms_without_a_score_are_left_out_and_two_are_the_least():
    assert len(ranked({**SCORES, 1: []}, UP)) == 3
    assert ranked({16: [0.9, 0.8]}, UP) == () and ranked({16: [0.9], 64: [0.8]}, UP) == ()


NEAR = {16: [0.80, 0.83, 0.79], 64: [0.81, 0.82, 0.83], 256: [0.79, 0.84, 0.80]}


def test_an_arm_that_is_beaten_is_not_as_good_as_the_best_unless_by_the_margin():
    arms = [arm(values, size=size) for size, values in NEAR.items()]
    assert {rank.standing for rank in ranking_of(arms, UP)[1:]} == {"may be as good"}
    ranks = {rank.arm: rank.standing for rank in ranking_of(arms, UP, beaten=["size = 16", "size = 64"])}
    assert ranks == {"size = 64": "highest", "size = 256": "may be as good", "size = 16": "worse"}
    within = ranking_of(arms, replace(UP, margin=0.5), beaten=["size = 16"])
    assert [rank.standing for rank in within] == ["highest", "equal", "equal"]


@pytest.mark.parametrize(
    ("verdicts", "beaten"),
    [
        (["may be equal", "worse"], {"size = 256"}),
        (["better", "may be equal"], {"size = 16"}),
        (["better", "worse"], {"size = 16", "size = 256"}),
        (["not compared", "may be equal"], set()),
    ],
)
def test_who_is_worse_than_any_arm_is_not_the_best(verdicts, beaten):
    arms = [arm(values, size=size) for size, values in NEAR.items()]
    found = [replace(each, verdict=said) for each, said in zip(differences(arms, arms[0], UP), verdicts, strict=True)]
    assert beaten_of(found, arms[0]) == beaten


def test_the_page_does_not_call_one_arm_worse_and_as_good():
    jitter = np.array([-2, 2, 0, 1, -1])
    scores = {
        (32, 0.0): (0.9 + 0.001 * np.roll(jitter, 3)).tolist(),
        (32, 0.9): (0.89 + 0.001 * jitter).tolist(),
        (128, 0.0): (0.88 + 0.02 * np.roll(jitter, 1)).tolist(),
        (128, 0.9): (0.88 + 0.02 * np.roll(jitter, 2)).tolist(),
    }
    found = ablation_of(study(scores))
    (worse,) = [each.arm for each in found.differences if each.verdict == "worse"]
    assert {rank.arm: rank.standing for rank in found.ranking}[worse] == "worse"
    assert {rank.arm: rank.standing for rank in ranking_of(found.arms, UP)}[worse] == "may be as good"
