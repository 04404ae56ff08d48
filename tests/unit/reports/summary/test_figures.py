import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import parameter_axis, round_ticks
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.figures.curves import curves_figure
from hpsearch.reports.summary.figures.history import history_figure
from hpsearch.reports.summary.figures.parallel import parallel_figure
from hpsearch.reports.summary.figures.score import score_figure
from hpsearch.reports.summary.figures.timeline import lanes_of, timeline_figure
from hpsearch.reports.summary.importance import strongest
from hpsearch.reports.summary.numbers import summarize
from tests.support import studies, synthetic


def figures(study):
    return {name: figure for name, _, _, figure in studies.drawn(study)}


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def test_every_figure_of_every_study_says_what_it_shows(study):
    for name, figure in figures(study).items():
        assert len(figure.layout.meta["alt"]) > 20, name
        assert json.loads(figure.to_json(), parse_constant=pytest.fail) == json.loads(figure.plotly.to_json())


def test_every_colour_has_a_dark_partner(study):
    partners = theme.dark_partners()
    for name, figure in figures(study).items():
        used = re.findall(r'"(#[0-9a-fA-F]{6}|rgba\([^)]*\))"', figure.to_json())
        assert {c for c in used if c != "rgba(0,0,0,0)"} <= set(partners), name


def test_a_menu_entry_changes_every_trace_or_none(study):
    for figure in figures(study).values():
        for menu in figure.layout.updatemenus:
            for button in menu.buttons:
                lists = [v for v in button.args[0].values() if isinstance(v, (list, tuple))]
                assert all(len(values) == len(figure.data) for values in lists)


def test_text_from_users_is_escaped_for_plotly():
    for figure in figures("mixed").values():
        text = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
        assert "<script" not in text
    assert "&lt;script&gt;" in figures("mixed")["score"].to_json()


def test_score_shows_every_seed_the_mean_and_the_diverged():
    table = synthetic.sweep()
    figure, summary = score_figure(summarize(table)), summarize(table)
    complete = table.trials[table.trials.state == "COMPLETE"]
    assert sorted(trace(figure, "each seed").y) == sorted(complete.score)
    mean = trace(figure, "mean over seeds")
    assert list(mean.y) == pytest.approx(complete.groupby("optimizer.lr").score.mean().tolist())
    assert list(mean.x) == sorted(set(complete["optimizer.lr"]))
    assert list(trace(figure, "diverged").x) == [4.64159, 10.0]
    band = trace(figure, "± 1 sd")
    assert list(band.y) == pytest.approx([p.mean + p.sd for p in summary.eligible])
    assert figure.layout.xaxis.type == "log"


def test_score_marks_what_trains_what_is_too_slow_and_the_edge():
    figure = score_figure(summarize(synthetic.sweep()))
    trains, away, edge = figure.layout.shapes
    assert (trains.x0, trains.x1, trains.fillcolor) == (0.00464159, 1.0, theme.GREEN_WASH)
    assert edge.x0 == away.x0 == pytest.approx(math.sqrt(2.15443), rel=0.05)
    assert away.x1 > 10
    texts = " ".join(a.text for a in figure.layout.annotations)
    assert "edge ≈ 1.47" in texts
    assert "too slow" in texts


def test_score_draws_a_point_of_which_some_seeds_are_at_chance_beside_those_that_diverged():
    table = synthetic.sweep()
    rows = (table.curves["point"] == 5) & (table.curves["seed"] == 0)
    table.curves.loc[rows, ["train/loss", "valid/loss"]] = 2.3
    figure = score_figure(summarize(table))
    (parted,) = [trace(figure, "some at chance")]
    assert list(parted.x) == [table.trials[table.trials.point == 5]["optimizer.lr"].iloc[0]]
    assert "1 of 3 trials at chance" in parted.hovertext[0]
    assert len(trace(figure, "mean over seeds").x) == 10


def test_score_offers_every_hyperparameter():
    figure = score_figure(summarize(synthetic.mixed()))
    against = next(m for m in figure.layout.updatemenus if m.name == "Against")
    assert [b.label for b in against.buttons] == [
        *("learning rate", "weight decay", "batch size", "model", "model.kernel_size", "optimizer.nesterov"),
    ]
    shown = [t for t, visible in zip(figure.data, against.buttons[4].args[0]["visible"], strict=True) if visible]
    kernels = {x for t in shown for x in t.x}
    assert kernels <= {3, 5}


def test_curves_toggle_smoothing_and_metric():
    figure = curves_figure(synthetic.sweep(), summarize(synthetic.sweep()))
    metric, smoothing = figure.layout.updatemenus
    assert [b.label for b in metric.buttons][:3] == ["valid/acc", "train/loss", "valid/loss"]
    assert "train/loss per step" in [b.label for b in metric.buttons]
    smoothed, raw = (b.args[0]["opacity"] for b in smoothing.buttons)
    assert set(raw) == {0.0, 1.0}
    assert [s for s, r in zip(smoothed, raw, strict=True) if r == 0.0] == [1.0] * raw.count(0.0)
    assert metric.buttons[1].args[1]["yaxis"]["type"] == "log"


