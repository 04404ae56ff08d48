"""What the figures of an ablation draw is what it found."""

from dataclasses import replace

import numpy as np
import pytest

import hpsearch.reports.ablation.figures as figures
from hpsearch.reports.ablation.comparisons import differences
from hpsearch.reports.ablation.costs import TimeToTarget
from hpsearch.reports.ablation.figures import FIGURES, ablation_figures
from hpsearch.reports.ablation.figures.differences import differences_figure
from hpsearch.reports.ablation.figures.style import arm_looks, label_title
from hpsearch.reports.ablation.figures.target import _marks
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.kit.canvas import draw
from hpsearch.reports.kit.still import views
from tests.support import synthetic
from tests.support.ablations import UP, arm, study


@pytest.fixture(scope="module")
def skewed():
    """Twenty seeds of three arms with a long tail on one side: the bootstrap's interval is not symmetric."""
    values = np.exp(np.random.default_rng(0).normal(size=(3, 20)))
    return [arm((0.9 - 0.1 * values[i] - 0.2 * (i == 1)).tolist(), size=i) for i in range(3)]


def test_differences_are_drawn_with_both_ends_of_their_intervals(skewed):
    found = differences(skewed, skewed[0], UP)
    drawn = differences_figure(found, "valid/acc", "the reference")
    by_lane = {y: (t, i) for t in drawn.data for i, y in enumerate(t.y)}
    assert len(by_lane) == len(found)
    for lane, own in enumerate(found):
        trace, i = by_lane[lane]
        shown = own.difference.shown
        assert trace.name == own.verdict and trace.x[i] == own.difference.mean
        assert trace.x[i] + trace.error_x.array[i] == pytest.approx(shown.high)
        assert trace.x[i] - trace.error_x.arrayminus[i] == pytest.approx(shown.low)
        assert trace.error_x.array[i] != pytest.approx(trace.error_x.arrayminus[i], rel=1e-3)


def test_a_map_holds_the_mean_of_each_cell_and_not_its_worst_seed():
    scores = {(b, m): [0.5 + 0.1 * (b == 128) + 0.2 * (m == 0.9) + d for d in (-0.1, 0.0, 0.04)]
              for b in (32, 128) for m in (0.0, 0.9)}  # fmt: skip
    name, _, _, figure = next(ablation_figures(ablation_of(study(scores))))
    assert name == "map" and list(figure.layout.xaxis.ticktext) == ["32", "128"]
    assert list(figure.layout.yaxis.ticktext) == ["0", "0.9"]
    assert [list(row) for row in figure.data[0].z] == [pytest.approx([0.48, 0.58]), pytest.approx([0.68, 0.78])]


def test_learning_curves_are_means_over_seeds():
    table = study({(32, 0.0): [0.8, 0.6], (128, 0.0): [0.9, 0.9]})
    (figure,) = [figure for name, *_, figure in ablation_figures(ablation_of(table)) if name == "curves"]
    first = next(t for t in figure.data if t.name == "batch size 32, momentum 0")
    assert list(first.x) == [1, 2, 3] and list(first.y) == pytest.approx([0.5, 0.6, 0.7])


def with_training(scores, evaluated=3):
    """The study with training curves: the running mean .1 below validation, the evaluated one .05 above it."""
    table = study(scores)
    accuracy = table.curves["valid/acc"]
    seldom = table.curves["epoch"] > 3 - evaluated
    curves = {"train/acc": accuracy - 0.1, "train_eval/acc": (accuracy + 0.05).where(seldom)}
    return replace(table, curves=table.curves.assign(**curves))


PAIR = {(32, 0.0): [0.8, 0.6], (128, 0.0): [0.9, 0.9]}


def drawn_of(table):
    return {name: figure for name, *_, figure in ablation_figures(ablation_of(table)) if name.startswith("curves")}


@pytest.mark.parametrize(("evaluated", "above"), [(3, 0.05), (2, 0.05), (1, -0.1)])
def test_training_and_validation_of_a_metric_are_on_one_plot(evaluated, above):
    figure = drawn_of(with_training(PAIR, evaluated))["curves-acc"]
    seen = [t for t in figure.data if t.visible is not False]
    lines = {(t.name, t.line.dash): t for t in seen if t.mode == "lines+markers"}
    assert set(lines) == {(size, dash) for size in ("32", "128") for dash in ("solid", "dash")}
    valid, train = lines["32", "solid"], lines["32", "dash"]
    assert list(valid.y) == pytest.approx([0.5, 0.6, 0.7])
    assert list(train.y) == pytest.approx([y + above for y in [0.5, 0.6, 0.7][-len(train.x) :]])
    assert valid.line.color == train.line.color != lines["128", "solid"].line.color
    assert valid.marker.symbol != lines["128", "solid"].marker.symbol
    assert [t.name for t in figure.data[-2:]] == ["validation", "training"]
    low, high = (t for t in seen if t.legendgroup == "32" and t.mode == "lines")
    assert high.y[0] - low.y[0] == pytest.approx(2 * np.std([0.8, 0.6], ddof=1))
    assert figure.layout.legend.title.text == "batch size"


