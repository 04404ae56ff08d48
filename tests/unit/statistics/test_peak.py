import numpy as np
import pytest
from scipy import stats

from hpsearch.statistics.intervals import Interval
from hpsearch.statistics.peak import combined_interval, parabola_peak

X = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def noisy(seed, repeats=3, top=0.3, sd=0.1):
    rng = np.random.default_rng(seed)
    return -((X - top) ** 2)[:, None] + rng.normal(size=repeats) + sd * rng.normal(size=(len(X), repeats))


def test_the_top_is_that_of_a_regression_with_a_constant_per_repeat():
    y = noisy(0)
    design = np.array([[*(seed == j for j in range(3)), x, x**2] for x in X for seed in range(3)], dtype=float)
    a = np.linalg.lstsq(design, y.ravel(), rcond=None)[0]
    top, interval = parabola_peak(X, y)
    assert top == pytest.approx(-a[3] / (2 * a[4]))
    # The ends are where a t test of the slope of the parabola there is just significant.
    rest = y.ravel() - design @ a
    freedom = len(rest) - 5
    covariance = np.linalg.inv(design.T @ design)[3:, 3:] * (rest @ rest) / freedom
    for end in (interval.low, interval.high):
        gradient = np.array([1, 2 * end])
        t = (gradient @ a[3:]) / np.sqrt(gradient @ covariance @ gradient)
        assert 2 * stats.t.sf(abs(t), freedom) == pytest.approx(0.05)


def test_it_holds_the_true_top_as_often_as_it_says():
    held = [found[1].low <= 0.3 <= found[1].high for seed in range(400) if (found := parabola_peak(X, noisy(seed)))]
    assert 400 >= len(held) > 380 and 0.92 < np.mean(held) < 0.98


def test_the_unit_and_the_place_of_the_origin_do_not_matter():
    y = noisy(1)
    top, interval = parabola_peak(X, y)
    moved, ends = parabola_peak(X + 5, 1e80 * y)
    assert [moved, ends.low, ends.high] == pytest.approx([top + 5, interval.low + 5, interval.high + 5])


@pytest.mark.parametrize(
    "y",
    [
        -noisy(0),  # a valley
        np.random.default_rng(0).normal(size=(5, 3)),  # noise
        np.repeat(-((X - 0.3) ** 2)[:, None], 3, axis=1),  # no spread at all
        noisy(0)[:, :0],
    ],
)
def test_there_is_none_without_a_top_or_a_spread(y):
    assert parabola_peak(X, y) is None
    assert parabola_peak(X[:2], noisy(0)[:2]) is None


def test_a_sum_has_the_ends_that_its_parts_have():
    a, b = Interval(0.0, 3.0, 0.95, ""), Interval(2.0, 6.0, 0.95, "")
    found = combined_interval([-1, 1], [1.0, 5.0], [a, b])
    # b - a: down by the upper part of a (2) and the lower of b (3), up by the lower of a (1) and the upper of b (1).
    assert (found.low, found.high) == pytest.approx((4 - np.hypot(2, 3), 4 + np.hypot(1, 1)))
    wider = combined_interval([-1, 1], [1.0, 5.0], [a, b], stretch=2.0)
    assert wider.low == pytest.approx(4 - 2 * np.hypot(2, 3))
    assert combined_interval([1], [1.0], [a]).high == pytest.approx(3.0)
