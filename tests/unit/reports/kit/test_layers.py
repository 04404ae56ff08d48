"""What layers did: medians over trials, faults, and that what is drawn are the numbers given."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import TrialId
from hpsearch.reports.ablation.figures.layers import layers as arm_figures
from hpsearch.reports.ablation.layers import layer_rows
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.diagnosis.rules import Label
from hpsearch.reports.kit.layer_map import MOST_NAMES, layer_map
from hpsearch.reports.kit.layer_rules import faults, faults_text
from hpsearch.reports.kit.layers import QUANTITIES, layer_courses, watched_trials
from hpsearch.reports.kit.still import still, views
from tests.support.ablations import study
from tests.support.pictures import cells, picture_of

NAMES = ("a", "b", "c")


def look(epoch, gradients, updates=(0.1, 0.2, 0.3), dead=(0.0, 0.5), saturated=(0.1, None), names=NAMES):
    """A row of a trial: weights of norm 2, two activations."""
    outputs = zip(("a.act", "b.act"), dead, saturated, strict=True)
    return {
        "epoch": epoch,
        "step": epoch,
        "loss": 1.0,
        "gradient": dict(zip(names, gradients, strict=True)),
        "weight": dict.fromkeys(names, 2.0),
        "update": dict(zip(names, updates, strict=True)),
        "outputs": {name: {"mean": 0.0, "sd": 0.5, "dead": d, "saturated": s} for name, d, s in outputs},
    }


TRIALS = [
    [look(1, (1.0, 2.0, 3.0)), look(2, (4.0, 5.0, 6.0))],
    [look(1, (3.0, 2.0, None)), look(2, (40.0, 5.0, 6.0)), look(4, (0.0, 1.0, 2.0))],
    [look(1, (20.0, 2.0, 5.0))],
]


def test_courses_are_medians_of_what_is_finite_by_layer_and_epoch():
    course = layer_courses(TRIALS)["gradient"]
    assert (course.layers, course.epochs, course.trials) == (NAMES, (1, 2, 4), 3)
    expected = [[3 * 2, 22 * 2, 0], [2 * 2, 5 * 2, 2], [4 * 2, 6 * 2, 4]]
    np.testing.assert_allclose(course.values, expected)
    np.testing.assert_allclose(layer_courses(TRIALS)["update"].values[:, 0], [0.05, 0.1, 0.15])


def test_what_is_not_known_is_left_out_and_not_0():
    found = layer_courses(TRIALS)
    np.testing.assert_array_equal(found["saturated"].values, [[0.1] * 3, [math.nan] * 3])
    np.testing.assert_array_equal(found["dead"].values, [[0.0] * 3, [0.5] * 3])
    bare = [{**row, "outputs": {}} for row in TRIALS[0]]
    assert list(layer_courses([bare])) == ["gradient", "update"]
    assert layer_courses([]) == layer_courses([[]]) == {}
    assert list(layer_courses([[look(1, (None, None, None), updates=(None,) * 3)]])) == [
        "activation",
        "dead",
        "saturated",
    ]


def test_rows_that_were_written_without_saturated_outputs_are_read():
    old = [{**row, "outputs": {"a.act": {"mean": 0.0, "sd": 1.0, "dead": 0.1}}} for row in TRIALS[0]]
    assert "saturated" not in layer_courses([old]) and faults(old) == {}


def test_a_trial_with_other_layers_is_no_part_of_the_median():
    other = [look(1, (9.0, 9.0, 9.0), names=("x", "y", "z"))]
    assert layer_courses([TRIALS[2], other])["gradient"].values[:, 0] == pytest.approx([40, 4, 10])


def test_the_map_draws_the_logarithms_of_its_course_with_the_inputs_on_top():
    courses = layer_courses(TRIALS)
    shown = dict(views(layer_map(courses, "the layers")))
    assert list(shown) == [quantity.title for quantity in QUANTITIES.values()]
    figure = shown[QUANTITIES["gradient"].title]
    (heat,) = (trace for trace in figure.data if trace.visible)
    z = np.array(heat.z, dtype=float)
    known = courses["gradient"].values > 0
    np.testing.assert_allclose(10 ** z[known], courses["gradient"].values[known])
    assert np.isnan(z[~known]).all() and (~known).sum() == 1
    assert list(figure.layout.yaxis.ticktext) == list(NAMES)
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert list(figure.layout.xaxis.ticktext) == ["1, first step", "2", "4"]
    for text, value in zip(heat.colorbar.ticktext, heat.colorbar.tickvals, strict=True):
        assert float(text) == pytest.approx(10**value, rel=0.01)
    drawn, *_ = cells(picture_of(figure))  # the colour bar is one too
    np.testing.assert_allclose(np.ma.filled(drawn.astype(float), math.nan), z)
    dead = next(trace for trace in shown["dead units"].data if trace.visible)
    assert (dead.zmin, dead.zmax) == (0, 1) and np.array(dead.z).tolist() == courses["dead"].values.tolist()


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_map_is_drawn_of_few_and_of_many_layers(count):
    names = tuple(f"hidden.{i}" for i in range(count))
    rows = [look(epoch, [1.0] * count, [0.1] * count, names=names) for epoch in (1, 2)]
    figure = layer_map(layer_courses([rows]), "layers")
    assert count / 2 <= len(figure.layout.yaxis.ticktext) <= MOST_NAMES
    shown = zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True)
    assert all(text == names[place] for place, text in shown)
    assert figure.layout.height <= 1000
    assert "hidden.0" in still(figure)


def test_faults_have_the_names_of_the_labels_of_a_diagnosis_and_are_counted():
    vanishing = [look(1, (1e-5, 1.0, 1.0), dead=(0.9, 0.0), saturated=(0.9, 0.0))]
    exploding = [look(1, (1e6, 1.0, 1.0))]
    found = faults(vanishing) | faults(exploding)
    assert set(found) == {"vanishing gradients", "exploding gradients", "dead units", "saturated units"}
    assert set(found) <= set(Label)
    assert "exploding gradients" not in faults([look(1, (1e6, 1e6, 1e6))], unit=1e9)
    said = faults_text([vanishing, exploding, TRIALS[2]], [1.0] * 3)
    assert "vanishing gradients in 1 of 3 trials (the gradient vanishes in a: 1e-05 of the last layer's)" in said
    assert "dead units in 3 of 3 trials" in said
    assert faults_text([[look(1, (1.0, 1.0, 1.0), dead=(0, 0))]], [1.0]).startswith("No layer shows")


@pytest.fixture
def found():
    """Two arms of two seeds, of which one lacks layers."""
    table = study({(32, 0.0): [0.8, 0.7], (128, 0.0): [0.9, 0.9]})
    layers = {
        TrialId(0, 0): TRIALS[0],
        TrialId(0, 1): TRIALS[1],
        TrialId(1, 0): [look(1, (0.001, 1.0, 4.0)), look(4, (0.0002, 1.0, 1.0), saturated=(0.95, None))],
    }
    return ablation_of(replace(table, layers=layers))


def test_the_table_of_layers_says_what_each_arm_did_and_shows(found):
    headings, rows = layer_rows(found)
    by_arm = {row[0].text: dict(zip(headings, row, strict=True)) for row in rows}
    small, large = by_arm["batch size 32, momentum 0"], by_arm["batch size 128, momentum 0"]
    assert small["first over last, first step"].value == pytest.approx(2 / 3)
    assert large["first over last, first step"].value == pytest.approx(0.001 / 4)
    assert large["at the end"].value == pytest.approx(0.0002)
    assert large["update over weight"].text == "0.05 to 0.15"
    assert large["saturated"].text == "95 %" and large["dead units"].text == "50 %"
    assert large["shows"].text == "vanishing gradients in 1 of 1; dead units in 1 of 1; saturated units in 1 of 1"
    assert [small["trials"].value, large["trials"].value] == [2, 1]


def test_the_lines_of_arms_are_their_medians_at_the_first_step_and_at_the_end(found):
    ((name, _, _, figure),) = arm_figures(found)
    shown = dict(views(figure))
    assert name == "layers" and len(shown) == 5
    lines = {
        (trace.name, trace.line.dash): [math.nan if y is None else y for y in trace.y]
        for trace in shown["relative gradient |g||w|"].data
        if trace.visible and trace.mode == "lines+markers"
    }
    assert lines["128", "solid"] == pytest.approx([0.0004, 2, 2])
    assert lines["128", "dash"] == pytest.approx([0.002, 2, 8])
    assert lines["32", "dash"] == pytest.approx([4, 4, 6])
    assert lines["32", "solid"] == pytest.approx([math.nan, 2, 4], nan_ok=True)


def test_without_watched_layers_nothing_is_drawn_or_tabled():
    bare = ablation_of(study({(32, 0.0): [0.8], (128, 0.0): [0.9]}))
    assert list(arm_figures(bare)) == [] and layer_rows(bare)[1] == []


def test_a_loss_of_ordinary_size_is_that_before_training_where_there_are_no_classes():
    curves = pd.DataFrame({"point": 0, "seed": 0, "fold": 0, "epoch": [0, 1], "valid/loss": [50.0, 2.0]})
    table = replace(study({(32, 0.0): [0.8]}), curves=curves, layers={TrialId(0, 0): TRIALS[0]})
    assert [each.unit for each in watched_trials(table, [(0, 0, 0), (5, 0, 0)])] == [50.0]
    classes = replace(table, curves=curves.assign(**{"valid/acc": 0.5}))
    assert [each.unit for each in watched_trials(classes, [(0, 0, 0)])] == [1.0]
