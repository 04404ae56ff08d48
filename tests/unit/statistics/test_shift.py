import math

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_expit

from hpsearch.statistics.shift import Counts, edge_shift

X = np.linspace(-1.0, 1.0, 9)


def counts(happened, n=5, x=X):
    return Counts(list(x), list(happened), [n] * len(x))


def deviance(first, last, shift):
    """Minus twice the log-likelihood at a shift, the edge and the width free: a slow optimization."""

    def value(at):
        edge, width = at[0], math.exp(at[1])
        total = 0.0
        for each, place in ((first, edge), (last, edge + shift)):
            odds = (place - np.array(each.x)) / width
            k, n = np.array(each.happened), np.array(each.n)
            total -= 2 * np.sum(k * log_expit(odds) + (n - k) * log_expit(-odds))
        return total

    starts = [(edge, width) for edge in (-0.5, 0.0, 0.5) for width in (-3.0, -1.0)]
    return min(minimize(value, start, method="Nelder-Mead").fun for start in starts)


FIRST, LAST = counts([5, 5, 5, 4, 3, 1, 0, 0, 0]), counts([5, 5, 5, 5, 5, 4, 3, 2, 0])


def test_estimate_and_interval_are_those_of_a_slow_optimization():
    shift, interval = edge_shift(FIRST, LAST)
    best = minimize_scalar(lambda s: deviance(FIRST, LAST, s), bounds=(0, 1.5), method="bounded")
    assert shift == pytest.approx(best.x, abs=0.03)
    for end in (interval.low, interval.high):
        assert 3.84 < deviance(FIRST, LAST, end) - best.fun < 5
    assert deviance(FIRST, LAST, interval.low + 0.06) - best.fun < 3.84 < deviance(FIRST, LAST, interval.low) - best.fun
    assert interval.low > 0.2


def test_groups_the_other_way_round_turn_the_sign():
    shift, interval = edge_shift(FIRST, LAST)
    turned, other = edge_shift(LAST, FIRST)
    assert (turned, other.low, other.high) == pytest.approx((-shift, -interval.high, -interval.low))


def test_steps_have_a_shift_between_the_values_tried():
    first, last = counts([5] * 3 + [0] * 6), counts([5] * 6 + [0] * 3)
    shift, interval = edge_shift(first, last)
    assert shift == pytest.approx(0.75, abs=0.02)  # three steps of .25, a step more or less at each end
    assert 0.45 <= interval.low < 0.75 < interval.high <= 1.05
    same, around = edge_shift(first, first)
    assert same == pytest.approx(0, abs=0.02) and around.low < 0 < around.high


def test_an_end_is_infinite_where_an_edge_is_beyond_what_was_tried():
    step, always, never = counts([5] * 4 + [0] * 5), counts([5] * 9), counts([0] * 9)
    for last, low, high in ((always, False, True), (never, True, False)):
        interval = edge_shift(step, last)[1]
        assert (math.isinf(interval.low), math.isinf(interval.high)) == (low, high)
    interval = edge_shift(always, step)[1]
    assert math.isinf(interval.low) and interval.high < 0


def test_a_third_group_tells_the_width():
    unsure = counts([2, 2, 2, 2, 1, 1, 0, 0, 0], n=2)
    narrow = counts([9] * 4 + [0] * 5, n=9)
    alone, helped = edge_shift(unsure, unsure)[1], edge_shift(unsure, unsure, [narrow])[1]
    assert helped.high - helped.low < alone.high - alone.low


def test_rates_of_a_random_search_cost_no_more():
    x = np.sort(np.concatenate([X, X + 1e-9]))
    twice = counts(np.repeat([5, 5, 5, 4, 3, 1, 0, 0, 0], 2), x=x)
    assert edge_shift(twice, twice)[0] == pytest.approx(0, abs=0.05)
