import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hpsearch.statistics.comparisons import (
    detectable_factor,
    factorial_deviations,
    greenhouse_geisser,
    hedges_g,
    holm,
    least_significant_difference,
    omega_squared,
    paired_p,
    power,
    resampled_ranks,
)


def test_the_paired_test_is_that_of_scipy():
    a, b = np.random.default_rng(0).normal(size=(2, 7))
    assert paired_p((a - b).tolist()) == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_differences_that_do_not_vary_are_not_tested():
    assert paired_p([0.0, 0.0]) == 1.0
    assert paired_p([0.1, 0.1]) is None
    assert paired_p([0.3]) is None


def test_holm_by_hand():
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_holm_is_the_largest_of_the_smaller_ones():
    ps = np.random.default_rng(1).random(9) ** 3
    slow = [max(min(1.0, np.sum(ps >= q) * q) for q in ps if q <= p) for p in ps]
    assert holm(ps.tolist()) == pytest.approx(slow)


def test_hedges_removes_the_bias():
    draws = np.random.default_rng(0).normal(1.0, 1.0, (20000, 6))
    assert np.mean([hedges_g(row.tolist()) for row in draws]) == pytest.approx(1.0, abs=0.02)
    assert hedges_g([1.0, 1.0, 1.0]) is None and hedges_g([1.0, 2.0]) is None


def test_hedges_of_three_in_closed_form():
    # J(2) = Gamma(1) / (Gamma(1/2)) = 1 / sqrt(pi)
    assert hedges_g([1.0, 2.0, 3.0]) == pytest.approx(2 / math.sqrt(math.pi))


@pytest.mark.parametrize("level", [0.05, 0.05 / 3])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_power_is_that_of_the_noncentral_t(n, level):
    k, critical = detectable_factor(n, level), stats.t.ppf(1 - level / 2, n - 1)
    shift = k * np.sqrt(n)
    exact = stats.nct.sf(critical, n - 1, shift) + stats.nct.sf(critical, n - 1, -shift)
    assert exact == pytest.approx(0.8, abs=2e-3)
    assert power(0.0, n - 1, level) == pytest.approx(level, abs=1e-3)
    assert power(-shift, n - 1, level) == pytest.approx(power(shift, n - 1, level))


def test_two_pairs_find_a_difference_too_were_it_large_enough():
    rows = np.random.default_rng(0).normal(detectable_factor(2, 0.05 / 8), size=(2000, 2))
    assert np.mean([paired_p(row.tolist()) <= 0.05 / 8 for row in rows]) == pytest.approx(0.8, abs=0.05)


def test_omega_squared_is_that_of_the_textbook():
    scores = np.random.default_rng(4).normal(size=(5, 2, 3)) + np.array([0.0, 1.0])[:, None]  # [block, a, b]
    n, a, b = scores.shape
    means, whole = scores.mean(axis=(0, 2)), scores.mean()
    effect = n * b * np.sum((means - whole) ** 2)
    by_block = scores.mean(axis=2)  # [block, a]
    blocks = a * b * np.sum((by_block.mean(axis=1) - whole) ** 2) / (n - 1)
    rest = by_block - by_block.mean(axis=1)[:, None] - means + whole
    error = b * np.sum(rest**2) / ((a - 1) * (n - 1))
    total = np.sum((scores - whole) ** 2)
    expected = (effect - (a - 1) * error) / (total + blocks)
    assert omega_squared(scores, [0]) == pytest.approx(expected) and 0.1 < expected < 1
    f, *_ = greenhouse_geisser(factorial_deviations(scores, [0]).reshape(n, -1), a - 1)
    assert f == pytest.approx(effect / (a - 1) / error)


def test_omega_squared_is_never_negative_and_noise_has_little_of_it():
    rng = np.random.default_rng(5)
    shares = [omega_squared(rng.normal(size=(6, 2, 3)), [0, 1]) for _ in range(300)]
    assert min(shares) == 0.0 and np.mean(shares) < 0.05
    assert omega_squared(np.ones((3, 2, 2)), [0]) == 0.0
    apart = np.tile([[0.0, 0.0], [1.0, 1.0]], (4, 1, 1))  # nothing but the first factor
    assert omega_squared(apart, [0]) == pytest.approx(1.0) and omega_squared(apart, [1]) == 0.0


def test_the_pooled_standard_deviation_is_that_of_all_deviations():
    samples = [[1.0, 2.0, 3.0], [10.0, 14.0], [7.0]]
    pooled = math.sqrt((2 + 8) / 3)  # squares 2 and 8, degrees of freedom 2 and 1
    expected = stats.t.ppf(0.975, 3) * pooled * math.sqrt(2 / 4)
    assert least_significant_difference(samples, 4) == pytest.approx(expected)
    assert least_significant_difference(samples, 4, 0.5) == pytest.approx(
        expected * stats.t.ppf(0.75, 3) / stats.t.ppf(0.975, 3)
    )
    assert least_significant_difference([[1.0], []], 3) == 0.0


