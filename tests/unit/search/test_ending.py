"""Why a search ends, as a table, and what counts as an improvement."""

import math
from types import SimpleNamespace

import pytest

from hpsearch.base.types import BestPoint, Objective
from hpsearch.search.ending import Ending, last_improvement
from hpsearch.search.plan import Plan
from hpsearch.search.results import Complete

ACC, LOSS = Objective("acc"), Objective("loss", "minimize")
NAN = math.nan


def ending(limits, *, used_up="", none_works="", complete=(), best=None, objective=ACC):
    """A search that has asked 7 of 9 cells, all of them settled, and trained 30 epochs in 61 seconds."""
    study = SimpleNamespace(why_used_up=lambda: used_up, asked=7, extent="7 of 9 cells of the grid")
    points = SimpleNamespace(results=SimpleNamespace(best=best, complete=complete), epochs=30, settled=7)
    points.why_none_works = lambda: none_works
    return Ending(Plan(objective, (0,), **limits), study, points, lambda: 61.0)


BEST = BestPoint(4, {}, 0.93, 0.01, 3, "acc")
FLAT = [Complete(0, 0.5, 0.02, 1), Complete(1, 0.9, 0.01, 2), *(Complete(n, 0.905, 0.01, n + 1) for n in range(2, 7))]
CELLS = "7 of 9 cells of the grid"


@pytest.mark.parametrize(
    ("limits", "known", "no_more_points", "nothing_more"),
    [
        ({}, {}, "", ""),
        ({"points": 8}, {}, "", ""),
        ({"points": 8}, {"none_works": "the first 3 points failed"}, *["the first 3 points failed"] * 2),
        ({"points": 7}, {"used_up": "all 9 cells of the grid are done"}, "all 9 cells of the grid are done", ""),
        ({"points": 7}, {}, f"budget.points = 7 is used up: {CELLS}", ""),
        ({"points": 2}, {}, f"budget.points = 2 is used up: {CELLS}", ""),
        ({"epochs": 29}, {}, *[f"budget.epochs = 29 is used up: 30 epochs, {CELLS}"] * 2),
        ({"epochs": 31}, {}, "", ""),
        ({"seconds": 60}, {}, *[f"budget.seconds = 60 is used up: 1 min 1 s, {CELLS}"] * 2),
        ({"seconds": 62}, {}, "", ""),
        ({"target": 0.9}, {"best": BEST}, *[f"budget.target = 0.9 is reached: acc 0.930 at point 4, {CELLS}"] * 2),
        ({"target": 0.94}, {"best": BEST}, "", ""),
        ({"target": 0.9}, {}, "", ""),
        ({"target": 0.9}, {"best": BEST, "objective": LOSS}, "", ""),
        (
            {"patience": 5},
            {"complete": FLAT},
            "budget.patience = 5 is used up: none of the last 5 points improved acc 0.900 (point 1) by more than 0.01, "
            "the median sd over a point's trials",
            "",
        ),
        ({"patience": 6}, {"complete": FLAT}, "", ""),
        (
            {"patience": 5},
            {"complete": FLAT, "objective": LOSS},
            "budget.patience = 5 is used up: none of the last 6 points (1 more than that) improved "
            "loss 0.500 (point 0) by more than 0.01, the median sd over a point's trials",
            "",
        ),
        (
            {"patience": 5},
            {"complete": [Complete(1, 0.9, NAN, 2)]},
            "budget.patience = 5 is used up: none of the last 5 points improved acc 0.900 (point 1); of one trial per "
            "point no spread is known",
            "",
        ),
        ({"patience": 7}, {}, "budget.patience = 7 is used up: none of the last 7 points is complete", ""),
        (
            {"patience": 4},
            {},
            "budget.patience = 4 is used up: none of the last 7 points (3 more than that) is complete",
            "",
        ),
        ({"patience": 8}, {}, "", ""),
    ],
)
def test_why_a_search_ends(limits, known, no_more_points, nothing_more):
    end = ending(limits, **known)
    assert end.why_no_more_points() == no_more_points
    assert end.why_nothing_more() == nothing_more


def complete(means, sd=NAN, order=None):
    return [Complete(n, mean, sd, (order or range(1, len(means) + 1))[n]) for n, mean in enumerate(means)]


@pytest.mark.parametrize(
    ("objective", "points", "last", "since"),
    [
        (ACC, complete([0.5]), 0, 9),
        (ACC, complete([0.5, 0.6, 0.6]), 1, 8),  # without a spread any improvement counts, an equal score does not
        (ACC, complete([0.5, 0.55, 0.58], sd=0.1), 0, 9),
        (ACC, complete([0.5, 0.59, 0.68], sd=0.1), 2, 7),  # two small steps that make one together
        (ACC, complete([0.5, 0.7, 0.6], sd=0.1), 1, 8),
        (LOSS, complete([0.5, 0.7, 0.3], sd=0.1), 2, 7),
        (ACC, complete([0.7, 0.5], order=(5, 2)), 0, 5),  # what counts is when a point ended, not when it was asked
    ],
)
def test_the_last_improvement_is_beyond_the_spread(objective, points, last, since):
    found = last_improvement(objective, points, 10)
    assert (found.point.point, found.since) == (last, since)
    assert last_improvement(objective, points[::-1], 10) == found


def test_the_spread_is_the_median_over_points():
    points = [Complete(0, 0.5, 0.5, 1), Complete(1, 0.6, 0.01, 2), Complete(2, 0.65, 0.02, 3)]
    found = last_improvement(ACC, points, 3)
    assert (found.point.point, found.spread) == (2, 0.02)
