"""The parts of a figure against what plotly makes of them."""

import json
import math

import numpy as np
import pytest

from hpsearch.reports.kit.canvas import draw
from hpsearch.reports.kit.figure import Figure

VALUES = {
    "float32": np.array([0.1, math.nan, 3], np.float32),
    "float64": np.array([0.1, math.inf, -3]),
    "int32": np.array([1, -2, 3], np.int32),
    "grid": np.arange(6, dtype=np.int32).reshape(3, 2),
    "column": np.arange(6.0).reshape(3, 2)[:, 1],
    "list": [0.1, None, 3],
    "not numbers": [math.nan, math.inf, 3],
    "scalars": [np.float32(0.5), np.int64(2), np.float64(3)],
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_json_is_that_of_plotly(values):
    figure = draw([{"type": "scatter", "y": [1, 2, 3], "customdata": values}], {"yaxis": {"title": {"text": "é"}}}, "a")
    assert json.loads(figure.to_json(), parse_constant=pytest.fail) == json.loads(figure.plotly.to_json())


def test_what_is_none_and_empty_lists_of_parts_are_left_out_as_plotly_does():
    trace = {"type": "scatter", "x": [], "hovertemplate": None}
    figure = draw([trace], {"shapes": [], "xaxis": {"tickvals": None, "ticktext": []}}, "a")
    assert figure.parts["data"] == [{"type": "scatter", "x": []}]
    assert "shapes" not in figure.parts["layout"]
    assert json.loads(figure.to_json()) == json.loads(figure.plotly.to_json())


def test_whole_numbers_that_plotly_has_no_array_for_are_a_list():
    assert json.loads(Figure({"data": [{"y": np.array([1, 2**40])}]}).to_json()) == {"data": [{"y": [1, 2**40]}]}


def test_what_json_has_no_form_for_is_refused():
    with pytest.raises(TypeError, match="a figure holds"):
        Figure({"data": [{"y": {1}}], "layout": {}}).to_json()


def test_what_plotly_does_not_know_is_refused_where_its_figure_is_asked_for():
    with pytest.raises(ValueError, match="hovertext_"):
        draw([{"type": "scatter", "hovertext_": "a"}], {}, "a").plotly  # noqa: B018
