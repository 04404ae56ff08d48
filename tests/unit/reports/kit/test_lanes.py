"""Lanes: what is drawn is what was given."""

import pytest

from hpsearch.reports.kit.lanes import error_bars, lane_traces, lanes_layout
from hpsearch.statistics.intervals import Interval

ASKEW = Interval(0.5, 0.95, 0.95, "askew")


def test_an_asymmetric_interval_is_drawn_from_its_lower_to_its_upper_end():
    bars = error_bars([0.9, 0.4], [ASKEW, None])
    assert bars["arrayminus"] == pytest.approx([0.4, 0]) and bars["array"] == pytest.approx([0.05, 0])
    assert bars["symmetric"] is False


def test_a_lane_holds_every_seed_and_the_mean():
    seeds, mean = lane_traces(2, [0.7, 1.1], [(0, 0), (5, 0)], 0.9, ASKEW, "told", "#123456", ("square", "diamond"))
    assert seeds["x"] == [0.7, 1.1] and seeds["hovertext"] == ["seed 0: 0.700", "seed 5: 1.10"]
    assert all(2 < y < 2.5 for y in seeds["y"])
    assert (mean["x"], mean["y"], mean["hovertext"]) == ([0.9], [2], ["told"])
    assert mean["x"][0] - mean["error_x"]["arrayminus"][0] == pytest.approx(ASKEW.low)
    assert mean["x"][0] + mean["error_x"]["array"][0] == pytest.approx(ASKEW.high)
    assert (seeds["marker"]["symbol"], mean["marker"]["symbol"]) == ("square", "diamond")


def test_the_first_name_is_on_top():
    axis = lanes_layout(["first", "second", "third"])["yaxis"]
    assert axis["ticktext"] == ["first", "second", "third"] and axis["tickvals"] == [0, 1, 2]
    assert axis["range"][0] > 2 and axis["range"][1] < 0
