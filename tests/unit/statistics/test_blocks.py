import itertools

import numpy as np
import pytest

from hpsearch.statistics.blocks import above_least_p


def exact(values):
    """All orders of every round."""
    x = np.asarray(values)

    def above(rows):
        medians = np.median(rows, axis=0)
        return medians[0] - medians.min()

    rounds = [list(itertools.permutations(row)) for row in x]
    found = [above(np.array(rows)) >= above(x) - 1e-12 for rows in itertools.product(*rounds)]
    return np.mean(found)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_share_of_all_orders_that_reach_as_far(seed):
    values = np.random.default_rng(seed).normal(size=(4, 3)) + np.array([0.7, 0.0, 0.2])
    assert above_least_p(values) == pytest.approx(exact(values), abs=0.03)


def test_what_disturbs_a_whole_round_does_not_count():
    values = np.random.default_rng(0).normal(size=(4, 3))
    assert above_least_p([[3.0, 1.0, 2.0], [103.0, 101.0, 102.0], [13.0, 11.0, 12.0], [3.0, 1.0, 2.0]]) < 0.05
    assert above_least_p(values) == above_least_p(values)


def test_the_first_at_the_least_has_no_evidence():
    assert above_least_p([[1.0, 2.0, 3.0]] * 5) == 1.0


def test_at_most_five_percent_of_equal_times_are_said_to_differ():
    rng = np.random.default_rng(1)
    found = [above_least_p(rng.normal(size=(4, 4)) + rng.normal(size=(4, 1))) <= 0.05 for _ in range(200)]
    assert np.mean(found) <= 0.1
