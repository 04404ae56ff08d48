import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import hypergeom

from hpsearch.statistics.edge import _profile, _trend_p, failure_edge

THIRDS = np.linspace(-3, 1, 13)


def counts(edge, n, unlucky=(), places=THIRDS):
    """Of n runs at each place all above the edge fail, and one at each of `unlucky`."""
    failed = np.where(places > edge, n, 0)
    failed[list(unlucky)] += 1
    return failed.tolist()


@pytest.mark.parametrize("n", [3, 10])
def test_the_edge_of_runs_that_a_place_divides_lies_in_the_gap(n):
    found = failure_edge(THIRDS, counts(0.1, n), [n] * 13)
    assert found.place == pytest.approx(1 / 6, abs=0.03)  # between 0 and 1 / 3
    assert found.interval.low == pytest.approx(0, abs=0.05)
    assert found.interval.high == pytest.approx(1 / 3, abs=0.05)


def test_an_unlucky_run_far_below_does_not_move_it():
    for n in (3, 10):
        found = failure_edge(THIRDS, counts(0.1, n, unlucky=[1, 4]), [n] * 13)
        assert found.place == pytest.approx(1 / 6, abs=0.05)


def test_it_moves_with_the_share_that_fails_beside_it():
    more, less = counts(0.1, 10), counts(0.1, 10)
    more[9], less[10] = 3, 7
    assert failure_edge(THIRDS, more, [10] * 13).place < 0.14 < 0.19 < failure_edge(THIRDS, less, [10] * 13).place


def test_the_profile_is_the_largest_likelihood_over_widths_and_unlucky_shares():
    k, n = np.asarray([0.0, 1.0, 0.0, 2.0, 3.0]), np.full(5, 3.0)
    x = np.arange(5.0)
    edges, likelihood = _profile(x, k, n)
    at = int(np.argmax(likelihood))
    widths, shares = np.geomspace(1 / 30, 4, 200), np.linspace(0, 0.1, 41)
    p = shares[:, None, None] + (1 - shares[:, None, None]) * expit((x - edges[at]) / widths[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(k > 0, k * np.log(p), 0) + np.where(n > k, (n - k) * np.log1p(-p), 0)
    assert likelihood[at] == pytest.approx(terms.sum(-1).max(), abs=0.05)


def test_the_permutation_test_is_fishers_for_two_places():
    k, n = np.asarray([1.0, 4.0]), np.asarray([5.0, 5.0])
    assert _trend_p(k, n) == pytest.approx(hypergeom.sf(3, 10, 5, 5), abs=0.02)


@pytest.mark.parametrize(
    ("failed", "n"),
    [
        ([0, 0, 0], [3, 3, 3]),
        ([3, 3, 3], [3, 3, 3]),
        ([3, 0, 0], [3, 3, 3]),  # they fail at the small end
        ([0, 0, 1], [3, 3, 3]),  # one in nine may be chance
        ([1], [3]),
    ],
)
def test_no_edge_is_seen(failed, n):
    assert failure_edge(list(range(len(n))), failed, n) is None


def test_less_than_half_that_fail_at_the_last_place_have_no_edge():
    assert failure_edge(THIRDS, [0] * 11 + [1, 4], [10] * 13) is None
    found = failure_edge(THIRDS, [0] * 11 + [2, 6], [10] * 13)
    assert found.interval.low < found.place < found.interval.high


def test_bias_cover_and_chance_of_an_edge_over_simulated_sweeps():
    rng, errors, held = np.random.default_rng(3), [], []
    for edge in rng.uniform(-0.8, 0.2, size=60):
        failed = rng.binomial(3, 0.02 + 0.98 * expit((THIRDS - edge) / 0.1))
        found = failure_edge(THIRDS, failed, [3] * 13)
        errors.append(found.place - edge)
        held.append(found.interval.low <= edge <= found.interval.high)
    assert abs(np.mean(errors)) < 0.06  # 0.02 is one standard error
    assert np.mean(held) >= 0.85
    random = rng.binomial(3, 0.1, size=(60, 13))
    assert np.mean([failure_edge(THIRDS, failed, [3] * 13) is not None for failed in random]) <= 0.1


def test_an_end_that_the_places_do_not_bound_is_infinite():
    found = failure_edge([0, 1, 2], [0, 0, 20], [20, 20, 20])
    assert math.isfinite(found.interval.low)
    assert math.isfinite(found.interval.high)
    found = failure_edge([0, 1], [1, 6], [10, 10])
    assert found is None or math.isinf(found.interval.low) or math.isinf(found.interval.high)
