import math

import numpy as np
import pytest

from hpsearch.reports.lr_range.local_linear import local_linear
from hpsearch.reports.lr_range.numbers import lr_range
from hpsearch.reports.lr_range.rules import RULES

X = np.linspace(-5, 1, 25)
RATES = 10**X


def loss_curve(shift=0.0, drop=1.3, dead=None):
    """Untrained at 2.303, a sigmoid's descent around 10^-2.5, divergence, or a net that is dead, from 1 on."""
    loss = 2.303 - drop / (1 + np.exp(-(X + 2.5 - shift) / 0.3))
    return np.where(X > -0.1, math.inf if dead is None else dead, loss)


def repeats(shifts=(0.0, 0.0, 0.0), deviation=0.02, **options):
    noise = np.random.default_rng(3).normal(0, deviation, (len(shifts), len(X)))
    return [loss_curve(shift, **options) + row for shift, row in zip(shifts, noise, strict=True)]


def test_the_range_goes_from_a_tenth_of_the_steepest_point_to_the_edge():
    found = lr_range(RATES, repeats(), [2.303] * 3)
    assert math.log10(found.steepest) == pytest.approx(-2.5, abs=0.26)
    assert found.low == found.steepest / 10
    assert found.lr == found.steepest
    assert math.log10(found.high) == pytest.approx(-0.125)
    assert found.high == found.edge
    assert found.drop == pytest.approx(1.3, abs=0.05)
    assert found.low < found.argmin < found.high


def test_a_net_that_a_large_rate_kills_is_beyond_the_edge():
    # its loss is that of chance, a little below that of the untrained net
    found = lr_range(RATES, repeats(dead=2.29), [2.32] * 3)
    assert math.log10(found.high) == pytest.approx(0.1, abs=0.3)


def test_without_an_unstable_rate_the_range_ends_with_the_rates():
    found = lr_range(RATES[X < -0.1], [row[X < -0.1] for row in repeats()], [2.303] * 3)
    assert found.edge == math.inf
    assert found.high == RATES[X < -0.1][-1]


def test_the_noise_is_the_spread_between_repeats():
    many = lr_range(RATES, repeats([0.0] * 40, deviation=0.1), [2.303] * 40)
    assert many.noise == pytest.approx(0.1, rel=0.15)
    alone = lr_range(RATES, repeats([0.0], deviation=0.1), [2.303])
    assert 0.03 < alone.noise < 0.15


def test_the_noise_of_two_repeats_is_their_distance_over_the_square_root_of_two():
    found = lr_range(RATES, [loss_curve(), loss_curve() + 0.1], [2.303, 2.303])
    assert found.noise == pytest.approx(0.1 / math.sqrt(2))


def test_the_spread_is_that_of_the_single_curves_suggestions():
    curves = repeats((-1.0, 0.0, 1.0), deviation=0.0)
    found = lr_range(RATES, curves, [2.303] * 3)
    single = [math.log10(local_linear(RATES, curve, 2.303).lr) for curve in curves]
    assert found.spread == pytest.approx(max(single) - min(single))
    assert found.spread > 1.4
    assert lr_range(RATES, repeats(deviation=0.0), [2.303] * 3).spread == pytest.approx(0)


def test_one_diverged_repeat_makes_a_rate_unstable():
    curves = repeats()
    curves[1][X > -1.1] = math.inf
    assert math.log10(lr_range(RATES, curves, [2.303] * 3).edge) == pytest.approx(-1.125)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_suggests_on_the_mean_curve_and_leaves_the_range_alone(name):
    rates = np.logspace(-6, 0, 100)
    loss = 2.303 - 1.3 / (1 + np.exp(-(np.log10(rates) + 2.5) / 0.3))
    found = lr_range(rates, [loss, loss], rule=name)
    assert found.lr == pytest.approx(RULES[name](rates, loss).lr)
    assert found.low == pytest.approx(local_linear(rates, loss).lr / 10)


def test_rates_that_all_diverge_give_nothing():
    found = lr_range(RATES, np.full((3, 25), math.inf), [2.3] * 3)
    assert all(map(math.isnan, (found.lr, found.low, found.steepest, found.argmin, found.spread)))
