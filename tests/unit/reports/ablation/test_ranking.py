"""The order of the arms."""

import numpy as np
import pytest

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.ranking import ranking_of
from hpsearch.statistics.comparisons import resampled_ranks
from tests.support.ablations import DOWN, UP, arm

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