@pytest.mark.parametrize("n", [2, 3, 5])
def test_equal_means_are_rarely_told_apart_whatever_the_number_of_values(n):
    rng = np.random.default_rng(n)
    gaps = np.abs(rng.normal(size=1000) - rng.normal(size=1000))
    kept = [gap < least_significant_difference([rng.normal(size=n).tolist()], 1) for gap in gaps]
    assert np.mean(kept) == pytest.approx(0.95, abs=0.025)


def test_deviations_add_up_to_the_scores_and_to_zero_along_each_factor():
    scores = np.random.default_rng(0).normal(size=(4, 2, 3))
    parts = [factorial_deviations(scores, factors) for factors in ((), (0,), (1,), (0, 1))]
    assert [part.shape for part in parts] == [(4, 1, 1), (4, 2, 1), (4, 1, 3), (4, 2, 3)]
    assert sum(parts) == pytest.approx(scores)
    assert parts[1].sum(axis=1) == pytest.approx(0) and parts[2].sum(axis=2) == pytest.approx(0)
    assert parts[3].sum(axis=1) == pytest.approx(0) and parts[3].sum(axis=2) == pytest.approx(0)


def test_of_two_levels_it_is_the_paired_t_test():
    a, b = np.random.default_rng(2).normal(size=(2, 6))
    f, freedom, p = greenhouse_geisser(factorial_deviations(np.stack([a, b], axis=1), [0]).reshape(6, -1), 1)
    expected = stats.ttest_rel(a, b)
    assert f == pytest.approx(expected.statistic**2) and p == pytest.approx(expected.pvalue)
    assert freedom == pytest.approx((1, 5))


def test_of_three_levels_it_is_the_textbooks_f_with_its_degrees_of_freedom_reduced():
    scores = np.random.default_rng(3).normal(size=(7, 3)) * [1.0, 1.0, 3.0]
    n, k = scores.shape
    f, freedom, p = greenhouse_geisser(factorial_deviations(scores, [0]), k - 1)
    levels, blocks, whole = scores.mean(0), scores.mean(1), scores.mean()
    between = n * np.sum((levels - whole) ** 2) / (k - 1)
    rest = np.sum((scores - levels - blocks[:, None] + whole) ** 2) / ((k - 1) * (n - 1))
    assert f == pytest.approx(between / rest)
    # Greenhouse and Geisser's epsilon by the eigenvalues of the covariance of orthonormal contrasts.
    contrasts = np.array([[1, -1, 0] / np.sqrt(2), [1, 1, -2] / np.sqrt(6)])
    eigenvalues = np.linalg.eigvalsh(contrasts @ np.cov(scores, rowvar=False) @ contrasts.T)
    epsilon = eigenvalues.sum() ** 2 / (2 * np.sum(eigenvalues**2))
    assert freedom == pytest.approx((2 * epsilon, 2 * epsilon * 6)) and 0.5 <= epsilon < 1
    assert p == pytest.approx(stats.f.sf(f, *freedom))


def test_an_effect_that_does_not_vary_is_not_tested():
    f, freedom, p = greenhouse_geisser(np.tile([0.1, -0.1], (4, 1)), 1)
    assert math.isnan(f) and p is None and freedom == (1, 3)


def test_ranks_of_all_resamples_by_hand():
    # Of two replicates there are four resamples: both means of the first, of the second, and twice of both.
    found = resampled_ranks(np.array([[0.0, 3.0], [2.0, 2.0], [2.0, 2.0]]))
    assert found.rank == (1.0, 2.5, 2.5)
    exact = np.mean([np.mean([(0.0, 3.0)[i] for i in pair]) < 2 for pair in itertools.product((0, 1), repeat=2)])
    assert found.first[0] == pytest.approx(exact, abs=0.03)
    assert found.first[1] == found.first[2] == pytest.approx((1 - exact) / 2, abs=0.03)
    assert sum(found.first) == pytest.approx(1)
    assert (found.low[0], found.high[0]) == (1, 3) and (found.low[1], found.high[1]) == (1.5, 2.5)


@pytest.mark.parametrize("exponent", [-600, 600])
@pytest.mark.filterwarnings("error")
def test_tests_do_not_depend_on_the_size_of_the_values(exponent):
    values, size = [0.5, 0.25, 0.75, -0.375], 2.0**exponent
    large = [value * size for value in values]
    assert paired_p(large) == paired_p(values) and hedges_g(large) == hedges_g(values)
    least = least_significant_difference([values, values[:3]], 4)
    assert least_significant_difference([large, large[:3]], 4) == pytest.approx(least * size)
