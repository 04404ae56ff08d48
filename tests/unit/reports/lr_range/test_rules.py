import math

import numpy as np
import pytest

from hpsearch.reports.lr_range.local_linear import local_linear
from hpsearch.reports.lr_range.rules import RULES, minimum, valley

DEVIATIONS = (0.02, 0.10, 0.30)
DRAWS = 200
GRIDS = {"lightning": (-8, 0), "local_linear": (-6, 1)}
MEDIANS = {
    "valley": (-2.80, -2.56, -2.31),
    "slide": (-2.07, -1.99, -1.91),
    "steep": (-1.83, -1.83, -2.31),
    "minimum": (-1.54, -1.54, -1.54),
    "davidtvs": (-1.91, -1.91, -1.83),
    "lightning": (-3.15, -6.14, -6.87),
    "local_linear": (-2.54, -2.54, -2.54),
}
STEEPEST, CROSSING = -2.523, -0.41  # of the curve without noise: the steepest point, and where it is 2.303 again


def loss_curve(x):
    """A plateau, a sigmoid's descent around 10^-2.52, a minimum at 10^-1.05 and an explosion."""
    return np.minimum(2.303 - 1.3 / (1 + np.exp(-(x + 2.523) / 0.35)) + 0.5 * np.exp((x + 0.523) / 0.12), 50)


def grid(low, high, points=100):
    x = np.linspace(low, high, points)
    return 10**x, loss_curve(x)


def suggestions(name, deviation, seed=1):
    lr, loss = grid(*GRIDS.get(name, (-7, 1)))
    draws = np.random.default_rng(seed).normal(0, deviation, (DRAWS, len(lr)))
    return np.log10([RULES[name](lr, loss + noise).lr for noise in draws])


@pytest.mark.parametrize("name", MEDIANS)
@pytest.mark.parametrize("place", range(3), ids=map(str, DEVIATIONS))
def test_medians_are_those_known_of_each_rule(name, place):
    # one step of the grids is .08 decades
    assert np.median(suggestions(name, DEVIATIONS[place])) == pytest.approx(MEDIANS[name][place], abs=0.1)


def test_every_rule_has_a_row():
    assert MEDIANS.keys() == RULES.keys()


def test_steep_is_thrown_far_off_by_noise():
    # between the 45th and the 55th percentile lie two decades, so that other seeds give other medians than -2.31
    low, high = np.percentile(suggestions("steep", 0.30), (42, 58))
    assert high - low > 1
    assert np.percentile(suggestions("steep", 0.30), 10) == pytest.approx(-6.1, abs=0.1)


def test_local_linear_is_not_thrown_off_by_noise():
    found = suggestions("local_linear", 0.30)
    assert np.percentile(np.abs(found - STEEPEST), 90) < 0.8


def test_local_linear_finds_the_steepest_point_the_minimum_and_the_edge():
    found = local_linear(*grid(-6, 1, 400))
    assert math.log10(found.lr) == pytest.approx(STEEPEST, abs=0.05)
    assert math.log10(found.argmin) == pytest.approx(-1.05, abs=0.2)
    assert math.log10(found.edge) == pytest.approx(CROSSING, abs=0.1)  # the kernel blunts the explosion
    assert found.untrained == pytest.approx(2.303, abs=0.01)


def test_local_linear_fits_a_line_exactly():
    x = np.linspace(-5, -1, 30)
    found = local_linear(10**x, 4 - 0.5 * x, untrained=7.0)
    assert found.losses == pytest.approx(4 - 0.5 * x)
    assert found.slopes == pytest.approx(np.full(30, -0.5))
    assert found.edge == math.inf


def test_local_linear_equals_a_weighted_least_squares_at_each_point():
    x = np.linspace(-4, -1, 13)
    y = 2.3 - np.tanh(x + 2) + np.random.default_rng(1).normal(0, 0.05, 13)
    found = local_linear(10**x, y, untrained=3.5)
    for place, centre in enumerate(x):
        weight = np.exp(-((x - centre) ** 2) / (2 * 0.25**2))
        slope, level = np.polyfit(x - centre, y, 1, w=np.sqrt(weight))
        assert (found.slopes[place], found.losses[place]) == pytest.approx((slope, level))


def test_the_edge_lies_before_the_first_rate_that_diverges():
    x = np.linspace(-4, 0, 17)
    loss = np.where(x < -1.1, 2.3 - 0.5 * (x + 4), np.inf)
    assert math.log10(local_linear(10**x, loss).edge) == pytest.approx(-1.125)


def test_a_given_untrained_loss_is_the_level_that_the_edge_crosses():
    x = np.linspace(-3, 0, 31)
    loss = 1 + np.abs(x + 1.5)
    assert math.log10(local_linear(10**x, loss, untrained=2.0).edge) == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("loss", ([], [2.3], [math.nan] * 40, [math.inf] * 40), ids=["no", "one", "nan", "infinite"])
def test_too_few_points_suggest_nothing(name, loss):
    found = RULES[name](np.logspace(-5, 0, len(loss)), np.array(loss))
    assert math.isnan(found.lr)


def test_valley_is_the_longest_strictly_decreasing_subsequence():
    lr, loss = grid(-7, 1)
    flat = np.full(100, 2.0)
    flat[40:70] = np.linspace(2, 1, 30)
    flat[70:] = 1.5
    rates = valley(lr, flat).rates
    assert rates[0] == lr[10]
    assert rates[-1] == lr[94]
    assert lr[40] < valley(lr, flat).lr < lr[70]
    assert minimum(lr, loss).lr == pytest.approx(minimum(lr, loss).argmin / 10)
