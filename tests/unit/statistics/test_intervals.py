import math
import statistics

import numpy as np
import pytest
from scipy import stats

from hpsearch.statistics.intervals import (
    bca_interval,
    estimate,
    mean_interval,
    mean_of,
    resamples,
    standard_deviation,
    welch_interval,
)

SAMPLES = [[0.97, 0.975, 0.981], [1.0, 2.0], [-3.0, 0.5, 4.0, 4.5, 9.0]]


@pytest.mark.parametrize("values", SAMPLES)
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_mean_interval_is_students(values, level):
    found = mean_interval(values, level)
    low, high = stats.t.interval(level, len(values) - 1, loc=statistics.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert found.level == level


def test_mean_interval_of_two_values_in_closed_form():
    # Student's t with one degree of freedom is Cauchy: its .975 quantile is tan(.475 pi).
    found = mean_interval([0.0, 2.0])
    assert found.high == pytest.approx(1 + math.tan(0.475 * math.pi) * math.sqrt(2) / math.sqrt(2))
    assert found.method == "t interval of the mean, 1 degree of freedom"


def test_one_value_has_neither_standard_deviation_nor_interval():
    assert standard_deviation([0.5]) is None
    assert mean_interval([0.5]) is None


@pytest.mark.parametrize("values", SAMPLES)
def test_the_standard_deviation_is_that_of_a_sample(values):
    assert standard_deviation(values) == pytest.approx(statistics.stdev(values))


@pytest.mark.parametrize("size", [1e-30, 0.1, 1e30])
def test_rounding_is_no_deviation(size):
    assert standard_deviation([size, size * (1 + 1e-15), size]) == 0.0
    assert standard_deviation([size, size * (1 + 1e-9), size]) > 0
    interval = mean_interval([size, size * (1 + 1e-15), size])
    assert interval.low == interval.high


def test_welchs_interval_is_that_of_scipy():
    a, b = [0.9, 0.8, 0.85, 0.99], [0.5, 0.55, 0.7]
    found = welch_interval(a, b)
    expected = stats.ttest_ind(a, b, equal_var=False)
    result = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((result.low, result.high))
    assert found.method == f"Welch's t interval, {expected.df:.1f} degrees of freedom"


def test_welchs_interval_of_too_few_or_of_equal_values():
    assert welch_interval([1.0], [1.0, 2.0]) is None and welch_interval([1.0, 2.0], [1.0]) is None
    found = welch_interval([3.0, 3.0], [1.0, 1.0])
    assert (found.low, found.high) == (2.0, 2.0)


@pytest.mark.parametrize("n", [3, 5, 12, 30])
def test_bca_is_that_of_scipy(n):
    values = np.random.default_rng(n).gamma(3, size=n)
    ours = bca_interval(values.tolist())
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, method="BCa", rng=1).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.06 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.06 * width)


def test_bca_of_equal_values_has_no_width():
    found = bca_interval([2.0, 2.0, 2.0])
    assert (found.low, found.high) == (2.0, 2.0)


def test_which_interval_is_shown():
    few, many = estimate(list(range(19))), estimate(list(range(20)))
    assert few.shown is few.t and few.beside is few.bca
    assert many.shown is many.bca and many.beside is many.t
    assert estimate([1.0]).shown is None and estimate([1.0, 2.0]).bca is None


def test_an_estimate_holds_what_it_is_of():
    found = estimate([1.0, 2.0, 6.0])
    assert (found.values, found.n, found.mean) == ((1.0, 2.0, 6.0), 3, 3.0)
    assert found.sd == pytest.approx(math.sqrt(7)) and found.t == mean_interval([1.0, 2.0, 6.0])
    assert math.isnan(estimate([]).mean) and estimate([]).sd is None


def test_resamples_are_always_the_same_and_cannot_be_changed():
    drawn = resamples(5, 100)
    assert drawn.shape == (100, 5) and set(np.unique(drawn)) == set(range(5))
    assert resamples(5, 100) is drawn and not drawn.flags.writeable


@pytest.mark.parametrize("exponent", [-1060, -600, -400, 400, 600, 1020])
@pytest.mark.filterwarnings("error")
def test_intervals_scale_with_values_of_any_size(exponent):
    values, others, size = [0.5, 0.25, 0.75, 0.375, 0.5], [0.25, 0.375, 0.125], 2.0**exponent
    large, larger = ([value * size for value in each] for each in (values, others))
    assert standard_deviation(large) == pytest.approx(standard_deviation(values) * size, rel=1e-3)
    pairs = [(f(values), f(large)) for f in (mean_interval, bca_interval)]
    pairs.append((welch_interval(values, others), welch_interval(large, larger)))
    for unit, scaled in pairs:
        assert (scaled.low, scaled.high) == pytest.approx((unit.low * size, unit.high * size), rel=1e-3)
        assert scaled.method == unit.method
    assert estimate(large).mean == pytest.approx(estimate(values).mean * size, rel=1e-3)


def test_a_mean_that_rounding_leaves_is_none():
    values = [0.1 + 0.2, 0.7, -0.7, -0.3]
    assert np.mean(values) != 0 and mean_of(values) == 0
    assert mean_of([1e-9, 0.0]) == 5e-10
