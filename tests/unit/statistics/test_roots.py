import math

import pytest
from scipy.optimize import brentq

from hpsearch.statistics.roots import increasing_root


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x: x**3 - 2.0, 0.0, 10.0),
        (lambda x: math.tanh(x - 3.0), -50.0, 50.0),
        (lambda x: math.log(x) + 7.0, 1e-6, 1e4),
        (lambda x: math.floor(x) - 2.5, 0.0, 10.0),
    ],
)
def test_root_is_scipys(function, low, high):
    assert increasing_root(function, low, high) == pytest.approx(brentq(function, low, high), rel=1e-12)


def test_ends_are_in_the_range():
    assert increasing_root(lambda x: x, 0.0, 1.0) == pytest.approx(0.0, abs=1e-300)
    assert increasing_root(lambda x: x - 1.0, 0.0, 1.0) == 1.0


def test_range_without_a_root_is_refused():
    with pytest.raises(ValueError, match=r"no root from 0 to 1: 1 and 2"):
        increasing_root(lambda x: x + 1.0, 0.0, 1.0)
