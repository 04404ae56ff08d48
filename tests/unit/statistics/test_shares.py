import pytest
from scipy import stats

from hpsearch.statistics.shares import clopper_pearson, fisher_p


@pytest.mark.parametrize(("count", "n"), [(0, 1), (0, 5), (4, 5), (5, 5), (17, 40), (999, 1000)])
def test_the_interval_of_a_share_is_that_of_scipy(count, n):
    found, exact = clopper_pearson(count, n), stats.binomtest(count, n).proportion_ci()
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(
    "table", [(3, 5, 1, 5), (0, 5, 5, 5), (10, 12, 3, 20), (5, 5, 5, 5), (0, 3, 0, 9), (2, 30, 9, 31)]
)
def test_two_shares_are_compared_as_by_scipy(table):
    first, of_first, second, of_second = table
    exact = stats.fisher_exact([[first, of_first - first], [second, of_second - second]]).pvalue
    assert fisher_p(*table) == pytest.approx(exact)


def test_an_empty_sample_says_nothing():
    assert fisher_p(0, 0, 2, 3) == 1.0
