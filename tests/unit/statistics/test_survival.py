import numpy as np
import pytest
from scipy.stats import CensoredData, ecdf

from hpsearch.statistics.survival import kaplan_meier_median


def test_by_hand():
    # S = 5/6 after 2, 4/6 after 4, one is lost at 5, S = 4/9 after 7.
    assert kaplan_meier_median([2, 4, 5, 7, 9, 9], [True, True, False, True, False, False]) == 7


def test_a_curve_that_stays_above_one_half_has_no_median():
    assert kaplan_meier_median([3, 9, 9], [True, False, False]) is None
    assert kaplan_meier_median([], []) is None


def test_where_exactly_half_are_left_that_is_the_median():
    assert kaplan_meier_median([1, 2, 3, 4], [True, True, False, False]) == 2


@pytest.mark.parametrize("rng", range(5))
def test_it_is_that_of_scipy(rng):
    draw = np.random.default_rng(rng)
    times, happened = draw.integers(1, 12, size=15), draw.random(15) < 0.8
    curve = ecdf(CensoredData(uncensored=times[happened], right=times[~happened])).sf
    below = curve.quantiles[curve.probabilities <= 0.5 + 1e-12]
    assert kaplan_meier_median(times.tolist(), happened.tolist()) == (below[0] if len(below) else None)
