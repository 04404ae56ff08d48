"""What early ranks were worth, and the share that follows."""

import itertools
import math

import pytest

from hpsearch.base.types import TrialState
from hpsearch.search.candidates import Candidate
from hpsearch.search.hedge import best_of_beats, hedged_share, worth_of_ranks

COMPLETE, INFEASIBLE = TrialState.COMPLETE, TrialState.INFEASIBLE


@pytest.mark.parametrize(
    ("some", "others", "k"),
    [([1.0, 3.0, 5.0], [2.0, 4.0], 1), ([1.0, 3.0, 5.0, 4.0], [2.0, 4.0, 4.5], 2), ([1.0, 1.0], [1.0, 0.0], 1)],
)
def test_the_best_of_k_by_all_subsets(some, others, k):
    pairs = [(max(a), max(b)) for a in itertools.combinations(some, k) for b in itertools.combinations(others, k)]
    expected = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
    assert best_of_beats(some, others, k) == pytest.approx(expected)


def test_the_share_falls_with_the_worth_of_ranks():
    worths = (None, 1.0, 0.875, 0.75, 0.5, 0.0)
    assert [hedged_share(worth, 0.25) for worth in worths] == pytest.approx([0.25, 0.25, 0.6, 0.95, 0.95, 0.95])
    assert [hedged_share(worth, 0.75) for worth in worths] == pytest.approx([0.75, 0.75, 0.85, 0.95, 0.95, 0.95])


def candidate(point, end, state, hedged):
    return Candidate(point, {1: 0.0, 10: end}, state, hedged=hedged * 10)


def test_worth_compares_ends_by_why_points_went_on():
    def worth(race, hedged):
        points = [(end, COMPLETE, False) for end in race] + [(end, COMPLETE, True) for end in hedged]
        return worth_of_ranks({n: candidate(n, *point) for n, point in enumerate(points)})

    assert worth([1.0], []) is None and worth([], [1.0]) is None
    assert worth([2.0], [1.0]) == 1.0
    assert worth([1.0] * 8, [2.0] * 8) == 0.0
    assert worth([1.0, 2.0] * 20, [1.0, 2.0] * 20) == 0.5


def test_a_hedged_point_that_diverged_has_the_worst_end():
    points = {0: candidate(0, 1.0, COMPLETE, False), 1: candidate(1, math.inf, INFEASIBLE, True)}
    assert worth_of_ranks(points) == 1.0
    points[2] = Candidate(2, {1: 0.5}, TrialState.PAUSED)
    assert worth_of_ranks(points) == 1.0
