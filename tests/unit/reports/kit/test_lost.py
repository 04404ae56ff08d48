"""What curves have lost, and how it is drawn."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.curves import Curve, curves_of, extremes, mean_curve, quantiles
from hpsearch.reports.kit.lines import LOST, breaks, lone, lost_spots, mean_traces
from hpsearch.reports.kit.lost import Lost, lost_stretches
from hpsearch.reports.kit.still import still
from hpsearch.reports.summary.figures.curves import curves_figure, figure
from hpsearch.reports.summary.numbers import find, summarize
from tests.support import synthetic

EPOCHS = np.arange(31.0)


def missing(*epochs):
    return ~np.isin(EPOCHS, epochs)


@pytest.mark.parametrize(
    ("known", "stretches"),
    [
        (missing(), []),
        (missing(0), []),
        (missing(*range(10, 21)), [(9, 21)]),
        (missing(5), [(4, 6)]),
        (missing(*range(5, 31, 5)), [(4, 6), (9, 11), (14, 16), (19, 21), (24, 26), (29, 30)][:5]),
        (missing(*range(20, 31)), [(19, 30)]),
        (missing(*range(6)), [(0, 6)]),
        (EPOCHS % 5 == 0, []),
        ((EPOCHS % 5 == 0) & (EPOCHS != 15), [(10, 20)]),
        (np.isin(EPOCHS, [1, 2, 4, 8, 16]), []),
        (np.isin(EPOCHS, [1, 29]), [(1, 29)]),
        (EPOCHS == 30, []),
        (EPOCHS < 0, []),
    ],
)
def test_a_stretch_without_values_is_lost_where_they_are_usual(known, stretches):
    assert lost_stretches(EPOCHS, known) == tuple(Lost(low, high) for low, high in stretches)


def test_epochs_without_a_report_are_lost_too():
    x = np.array([1.0, 2, 3, 4, 9, 10])
    assert lost_stretches(x, np.ones(6, dtype=bool)) == (Lost(4, 9),)
    assert lost_stretches(x, np.ones(6, dtype=bool), every=True) == ()
    assert lost_stretches(x, np.array([1, 1, 0, 0, 1, 1], dtype=bool), every=True) == (Lost(2, 9),)


def table(values, metric="m"):
    """One trial per row of values, by epoch from 0; None is not measured."""
    rows = [
        {"point": 0, "seed": seed, "fold": 0, "epoch": epoch, "step": 10 * epoch, metric: math.nan if v is None else v}
        for seed, of_seed in enumerate(values)
        for epoch, v in enumerate(of_seed)
    ]
    return TrialTable("t", {}, pd.DataFrame(), pd.DataFrame(rows), pd.DataFrame())


def test_a_curve_knows_what_it_lost():
    (curve,) = curves_of(table([[0, 1, 2, None, None, math.inf, 6, 7, None, None]]), "m")
    assert curve.x.tolist() == [0, 1, 2, 6, 7] and curve.y.tolist() == [0, 1, 2, 6, 7]
    assert curve.lost == (Lost(2, 6), Lost(7, 9)) and curve.cuts.tolist() == [2] and curve.end == 9
    assert curve.loses(np.arange(10.0)).tolist() == [x in (3, 4, 5, 8, 9) for x in range(10)]
    (steps,) = curves_of(table([[0, 1, 2, None, None, None, 6, 7]]), "m", "step")
    assert steps.lost == (Lost(20, 60),)


def test_a_line_is_broken_and_a_mark_stands_in_each_stretch():
    (curve,) = curves_of(table([[0, 1, 2, None, None, None, 6, 7, None, None]]), "m")
    assert breaks(np.array([0, 2, 3, 4]), curve.cuts).tolist() == [2]
    spots = lost_spots(curve, "point 0, seed 0")
    assert [(spot.x, spot.y) for spot in spots] == [(4, 4), (8, 7)]
    assert [spot.text for spot in spots] == [
        "not measured between epoch 2 and 6<br>point 0, seed 0",
        "not measured after epoch 7<br>point 0, seed 0",
    ]
    (late,) = curves_of(table([[None, None, None, 3, 4, 5]]), "m")
    assert [(s.x, s.y, s.text) for s in lost_spots(late, "w")] == [(1.5, 3, "not measured before epoch 3<br>w")]


def test_values_between_two_gaps_are_dots():
    values = np.array([1.0, 2, math.nan, 3, math.nan, 4, 5, math.nan, 6])
    assert np.flatnonzero(lone(values)).tolist() == [3, 8]
    found = mean_traces(curves_of(table([[0, 1, None, None, 4, None, None, 7, 8, 9, 10]]), "m"), "a", "red", "pink")
    assert [list(dots["x"]) for dots in found.dots] == [[4]]


def test_a_mean_is_over_every_trial_that_got_that_far_or_not_drawn():
    found = mean_curve(curves_of(table([[0, 1, 2, 3, 4, 5], [2, 3, None, 5, 6, 7], [4, 5, 6]]), "m"))
    assert found.x.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.mean.tolist() == pytest.approx([2, 3, math.nan, 4, 5, 6], nan_ok=True)
    assert found.n.tolist() == [3, 3, 2, 2, 2, 2]
    assert found.sd[[0, 3]].tolist() == pytest.approx([2, math.sqrt(2)])
    assert math.isnan(found.sd[2])


def test_trials_measured_at_other_epochs_are_compared_where_both_were():
    often = Curve(0, 0, 0, np.arange(7.0), np.arange(7.0))
    seldom = Curve(0, 1, 0, np.arange(0, 7.0, 2), np.arange(0, 7.0, 2) + 10)
    found = mean_curve([often, seldom])
    assert found.x.tolist() == [0, 2, 4, 6] and found.mean.tolist() == [5, 7, 9, 11]


def test_quantiles_are_broken_only_where_every_trial_lost_its_values():
    some = curves_of(table([[0, 1, None, None, 4, 5], [2, 3, 4, 5, 6, 7]]), "m")
    every = curves_of(table([[0, 1, None, None, 4, 5], [2, 3, None, None, 6, 7]]), "m")
    assert quantiles(some, [0.5])[1].tolist() == [[1, 2, 4, 5, 5, 6]]
    x, (median,) = quantiles(every, [0.5])
    assert x.tolist() == [0, 1, 2.5, 4, 5] and median.tolist() == pytest.approx([1, 2, math.nan, 5, 6], nan_ok=True)


def test_the_band_of_a_mean_ends_at_a_gap_and_one_mark_says_whose_it_is():
    found = mean_traces(curves_of(table([[0, 1, 2, None, 4, 5], [2, 3, None, None, 6, 7]]), "m"), "a", "red", "pink")
    assert [list(trace["x"]) for trace in found.band] == [[0, 1], [0, 1], [4, 5], [4, 5]]
    assert list(found.band[1]["y"]) == pytest.approx([1 + math.sqrt(2), 2 + math.sqrt(2)])
    assert [(s.x, s.y, s.text) for s in found.spots] == [
        (2.5, 3.5, "not measured between epoch 1 and 4<br>a, 2 of 2 trials")
    ]
    assert list(found.line["customdata"]) == [2, 2, 1, 2, 2]
    assert "mean of %{customdata}" in found.line["hovertemplate"]


def lossy(lost=range(10, 21), spike=None):
    found = synthetic.sweep(seeds=1, epochs=200)
    curves = found.curves.copy()
    curves.loc[(curves.point == 3) & curves.epoch.isin(list(lost)), "valid/acc"] = math.nan
    if spike:
        curves.loc[(curves.point == 3) & (curves.epoch == spike), "train/loss"] = 500.0
    return replace(found, curves=curves)


def drawn(parts, metric, smoothed=False):
    """The trace of point 3 in a figure: its values by epoch, and where its line is broken."""
    menu = next(m for m in parts["layout"]["updatemenus"] if m["name"] == "Metric")
    (button,) = (b for b in menu["buttons"] if b["label"] == metric)
    traces = [t for t, seen in zip(parts["data"], button["args"][0]["visible"], strict=True) if seen]
    lines = [t for t in traces if t["mode"] == "lines" and len(t["x"]) > 2 and t["customdata"][0][0] == 3]
    (found,) = [t for t in lines if ("smoothed" in t["hovertemplate"]) == smoothed]
    return found, traces


def test_the_page_shows_a_gap_where_nothing_was_measured():
    study = lossy()
    parts = curves_figure(study, summarize(study)).parts
    for smoothed in (False, True):
        trace, traces = drawn(parts, "valid/acc", smoothed)
        x = np.asarray(trace["x"], dtype=float)
        assert not set(x[np.isfinite(x)]) & set(range(10, 21))
        at = x.tolist().index(9)
        assert math.isnan(x[at + 1]) and math.isnan(trace["y"][at + 1]) and x[at + 2] == 21
    (marks,) = [trace for trace in traces if trace.get("name") == LOST]
    assert marks["hovertext"] == ["not measured between epoch 9 and 21<br>point 3, seed 0"] and marks["x"] == [15.0]
    _, other = drawn(parts, "train/loss")
    assert not any(trace.get("name") == LOST for trace in other)
    assert "a cross stands there" in figure(find(study, 4))[2]
    assert "a cross stands there" not in figure(find(lossy(lost=()), 4))[2]
    assert "<svg" in still(curves_figure(study, summarize(study)))


def test_smoothing_takes_values_as_far_apart_as_they_are():
    study = synthetic.sweep(seeds=1, epochs=40, rates=[0.01, 0.1])
    line = study.curves.copy()
    line["valid/acc"] = 0.01 * line.epoch
    whole = replace(study, curves=line.copy())
    line.loc[line.epoch.between(10, 30), "valid/acc"] = math.nan
    for found in (whole, replace(study, curves=line)):
        for trace in curves_figure(found, summarize(found)).parts["data"]:
            if "smoothed" in str(trace.get("hovertemplate")) and "lr" not in trace:
                x, y = (np.asarray(trace[axis], dtype=float) for axis in "xy")
                known = np.isfinite(x) & (np.asarray(trace["y"], dtype=float) <= 0.4) & (x > 0)
                if trace["visible"]:
                    assert y[known] == pytest.approx(0.01 * x[known], abs=1e-6)


def test_a_spike_is_drawn_however_long_the_curve_is_and_the_caption_says_how_much_is():
    study = lossy(lost=(), spike=5)
    parts = curves_figure(study, summarize(study)).parts
    trace, _ = drawn(parts, "train/loss")
    assert dict(zip(trace["x"].tolist(), trace["y"].tolist(), strict=True))[5.0] == 500.0
    smooth, _ = drawn(parts, "train/loss", smoothed=True)
    assert dict(zip(smooth["x"].tolist(), np.asarray(smooth["customdata"])[:, 2].tolist(), strict=True))[5.0] == 500.0
    assert "measured %{customdata[2]:.6g}" in smooth["hovertemplate"]
    measured = study.curves[study.curves.point == 3].set_index("epoch")["train/loss"]
    known = np.isfinite(trace["x"])
    assert trace["y"][known].tolist() == measured[trace["x"][known].astype(int)].tolist()
    told = re.search(r"Of the longest curve, of \S+, (\d+) of 201 values are drawn", figure(find(study, 4))[2])
    assert int(told[1]) in {len(extremes(c.y, 120)) for c in curves_of(study, "valid/acc")}
    assert "values are drawn" not in figure(find(synthetic.sweep(epochs=30), 4))[2]


@pytest.mark.parametrize("seed", range(10))
def test_extremes_of_every_stretch_are_kept(seed):
    y = np.random.default_rng(seed).normal(size=997)
    kept = extremes(y, 120, [400, 700])
    assert {0, 996, 400, 401, 700, 701, int(y.argmin()), int(y.argmax())} <= set(kept.tolist())
    assert len(kept) <= 120 + 4 and (np.diff(kept) > 0).all()
    for part in np.split(np.arange(997), np.linspace(0, 997, 60).astype(int)[1:-1]):
        assert y[part].min() in y[kept] and y[part].max() in y[kept]
    assert extremes(y[:120], 120).tolist() == list(range(120))
