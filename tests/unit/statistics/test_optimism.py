import math

import numpy as np
import pytest

from hpsearch.statistics.optimism import expected_maximum


@pytest.mark.parametrize(
    ("n", "exact"), [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (5, 1.1629644736)]
)
def test_closed_forms(n, exact):
    assert expected_maximum(n) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize(("n", "known"), [(10, 1.54), (20, 1.87), (50, 2.25), (100, 2.51)])
def test_known_values(n, known):
    assert expected_maximum(n) == pytest.approx(known, abs=0.005)


def test_agrees_with_draws():
    draws = np.random.default_rng(0).normal(size=(20_000, 13)).max(axis=1)
    assert expected_maximum(13) == pytest.approx(draws.mean(), abs=4 * draws.std() / math.sqrt(len(draws)))