def curves_over(table):
    """What each entry of the menu of the accuracies draws: the title of its axis and x of every line of arm 32."""
    figure = drawn_of(table)["curves-acc"]
    return [
        (label, f.layout.xaxis.title.text, [list(t.x) for t in f.data if t.visible and t.legendgroup == "32"][-1])
        for label, f in views(figure)
    ], figure


def test_where_epochs_have_more_updates_in_some_arms_curves_are_over_updates_too():
    (epochs, updates), figure = curves_over(with_training(PAIR))
    assert epochs == ("epochs", "epoch", [1, 2, 3]) and updates == ("updates", "update", [30, 60, 90])
    for _, shown in views(figure):  # the keys of solid and dashed stay
        assert [t.name for t in shown.data if t.visible is not False][-2:] == ["validation", "training"]
    table = with_training(PAIR)
    ends = table.curves["point"].eq(0) & table.curves["epoch"].gt(1)
    first, _ = curves_over(replace(table, curves=table.curves[~ends].assign(step=lambda rows: rows["epoch"] * 30)))
    assert [label for label, *_ in first] == [""]  # as many updates in every epoch
    steps = table.curves["epoch"] * 30 // (1 + 2 * table.curves["point"].eq(1))
    equal = table.curves.assign(step=steps)[~ends]
    assert [label for label, *_ in curves_over(replace(table, curves=equal))[0]] == ["updates", "epochs"]


def test_an_axis_of_accuracies_leaves_out_the_climb_of_the_first_tenth_alone():
    def low(start, second):
        made = with_training(PAIR)
        epoch = made.curves["epoch"]
        course = {"epoch": epoch * 10 - 9, "step": epoch * 10 - 9}
        course |= dict.fromkeys(["valid/acc", "train/acc"], np.select([epoch == 1, epoch == 2], [start, second], 0.95))
        figure = drawn_of(replace(made, curves=made.curves.assign(**course).drop(columns="train_eval/acc")))
        return figure["curves-acc"].layout.yaxis.range

    assert low(0.1, 0.9)[0] == pytest.approx(0.9 - 0.05 * 0.05)
    assert low(0.1, 0.2) is None and low(0.9, 0.95) is None


def test_what_is_drawn_in_pairs_is_not_drawn_again_and_the_rest_is():
    more = drawn_of(with_training(PAIR))["curves-more"]
    assert [button.label for button in more.layout.updatemenus[0].buttons] == ["valid/loss", "train/acc", "epoch_sec"]
    assert list(drawn_of(study(PAIR))) == ["curves"]


def test_the_lines_of_twelve_arms_are_told_apart_and_bands_left_out():
    found = ablation_of(with_training({(b, m): [0.5, 0.6] for b in (8, 16, 32, 64) for m in (0.0, 0.5, 0.9)}))
    looks = list(arm_looks(found).values())
    assert len({(look.colour, look.symbol) for look in looks}) == len({look.label for look in looks}) == 12
    assert looks[1].label == "8 · 0.5" and label_title(found) == "batch size · momentum"
    (figure,) = (figure for name, *_, figure in ablation_figures(found) if name == "curves-acc")
    assert not [t for t in figure.data if t.fill]


def test_trials_at_the_target_and_those_that_stopped_before_it_are_told_apart():
    times = TimeToTarget("updates", 0.9, ((0, 0), (1, 0), (2, 0)), (100.0, 300.0, 200.0), (True, False, True), 200.0)
    marks = {trace["name"]: trace for trace in _marks([times], "updates")}
    assert marks["reached it"]["x"] == [100.0, 200.0] and marks["stopped before it"]["x"] == [300.0]
    assert marks["stopped before it"]["hovertext"] == ["not within 300"]
    assert marks["median (Kaplan and Meier)"]["x"] == [200.0]


def test_a_figure_is_one_function_and_one_line(monkeypatch):
    def trials(found):
        bars = {"type": "bar", "x": [arm.name for arm in found.arms], "y": [arm.trials for arm in found.arms]}
        yield "trials", "Trials", "Count them.", draw([bars], {}, "Trials.")

    monkeypatch.setattr(figures, "FIGURES", (*FIGURES, trials))
    table = synthetic.ablation()
    *_, (name, _, _, figure) = ablation_figures(ablation_of(table))
    assert name == "trials" and list(figure.data[0].y) == [3] * 6
