import numpy as np
import pytest
from scipy.stats import rankdata

from hpsearch.statistics.ranks import ranks_of

ROWS = {
    "distinct": [3.0, 1.0, 2.0],
    "ties": [1.0, 0.0, 1.0, 1.0, 0.0, 5.0],
    "infinite": [np.inf, -np.inf, 0.0, np.inf],
    "nan": [1.0, np.nan, 2.0],
    "whole numbers": [2, 10, 2],
    "one": [7.0],
    "none": [],
    "many": np.random.default_rng(0).integers(0, 50, 300) / 7,
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize(("highest", "method"), [(False, "average"), (True, "max")])
def test_ranks_are_those_of_scipy(row, highest, method):
    np.testing.assert_array_equal(ranks_of(row, highest), rankdata(row, method=method))
