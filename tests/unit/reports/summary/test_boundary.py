import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.boundary import frontier_of
from hpsearch.reports.summary.numbers import summarize

AWAY = "diverged at step 3: loss nan"


def study(losses, states=None, reasons=None, expression="tag(log, interval(1e-3, 10))", **more):
    """One trial per value: {value: (first, last) training loss}, the value a hyperparameter `x`."""
    values = list(losses)
    trials = pd.DataFrame(
        {
            "point": range(len(values)), "seed": 0, "fold": 0, "x": values,
            "state": states or ["COMPLETE"] * len(values), "reason": reasons or [""] * len(values), **more,
        }
    )  # fmt: skip
    rows = [
        {"point": i, "seed": 0, "fold": 0, "epoch": epoch + 1, "train/loss": loss}
        for i, pair in enumerate(losses.values())
        for epoch, loss in enumerate(pair)
    ]
    steps = pd.DataFrame({"point": [], "seed": [], "fold": [], "step": [], "loss": []})
    space = {"x": expression, **{key: "choice(1)" for key in more}}
    return TrialTable("s", {"space": space}, trials, pd.DataFrame(rows), steps)


def scattered(values, away, others=None, expression="tag(log, interval(1e-4, 10))"):
    """Points at values of `x`, those in `away` diverged; `others` are values of a second key."""
    states = ["INFEASIBLE" if i in away else "COMPLETE" for i in range(len(values))]
    reasons = [AWAY if i in away else "" for i in range(len(values))]
    table = study(dict.fromkeys(values, (2.0, 0.1)), states, reasons, expression)
    trials = table.trials.assign(score=0.5, y=others or range(len(values)), started=0.0, ended=1.0, duration_sec=1.0)
    space = {**table.study["space"], "y": "interval(0, 100)"}
    return summarize(replace(table, trials=trials, study={**table.study, "space": space}))


SCRAMBLED = [1, 5, 2, 4, 3, 1, 5, 2, 4, 3, 1, 5, 2, 4, 3, 1]


def test_the_frontier_is_halfway_between_trained_and_diverged_on_the_axis_scale():
    values = [*np.geomspace(0.001, 0.1, 6), *np.geomspace(1.0, 4.0, 6)]
    edge = scattered(values, range(6, 12), SCRAMBLED[:12]).frontier
    assert (edge.axis.key, edge.side, edge.accuracy) == ("x", "above", 1.0)
    assert edge.edge == pytest.approx(math.sqrt(0.1))
    assert (edge.low, edge.high) == pytest.approx((0.1, 1.0))


def test_a_frontier_can_lie_below_and_kinds_can_mix():
    values = [*np.geomspace(0.001, 0.004, 8), 0.01, 0.02, *np.geomspace(0.1, 0.8, 7)]
    edge = scattered(values, {*range(8), 9}, [*SCRAMBLED, 5]).frontier
    assert edge.side == "below"
    assert edge.accuracy == pytest.approx((8 / 9 + 1) / 2)
    assert edge.edge == pytest.approx(math.sqrt(0.004 * 0.01))
    assert (edge.low, edge.high) == pytest.approx((0.01, 0.02))


def test_a_frontier_that_chance_would_make_as_well_is_none():
    # Three of three on either side happen in 2 of 20 orders, along either of two keys.
    assert scattered([0.001, 0.01, 0.1, 1.0, 2.0, 4.0], {3, 4, 5}, [1, 5, 2, 4, 3, 1]).frontier is None


def test_there_is_no_frontier_where_no_key_tells_or_few_diverged():
    values = [0.001 * 2**i for i in range(12)]
    assert scattered(values, {0, 2, 5, 8, 11}, [3, 4, 1, 2] * 3).frontier is None
    assert scattered(values, {10, 11}).frontier is None


def test_points_that_diverge_by_chance_have_a_frontier_in_one_of_twenty_studies():
    rng, found = np.random.default_rng(5), []
    for _ in range(100):
        keys = rng.random((20, 4))
        axes = [Axis(key, key, "linear", tuple(sorted(keys[:, i]))) for i, key in enumerate("abcd")]
        away = rng.permutation(20) < 5
        points = [
            scatter_point(i, dict(zip("abcd", row, strict=True)), lost)
            for i, (row, lost) in enumerate(zip(keys, away, strict=True))
        ]
        found.append(frontier_of(axes, points, np.flatnonzero(away)) is not None)
    assert sum(found) <= 11  # more than 11 of 100 at 5 % have a probability of .4 %


def scatter_point(number, params, away):
    state = TrialState.INFEASIBLE if away else TrialState.COMPLETE
    return Point(number, params, state, 1, (), (), int(away), None, (), None, None)
