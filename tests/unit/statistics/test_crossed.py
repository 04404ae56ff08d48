import math

import numpy as np
import pytest
from scipy import stats

from hpsearch.statistics.crossed import crossed_mean, share_interval
from hpsearch.statistics.intervals import mean_interval


def two_way(seeds, samples, rest, rng, n=4, m=50):
    return (
        rng.normal(size=(n, 1)) * seeds + rng.normal(size=m) * samples + rng.normal(size=(n, m)) * rest
    )  # fmt: skip


def test_the_parts_are_those_of_a_two_way_analysis_of_variance():
    x = two_way(0.5, 1.0, 2.0, np.random.default_rng(0))
    n, m = x.shape
    mean, rows, columns = x.mean(), x.mean(axis=1), x.mean(axis=0)
    between_seeds = m * np.sum((rows - mean) ** 2) / (n - 1)
    between_samples = n * np.sum((columns - mean) ** 2) / (m - 1)
    rest = np.sum((x - rows[:, None] - columns + mean) ** 2) / ((n - 1) * (m - 1))
    found = crossed_mean(x)
    assert found.seeds == pytest.approx(between_seeds / (n * m))
    assert found.samples == pytest.approx(between_samples / (n * m))
    assert found.residual == pytest.approx(rest / (n * m))


def test_the_variance_is_that_of_the_mean():
    rng = np.random.default_rng(0)
    drawn = [crossed_mean(two_way(0.2, 1.0, 1.0, rng)) for _ in range(2000)]
    truth = 0.2**2 / 4 + 1 / 50 + 1 / 200
    assert np.mean([each.seeds + each.samples - each.residual for each in drawn]) == pytest.approx(truth, rel=0.05)
    assert np.var([each.mean for each in drawn]) == pytest.approx(truth, rel=0.1)


def test_samples_that_are_all_alike_leave_the_interval_of_the_seeds():
    scores = [0.8, 0.9, 0.84, 0.91]
    found, plain = crossed_mean(np.repeat(np.asarray(scores)[:, None], 30, axis=1)), mean_interval(scores)
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high))


def test_seeds_that_are_all_alike_leave_the_interval_of_the_samples():
    row = np.random.default_rng(1).normal(size=40)
    found, plain = crossed_mean(np.tile(row, (3, 1))), mean_interval(row.tolist())
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high))


def test_the_unit_is_the_group():
    rng = np.random.default_rng(2)
    by_group = two_way(0.1, 1.0, 1.0, rng, n=4, m=12)
    groups = np.repeat(np.arange(12), 5)
    whole = crossed_mean(by_group[:, groups], groups.astype(str))
    of_groups = crossed_mean(by_group)
    assert whole.variance == pytest.approx(of_groups.variance)
    assert whole.interval.low == pytest.approx(of_groups.interval.low)
    assert crossed_mean(by_group[:, groups]).variance < 0.6 * whole.variance


def test_groups_of_unequal_size_count_by_their_samples():
    rng = np.random.default_rng(3)
    size, groups = rng.integers(1, 12, 60), []
    for group, count in enumerate(size):
        groups += [group] * count
    effects = rng.normal(size=(4000, 60))
    ratio = [np.repeat(row, size).mean() for row in effects]
    found = [crossed_mean(np.tile(np.repeat(row, size), (3, 1)), groups).variance for row in effects[:400]]
    assert np.mean(found) == pytest.approx(np.var(ratio), rel=0.12)


def test_no_interval_without_seeds_or_scatter_and_none_past_what_is_possible():
    x = np.random.default_rng(0).random((4, 30))
    assert crossed_mean(x[:2]).interval is None
    assert crossed_mean(np.full((4, 30), 0.3)).interval is None
    high = (np.random.default_rng(0).random((3, 40)) < 0.97).astype(float)
    assert crossed_mean(high, bounds=(-math.inf, 1.0)).interval.high == 1.0
    share = crossed_mean(high, bounds=(0.0, 1.0))
    assert share.interval.low < share.mean < share.interval.high < 1.0
    logit = [np.log(p / (1 - p)) for p in (share.interval.low, share.mean, share.interval.high)]
    half = (crossed_mean(high).interval.high - share.mean) / (share.mean * (1 - share.mean))
    assert np.diff(logit) == pytest.approx([half, half])
    assert crossed_mean(high).interval.high > 1.0


def test_a_share_without_its_single_results_on_the_logit_scale():
    shares = [0.9, 0.92, 0.91]
    p, a, b = 0.91, np.var(shares, ddof=1) / 3, 0.91 * 0.09 / 300
    quantile = (a * stats.t.ppf(0.975, 2) + b * stats.norm.ppf(0.975)) / (a + b)
    ends = np.log(p / (1 - p)) + np.asarray([-1, 1]) * quantile * np.sqrt(a + b) / (p * (1 - p))
    found = share_interval(shares, 300)
    assert (found.low, found.high) == pytest.approx(tuple(1 / (1 + np.exp(-ends))), rel=1e-6)
    assert share_interval(shares, 10**12).high - share_interval(shares, 10**12).low < found.high - found.low
    assert share_interval([0.9, 0.92], 300) is None and share_interval([1.0, 1.0, 1.0], 300) is None
    assert math.isfinite(share_interval([0.999999] * 3, 3).low)