def test_curves_hold_every_value_and_gaps_between_trials():
    table = synthetic.sweep(epochs=4)
    figure = curves_figure(table, summarize(table))
    points = table.curves[table.curves.point == 3].sort_values(["seed", "epoch"])["valid/acc"].tolist()
    shown = next(t for t in figure.data if t.name == "learning rate 0.01")
    assert [y for y in shown.y.tolist() if not math.isnan(y)] == pytest.approx(points, rel=1e-6)
    assert sum(math.isnan(y) for y in shown.y.tolist()) == 3


def test_curves_too_short_to_be_smoothed_are_not_faint_and_have_no_halves_of_epochs():
    table = synthetic.sweep(epochs=3)
    figure = curves_figure(table, summarize(table))
    assert "smoothed" in [b.label for b in figure.layout.updatemenus[-1].buttons], "the loss per step is"
    assert {t.opacity for t in figure.data if t.visible} == {None}
    assert figure.layout.xaxis.tickvals == (0, 1, 2, 3)


def test_curves_of_very_many_trials_become_quantiles_and_the_best():
    table = synthetic.mixed(points=300, epochs=4)
    figure = curves_figure(table, summarize(table))
    names = [t.name for t in figure.data if t.visible]
    assert {"5–95 % of trials", "25–75 % of trials", "median"} <= set(names)
    assert len(names) < 45


def test_history_keeps_the_best_so_far():
    table = synthetic.sweep()
    figure, summary = history_figure(summarize(table)), summarize(table)
    best = trace(figure, "best so far")
    means = [p.mean for p in summary.eligible]
    assert list(best.y)[: len(means)] == [max(means[: i + 1]) for i in range(len(means))]
    assert list(trace(figure, "infeasible").x) == [11, 12]


def test_history_of_a_loss_goes_down():
    table = synthetic.sweep()
    study = {**table.study, "objective": {"metric": "valid/acc", "direction": "minimize", "reduce": "last"}}
    best = trace(history_figure(summarize(replace(table, study=study))), "best so far")
    assert list(best.y) == sorted(best.y, reverse=True)


def test_lanes_are_as_many_as_run_at_once():
    assert lanes_of([0, 1, 2, 3], [2, 3, 4, 5]) == [0, 1, 0, 1]
    assert lanes_of([0, 0, 0, 5], [1, 4, 9, 6]) == [0, 1, 2, 0]
    assert lanes_of([], []) == []


def test_timeline_draws_each_trial_once():
    table = synthetic.sweep()
    figure = timeline_figure(table)
    widths = sorted(width for t in figure.data for width in t.x)
    assert widths == pytest.approx(sorted(table.trials.ended - table.trials.started))
    assert {lane for t in figure.data for lane in t.y} == {1, 2}


def test_parallel_shows_at_most_eight_hyperparameters_and_keeps_the_telling_ones():
    table = synthetic.mixed()
    names = [f"noise.n{i}" for i in range(9)]
    rng = np.random.default_rng(0)
    trials = table.trials.assign(**{name: rng.random(len(table.trials)) for name in names})
    space = {**dict.fromkeys(names, "interval(0, 1)"), "optimizer.lr": "tag(log, interval(1e-4, 3))"}
    summary = summarize(replace(table, trials=trials, study={**table.study, "space": space}))
    kept = [axis.key for axis in strongest(summary)]
    assert len(kept) == 8
    assert "optimizer.lr" in kept


def test_parallel_sends_missing_values_through_the_gap():
    table = synthetic.mixed()
    figure = parallel_figure(table, summarize(table))
    drawn = [y for t in figure.data for y in t.y if y is not None]
    assert min(drawn) == -0.13
    assert all(y == -0.13 or 0 <= y <= 1 for y in drawn)


@pytest.mark.parametrize(
    ("log", "low", "high", "ticks"),
    [
        (True, 1e-3, 10, [0.001, 0.01, 0.1, 1, 10]),
        (True, 0.02, 0.3, [0.02, 0.05, 0.1, 0.2]),
        (False, 0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (False, 0.31, 0.98, [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        (False, 5, 5, [5]),
    ],
)
def test_ticks_are_round(log, low, high, ticks):
    assert round_ticks(log, low, high) == pytest.approx(ticks)


def test_an_axis_leaves_room_and_names_categories():
    axis = parameter_axis(Axis("model", "model", "category", ("<b>", "lenet")))
    assert list(axis["ticktext"]) == ["&lt;b&gt;", "lenet"]
    low, high = parameter_axis(Axis("x", "x", "log", (0.1, 10.0)))["range"]
    assert low < -1 < 1 < high
