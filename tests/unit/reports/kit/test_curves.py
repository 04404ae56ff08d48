import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.kit.curves import STEP_LOSS, STEP_LOSSES, Curve, curves_of, metrics_of, quantiles, smooth, thin
from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.numbers import find
from tests.support import synthetic


def slow_local_linear(x, y, sd):
    """The textbook form: at every place a weighted least-squares line, its value there."""
    fitted = []
    for i in x:
        weights = np.sqrt(np.exp(-0.5 * ((x - i) / sd) ** 2))
        design = np.stack([np.ones(len(y)), x - i], axis=1)
        fitted.append(np.linalg.lstsq(design * weights[:, None], y * weights, rcond=None)[0][0])
    return np.array(fitted)


@pytest.mark.parametrize("n", [2, 3, 10, 60])
@pytest.mark.parametrize("sd", [0.7, 1.0, 3.0])
def test_smooth_is_local_linear_regression(n, sd):
    y = np.random.default_rng(n).normal(size=n).cumsum()
    x = np.arange(float(n))
    assert smooth(x, y, sd) == pytest.approx(slow_local_linear(x, y, sd), abs=5e-3 * np.ptp(y))
    kept = np.random.default_rng(n + 1).random(n) < 0.6
    for scale in (1.0, 0.25, 7.0):  # on a grid with holes, and on no grid
        places = scale * np.where(kept, x, x + 0.3)[kept if scale < 7 else slice(None)]
        values = y[kept] if scale < 7 else y
        expected = slow_local_linear(places, values, scale * sd)
        assert smooth(places, values, scale * sd) == pytest.approx(expected, abs=2e-2 * np.ptp(y))


def test_smooth_leaves_lines_alone_up_to_their_ends():
    y = 3.0 - 0.25 * np.arange(40)
    assert smooth(np.arange(40.0), y, 2.0) == pytest.approx(y)
    assert smooth(np.array([1.0]), np.array([5.0]), 2.0) == pytest.approx([5.0])


def test_smooth_removes_noise():
    noise = np.random.default_rng(0).normal(size=400)
    assert smooth(np.arange(400.0), noise, 4.0).std() < 0.45 * noise.std()


def test_curves_equal_a_slow_group_by():
    table = synthetic.sweep()
    curves = curves_of(table, "train/loss")
    for curve in curves:
        rows = table.curves.query(f"point == {curve.point} and seed == {curve.seed}").dropna(subset=["train/loss"])
        assert curve.x.tolist() == rows["epoch"].tolist()
        assert curve.y.tolist() == rows["train/loss"].tolist()
    assert len(curves) == 33  # a diverged trial has the untrained model only, which has no training loss


def test_values_that_are_not_finite_are_left_out():
    rows = pd.DataFrame({"point": 0, "seed": 0, "fold": 0, "epoch": [2, 0, 1], "m": [math.inf, 1.0, math.nan]})
    (curve,) = curves_of(TrialTable("t", {}, pd.DataFrame(), rows, pd.DataFrame()), "m")
    assert (curve.x.tolist(), curve.y.tolist()) == ([0], [1])


def test_the_loss_of_single_steps_is_a_curve():
    table = synthetic.sweep()
    diverged = [c for c in curves_of(table, STEP_LOSS) if c.point == 12]
    assert [c.y.tolist() for c in diverged] == [[2.3, 9.0, 812.3]] * 3


def test_the_objective_comes_first():
    metrics = metrics_of(synthetic.sweep(), Objective("valid/loss", "minimize"))
    assert metrics[:2] == ("valid/loss", "train/loss")
    assert STEP_LOSS in metrics
    assert "epoch" not in metrics


def test_the_loss_of_steps_is_named_as_what_is_minimized_where_classes_are_weighted():
    table = synthetic.sweep()
    weighted = replace(table, curves=table.curves.assign(**{"train/weighted_loss": table.curves["train/loss"]}))
    metrics = metrics_of(weighted, Objective("valid/loss", "minimize"))
    assert "train/weighted_loss per step" in metrics and STEP_LOSS not in metrics
    drawn = [[curve.y.tolist() for curve in curves_of(weighted, name)] for name in STEP_LOSSES]
    assert drawn[0] == drawn[1] == [curve.y.tolist() for curve in curves_of(table, STEP_LOSS)]
    titles = str([figure.layout.to_plotly_json() for _, _, _, figure in figures(find(weighted, 10))])
    assert "train/weighted_loss per step" in titles and "train/loss per step" not in titles


def test_thin_keeps_both_ends():
    assert thin(5, 10).tolist() == [0, 1, 2, 3, 4]
    kept = thin(1000, 50)
    assert len(kept) == 50
    assert (kept[0], kept[-1]) == (0, 999)
    assert thin(1, 50).tolist() == [0]


def test_quantiles_are_of_the_trials_that_got_that_far():
    long, short = np.arange(4.0), np.arange(2.0)
    curves = [Curve(0, 0, 0, long, long), Curve(1, 0, 0, short, short + 10), Curve(2, 0, 0, long, long + 1)]
    x, (median,) = quantiles(curves, [0.5])
    assert x.tolist() == [0, 1, 2, 3]
    assert median.tolist() == [1, 2, 2.5, 3.5]
