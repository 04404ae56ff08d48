import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.halved import halved, loss_ratios
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis, searched
from hpsearch.reports.summary.boundary import StableRange, frontier_of, stability
from hpsearch.reports.summary.numbers import summarize
from tests.support import synthetic

AWAY, OOM = "diverged at step 3: loss nan", "out of memory: 9000 MiB asked"


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


def along(table, best, key="x"):
    axis = next(a for a in searched(table) if a.key == key)
    keys = [a.key for a in searched(table)]
    params = {i: row[keys].to_dict() for i, row in table.trials.iterrows()}
    return stability(table, axis, params, best)


GOOD, SLOW = (2.0, 0.5), (2.0, 1.5)


def test_stable_range_is_the_contiguous_run_around_the_best():
    found = along(study({0.001: GOOD, 0.01: SLOW, 0.1: GOOD, 0.3: GOOD, 1: GOOD, 3: SLOW, 10: GOOD}), best=3)
    assert found.stable == StableRange(0.1, 1)
    assert found.edges == ()


def test_half_is_not_below_half():
    assert along(study({0.1: (2.0, 1.0), 0.2: GOOD}), best=1).stable == StableRange(0.2, 0.2)
    assert along(study({0.1: (2.0, 0.999), 0.2: GOOD}), best=1).stable == StableRange(0.1, 0.2)


def test_no_stable_range_when_the_best_itself_does_not_train():
    assert along(study({0.1: SLOW, 1: GOOD}), best=0).stable is None


def test_edge_lies_halfway_on_the_axis_scale():
    states, reasons = ["COMPLETE"] * 3 + ["INFEASIBLE"] * 2, [""] * 3 + [AWAY] * 2
    found = along(study({0.01: GOOD, 0.1: GOOD, 1: SLOW, 4: (2, 2), 10: (2, 2)}, states, reasons), best=0)
    (edge,) = found.edges
    assert (edge.side, edge.inside, edge.outside) == ("above", 0.1, 4)
    assert edge.estimate == pytest.approx(math.sqrt(0.1 * 4))
    assert edge.onset == pytest.approx(2.0)  # between 1, which did not train well but did not diverge, and 4
    assert found.diverged == (4, 10)


def test_edge_of_a_linear_axis_and_below_the_best():
    states, reasons = ["INFEASIBLE", "COMPLETE", "COMPLETE"], [AWAY, "", ""]
    found = along(study({1.0: (2, 2), 3.0: GOOD, 5.0: GOOD}, states, reasons, "interval(1, 5)"), best=2)
    (edge,) = found.edges
    assert (edge.side, edge.inside, edge.outside, edge.estimate) == ("below", 3, 1, 2)


def test_running_out_of_memory_is_not_divergence():
    assert diverged("INFEASIBLE", AWAY)
    assert not diverged("INFEASIBLE", OOM)
    assert not diverged("INFEASIBLE", "not compared: latency is inf")
    assert not diverged("FAILED", AWAY)
    found = along(
        study({16.0: GOOD, 32.0: GOOD, 64.0: (2, 2)}, ["COMPLETE"] * 2 + ["INFEASIBLE"], ["", "", OOM]), best=1
    )
    assert found.edges == ()


def test_a_failed_point_says_nothing():
    found = along(study({0.1: GOOD, 0.3: (2.0, 1.9), 1: GOOD}, ["COMPLETE", "FAILED", "COMPLETE"]), best=0)
    assert found.stable == StableRange(0.1, 1)


def test_every_seed_must_train():
    table = synthetic.sweep()
    assert halved(table)[6]
    last = (table.curves.point == 6) & (table.curves.seed == 1) & (table.curves.epoch == 30)
    worse = replace(table, curves=table.curves.assign(**{"train/loss": table.curves["train/loss"].mask(last, 1.2)}))
    assert not halved(worse)[6]


def test_first_loss_is_that_of_the_first_step_else_of_the_first_epoch():
    table = synthetic.sweep(rates=[0.1], seeds=1)
    epochs = table.curves["train/loss"].dropna().tolist()
    assert loss_ratios(table).tolist() == pytest.approx([epochs[-1] / 2.3])
    assert loss_ratios(replace(table, steps=table.steps.iloc[:0])).tolist() == pytest.approx([epochs[-1] / epochs[0]])
    only_steps = replace(table, curves=table.curves.drop(columns="train/loss"))
    assert loss_ratios(only_steps).tolist() == pytest.approx([table.steps["loss"].iloc[-1] / 2.3])


def test_only_points_that_share_the_other_hyperparameters_are_read():
    losses = {0.1: GOOD, 0.2: GOOD, 1: SLOW, 2: GOOD}
    found = along(study(losses, width=[1, 1, 2, 1]), best=0)
    assert found.stable == StableRange(0.1, 2)
    assert along(study(losses, width=[1, 2, 3, 4]), best=0) is None


def test_the_main_job():
    found = summarize(synthetic.sweep()).stability
    assert (found.stable.low, found.stable.high) == (0.00464159, 1.0)
    assert found.diverged == (4.64159, 10.0)
    assert found.edges[0].estimate == pytest.approx(math.sqrt(1.0 * 4.64159))


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
            scatter_point(dict(zip("abcd", row, strict=True)), lost) for row, lost in zip(keys, away, strict=True)
        ]
        found.append(frontier_of(axes, points) is not None)
    assert sum(found) <= 11  # more than 11 of 100 at 5 % have a probability of .4 %


def scatter_point(params, away):
    state = TrialState.INFEASIBLE if away else TrialState.COMPLETE
    return Point(0, params, state, 1, (), (), int(away), None, (), None, None)
