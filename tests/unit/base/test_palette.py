"""Colours between colours."""

import pytest

from hpsearch.base.palette import blend


@pytest.mark.parametrize(
    ("position", "colour"),
    [
        (0, "#000000"),
        (0.25, "#400000"),
        (0.5, "#800000"),
        (0.75, "#804080"),
        (1, "#8080ff"),
        (-1, "#000000"),
        (2, "#8080ff"),
    ],
)
def test_a_colour_is_linear_between_its_anchors(position, colour):
    assert blend(("#000000", "#800000", "#8080ff"), position) == colour
