import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.pareto import non_dominated
from tests.support.scores import scored, with_states

MAX = {"metric": "valid/acc", "direction": "maximize", "reduce": "last"}


def two(scores, sizes, second=None, states=None):
    """A study with a score to maximize and the fact `parameters` to minimize, one size per point."""
    table = with_states(scored(scores), states or {})
    trials = table.trials.assign(parameters=[sizes[p] for p in table.trials.point])
    objectives = [MAX, second or {"metric": "parameters", "direction": "minimize"}]
    return replace(table, trials=trials, study={**table.study, "objectives": objectives})


def slow(losses):
    dominated = [
        any(
            all(b <= a for a, b in zip(x, y, strict=True)) and any(b < a for a, b in zip(x, y, strict=True))
            for y in losses
        )
        for x in losses
    ]
    return [not d for d in dominated]


@pytest.mark.parametrize(("n", "m"), list(itertools.product([1, 2, 50, 300], [2, 3])))
def test_it_is_the_definition(n, m):
    losses = np.random.default_rng(n * m).integers(0, 12, (n, m)).astype(float)  # integers: many are equal
    assert non_dominated(losses).tolist() == slow(losses.tolist())


def test_a_large_score_and_a_small_size_are_good():
    front = summarize(two([[0.9], [0.8], [0.7], [0.6]], [100, 10, 50, 1])).front
    assert front.front == (0, 1, 3)
    assert front.values[1] == (0.8, 10)
    assert front.left_out == 0


def test_both_can_be_maximized():
    second = {"metric": "parameters", "direction": "maximize"}
    assert summarize(two([[0.9], [0.8], [0.7]], [10, 100, 50], second)).front.front == (0, 1)


def test_equal_points_are_both_on_the_front():
    assert summarize(two([[0.9], [0.9], [0.8]], [10, 10, 10])).front.front == (0, 1)


def test_means_over_replicates_decide():
    table = two([[0.9, 0.5], [0.75, 0.75]], [10, 10])
    front = summarize(table).front
    assert front.front == (1,)
    assert front.values[0] == pytest.approx((0.7, 10))


@pytest.mark.parametrize("state", ["INFEASIBLE", "PRUNED", "FAILED", "RUNNING"])
def test_a_point_without_a_full_result_dominates_nothing(state):
    front = summarize(two([[0.99], [0.8], [0.7]], [1, 10, 20], states={(0, 0): (state, "why")})).front
    assert front.front == (1,)
    assert front.left_out == 1


def test_one_objective_has_no_front_and_an_unknown_one_an_empty_one():
    assert summarize(scored([[0.5], [0.6]])).front is None
    unknown = {"metric": "watts", "direction": "minimize"}
    assert summarize(two([[0.9], [0.8]], [1, 2], unknown)).front.front == ()


@pytest.mark.parametrize(("reduce", "front"), [("last", (0, 1)), ("best", (0,)), ("end", (0,))])
def test_another_objective_is_read_from_its_curve_as_it_says(reduce, front):
    second = {"metric": "valid/loss", "direction": "minimize", "reduce": reduce}
    table = two([[0.9], [0.8]], [0, 0], second)
    losses = [(0, 1, 0.1), (0, 2, 0.9), (1, 1, 0.8), (1, 2, 0.2)]
    rows = [{"point": p, "seed": 0, "fold": 0, "epoch": e, "valid/loss": v} for p, e, v in losses]
    ends = [{"point": 0, "seed": 0, "fold": 0, "step": s, "valid/loss": v} for s, v in ((19, 0.1), (20, 0.2))]
    found = summarize(replace(table, curves=pd.DataFrame(rows), ends=pd.DataFrame(ends))).front
    assert found.front == front
    assert found.values[0][1] == pytest.approx({"last": 0.9, "best": 0.1, "end": 0.15}[reduce])
