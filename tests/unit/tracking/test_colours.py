"""Colours of runs."""

import colorsys
import math
from itertools import pairwise

import pytest

from hpsearch.tracking.colours import CATEGORIES, VIRIDIS, Colours, scale


def _lightness(colour):
    red, green, blue = bytes.fromhex(colour[1:])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _final(values):
    colours = Colours()
    for run, value in enumerate(values):
        colours.colour(str(run), value)
    told = {str(run): colours.colour(str(run), value) for run, value in enumerate(values)}
    return list(told.values())


def test_the_scale_gets_lighter_all_the_way():
    shades = [scale(position / 50) for position in range(51)]
    assert all(_lightness(a) < _lightness(b) for a, b in pairwise(shades))
    assert (shades[0], shades[-1]) == (VIRIDIS[0], VIRIDIS[-1])
    assert scale(-1) == shades[0]


def test_values_over_decades_are_spread_by_their_logarithm():
    one, two, three = _final([1e-3, 1e-1, 10.0])
    assert two == scale(0.5)
    assert (one, three) == (scale(0), scale(1))


def test_values_of_one_magnitude_are_spread_as_they_are():
    assert _final([0.0, 0.25, 0.5])[1] == scale(0.5)


def test_one_value_is_in_the_middle():
    assert _final([64, 64]) == [scale(0.5)] * 2


def test_names_get_colours_of_their_own():
    colours = _final(["sgd", "adam", "sgd", True])
    assert colours == [CATEGORIES[0], CATEGORIES[1], CATEGORIES[0], CATEGORIES[2]]


def test_earlier_runs_are_told_when_the_scale_has_grown():
    colours = Colours()
    colours.colour("a", 1.0)
    assert colours.outdated() == {}
    colours.colour("b", 2.0)
    assert colours.outdated() == {"a": scale(0.0)}
    colours.colour("c", 3.0)
    assert colours.outdated() == {}, "not yet twice as many"
    assert colours.outdated(final=True) == {"b": scale(0.5)}
    assert colours.outdated(final=True) == {}


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_no_colour_fades_on_white(position):
    red, green, blue = (part / 255 for part in bytes.fromhex(scale(position)[1:]))
    assert colorsys.rgb_to_hls(red, green, blue)[1] < 0.7


@pytest.mark.parametrize(
    "values", [[3, 1.5, 2], [1e-4, 1.0, 0.5], [-1.0, 4.0], [1.0, "b", 2.0, "b"], [1.0, math.nan, 2.0]]
)
def test_the_scale_is_that_of_all_values_whatever_came_first(values):
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    low, high = (min(values), max(values)) if numbers else (0, 0)
    spread = math.log if numbers and low > 0 and high / low >= 50 else float
    for value, colour in zip(values, _final(values), strict=True):
        if numbers:
            assert colour == scale((spread(value) - spread(low)) / (spread(high) - spread(low)))
        else:
            assert colour == CATEGORIES[list(dict.fromkeys(map(str, values))).index(str(value))]
