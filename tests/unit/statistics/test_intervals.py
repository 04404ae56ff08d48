import math
import statistics

import pytest
from scipy import stats

from hpsearch.statistics.intervals import mean_interval, paired_interval, spread

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


def test_one_value_has_neither_spread_nor_interval():
    assert spread([0.5]) is None
    assert mean_interval([0.5]) is None


@pytest.mark.parametrize("values", SAMPLES)
def test_spread_is_the_sample_standard_deviation(values):
    assert spread(values) == pytest.approx(statistics.stdev(values))


def test_paired_interval_is_that_of_the_differences():
    a, b = [0.9, 0.8, 0.85], [0.88, 0.79, 0.85]
    found = paired_interval(a, b)
    result = stats.ttest_rel(a, b).confidence_interval()
    assert (found.low, found.high) == pytest.approx((result.low, result.high))


def test_paired_interval_refuses_unequal_numbers():
    with pytest.raises(ValueError, match="shorter"):
        paired_interval([1.0, 2.0], [1.0])
