"""Every figure of ours without JavaScript."""

import xml.etree.ElementTree as ET

from hpsearch.reports.kit.canvas import axis_style, draw
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.still import Drawing, still
from hpsearch.reports.recipe.page import stage_figures
from hpsearch.study.run_stages import stage_views
from tests.support import studies, synthetic


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_every_figure_of_every_study_has_one(study):
    for drawn in studies.drawn(study):
        drawing = Drawing(*drawn)
        said = texts(drawing._repr_svg_())
        title = drawing.figure.layout.yaxis.title.text
        assert not title or title in said
        assert drawing.title in repr(drawing)


def test_the_stages_of_a_recipe_have_one():
    drawn = {name: texts(still(figure)) for name, _, _, figure in stage_figures(stage_views(synthetic.recipe()))}
    assert set(drawn) == set(synthetic.STAGES)
    assert "learning rate" in drawn["lr_find"]
    assert any("model.act = relu" in text for text in drawn["confirm"])


def test_the_same_figure_gives_the_same_bytes():
    figure = studies.drawn("sweep")[0][3]
    assert still(figure) == still(figure)


def test_what_is_not_visible_is_not_drawn():
    line = {"type": "scatter", "x": [0, 1], "y": [1, 2], "name": "seen"}
    layout = {"xaxis": axis_style("x"), "yaxis": axis_style("y")}
    one = still(draw([line], layout, "a line"))
    two = still(draw([line, {**line, "name": "unseen", "visible": False}], layout, "a line"))
    assert one == two
    assert "seen" in texts(one) and "unseen" not in texts(two)


def test_names_logarithms_and_markup_are_read_as_plotly_reads_them():
    trace = {"type": "scatter", "mode": "markers", "x": [1e-3, 1e3], "y": ["a &lt; b", "<b>c</b>"], "showlegend": False}
    note = {"text": "here", "x": 2, "y": 0, "showarrow": False}
    layout = {"xaxis": axis_style("rate", type="log"), "yaxis": axis_style(""), "annotations": [note]}
    said = texts(still(draw([trace], layout, "marks")))
    assert {"a < b", "c", "rate", "here", "0.001", "100"} <= set(said)


def test_a_heat_map_shows_its_texts_and_its_colour_bar():
    bar = {"title": {"text": "valid/acc"}}
    trace = {"type": "heatmap", "z": [[0.1, None], [0.3, 0.4]], "x": ["p", "q"], "y": ["r", "s"], "colorbar": bar}
    said = texts(still(draw([{**trace, "text": [["one", ""], ["three", "four"]]}], {}, "a map")))
    assert {"one", "three", "four", "p", "q", "r", "s", "valid/acc"} <= set(said)


def test_a_dollar_sign_is_no_formula():
    assert "$x$" in texts(still(draw([{"type": "scatter", "x": [0], "y": [0]}], {"xaxis": axis_style("$x$")}, "one")))


def test_nothing_to_draw_is_an_empty_picture():
    assert ET.fromstring(still(Figure({"data": [], "layout": {}}))).tag.endswith("svg")
