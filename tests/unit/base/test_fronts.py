"""Non-dominated sorting against the definition written out."""

import numpy as np
import pytest

from hpsearch.base.fronts import front_numbers


def by_definition(scores):
    numbers, left, front = {}, set(range(len(scores))), 0
    while left:
        beaten = {i for i in left for j in left if dominates(scores[j], scores[i])}
        numbers |= dict.fromkeys(left - beaten, front)
        left, front = beaten, front + 1
    return [numbers[i] for i in range(len(scores))]


def dominates(one, other):
    return all(a >= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_by_their_definition(objectives):
    rng = np.random.default_rng(objectives)
    for _ in range(20):
        scores = rng.integers(5, size=(rng.integers(1, 15), objectives)).tolist()
        assert front_numbers(scores) == by_definition(scores)


def test_no_points_and_worst_scores():
    assert front_numbers([]) == []
    assert front_numbers([(-np.inf, 1.0), (0.0, 1.0), (-np.inf, 2.0)]) == [1, 0, 0]
