import math

import numpy as np
import pytest

from hpsearch.statistics.intervals import mean_interval
from hpsearch.statistics.optimism import expected_maximum, expected_optimism, measured_optimism


@pytest.mark.parametrize(
    ("n", "exact"), [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (5, 1.1629644736)]
)
def test_closed_forms(n, exact):
    assert expected_maximum(n) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize(("n", "known"), [(10, 1.54), (20, 1.87), (50, 2.25), (100, 2.51)])
def test_known_values(n, known):
    assert expected_maximum(n) == pytest.approx(known, abs=0.005)


def test_agrees_with_draws():
    draws = np.random.default_rng(0).normal(size=(20_000, 13)).max(axis=1)
    assert expected_maximum(13) == pytest.approx(draws.mean(), abs=4 * draws.std() / math.sqrt(len(draws)))


@pytest.mark.parametrize("width", [0.0, 3.0, 10.0])
def test_what_the_best_mean_promises_too_much_on_average(width):
    rng, truth, estimated = np.random.default_rng(0), [], []
    for _ in range(1000):
        levels = width * rng.random(20)
        means = levels + rng.normal(size=20)
        truth.append(means.max() - levels[means.argmax()])
        estimated.append(expected_optimism(means, 1.0))
    assert np.mean(estimated) == pytest.approx(np.mean(truth), rel=0.2)


def test_optimism_scales_with_the_error_and_grows_with_candidates():
    means = np.random.default_rng(0).normal(size=8)
    assert expected_optimism(10 * means, 10.0) == pytest.approx(10 * expected_optimism(means, 1.0))
    assert expected_optimism(means, 1.0, pruned=8) > expected_optimism(means, 1.0)
    assert expected_optimism(np.asarray([0.0, 100.0]), 1.0) < 1e-6
    assert expected_optimism(np.zeros(4), 0.0) == 0.0


@pytest.mark.parametrize(("maximize", "sign"), [(True, 1), (False, -1)])
def test_a_promise_is_held_against_fresh_seeds(maximize, sign):
    fresh = [0.90, 0.92, 0.91]
    found, interval = measured_optimism(0.95, fresh, maximize), mean_interval(fresh)
    assert found.value == pytest.approx(sign * 0.04)
    ends = sorted([sign * (0.95 - interval.low), sign * (0.95 - interval.high)])
    assert (found.low, found.high) == pytest.approx(ends) and found.low < found.value < found.high


def test_one_fresh_score_says_nothing_of_optimism():
    with pytest.raises(ValueError, match="two fresh scores"):
        measured_optimism(0.95, [0.9], maximize=True)
