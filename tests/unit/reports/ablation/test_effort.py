"""How arms were tuned, and where that was done unequally well."""

from dataclasses import replace

import pytest

from hpsearch.base.keys import HELD, RETUNED
from hpsearch.reports.ablation.claims.claim import RATE
from hpsearch.reports.ablation.effort import how_tuned, unequal_effort
from hpsearch.reports.ablation.tuning import Nuisance
from tests.support.ablations import GRID, search


def tuned(*searches, **changes):
    return replace(Nuisance(RETUNED, (RATE,), {}, searches), **changes)


@pytest.mark.parametrize(
    ("nuisance", "said"),
    [
        (
            Nuisance(RETUNED, (), {}, ()),
            "No nuisance hyperparameter is named: every arm was run at the same fixed set",
        ),
        (Nuisance(HELD, (RATE,), {RATE: 0.1}, ()), "Held, not retuned: learning rate 0.1; an arm may look bad because"),
        (tuned(), "Settings tuned for each arm: learning rate."),
        (
            tuned(search(0.1)),
            "Settings tuned for each arm: learning rate, chosen from 6 values by the mean over 3 seeds, smoothed over "
            "neighbouring values, of those at which every seed trains; the scores here are of other seeds.",
        ),
        (tuned(replace(search(0.1), seeds=1)), "chosen from 6 values by the score of one seed, smoothed"),
        (
            tuned(search(0.1), keys=(RATE, "optimizer.weight_decay")),
            "learning rate, weight decay, chosen from 6 set",
        ),
    ],
)
def test_how_the_values_of_an_arm_were_chosen(nuisance, said):
    assert said in how_tuned(nuisance)


def test_arms_that_were_tuned_alike_need_no_word():
    assert unequal_effort(tuned()) == []
    assert unequal_effort(tuned(search(0.1), search(1.0, 0.9, flat=[100.0]))) == []


def test_fewer_settings_that_train_are_said_with_the_arms():
    lost = search(0.1, 0.9, diverged=[10.0, 100.0], flat=[1.0])
    assert unequal_effort(tuned(search(0.1), lost)) == [
        "Tuning effort is unequal: 3 settings train in momentum 0.9, 6 in momentum 0."
    ]


def test_a_search_that_was_cut_short_is_said_with_its_reason():
    few = search(0.1, 0.9, rates=GRID[:4])
    first, *_ = unequal_effort(tuned(search(0.1), few, ended="the limit of 100 epochs is used up"))
    assert first == (
        "Tuning effort is unequal: 4 settings were tried in momentum 0.9, 6 in momentum 0; the search ended because "
        "the limit of 100 epochs is used up."
    )


def test_edges_are_named_up_to_three():
    at_edge = [search(GRID[-1 if low else 0], momentum) for momentum, low in ((0.0, 0), (0.5, 1), (0.9, 0), (0.99, 0))]
    (line,) = unequal_effort(tuned(search(0.1), *at_edge[:2]))
    assert line == (
        "Chosen at an edge of what was tried, so that the arm may do better beyond: learning rate 0.001 of momentum 0, "
        "the lowest; learning rate 50 of momentum 0.5, the highest."
    )
    (many,) = unequal_effort(tuned(*at_edge))
    assert many.endswith("learning rate 0.0001 of momentum 0.9, the lowest; and 1 more.")
