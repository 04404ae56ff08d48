"""The tree of what objectives suggested: which points are new, and when all were tried."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from hpsearch.search.explored import PROPOSED, Explored

KIND = CategoricalDistribution(["a", "b"])
DISTRIBUTIONS = {"kind": KIND, "n": IntDistribution(1, 2), "x": FloatDistribution(0, 1)}


def trial(number, state=TrialState.COMPLETE, proposed=None, **params):
    made = optuna.trial.create_trial(
        state=state,
        value=0.0 if state is TrialState.COMPLETE else None,
        params=params,
        distributions={name: DISTRIBUTIONS[name] for name in params},
        user_attrs={PROPOSED: proposed or {}},
    )
    made.number = number
    return made


def explored(*trials):
    tree = Explored()
    for each in trials:
        tree.note(each)
    return tree


@pytest.mark.parametrize(
    ("point", "is_new"),
    [
        ({"kind": "a", "n": 1}, False),
        ({"kind": "a", "n": 2}, False),
        ({"kind": "b", "n": 1}, False),
        ({"kind": "b", "n": 2}, True),
        ({"kind": "b"}, True),
        ({}, True),
    ],
)
def test_a_point_is_known_by_the_branch_that_it_takes_whatever_else_it_holds(point, is_new):
    tree = explored(trial(0, kind="a"), trial(1, kind="b", n=1))
    assert tree.is_new(point, 2) == is_new


def test_a_point_that_runs_is_known_by_its_whole_proposal():
    proposed = {"kind": "a", "n": 1}
    tree = explored(trial(0, TrialState.RUNNING, proposed, kind="a"))
    assert not tree.is_new(proposed, 1) and tree.is_new({"kind": "a", "n": 2}, 1)
    assert tree.is_new(proposed, 0), "it is no other than itself"
    tree.note(trial(0, TrialState.RUNNING, proposed, kind="a", n=1))
    assert tree.is_new({"kind": "a", "n": 2}, 1)


USED_UP = {
    "nothing": ([], False),
    "runs": ([trial(0, TrialState.RUNNING)], False),
    "without suggestions": ([trial(0)], True),
    "failed before it suggested": ([trial(0, TrialState.FAIL)], False),
    "half": ([trial(0, kind="a")], False),
    "all": ([trial(0, kind="a"), trial(1, kind="b", n=1), trial(2, kind="b", n=2)], True),
    "one of them runs": (
        [trial(0, kind="a"), trial(1, kind="b", n=1), trial(2, TrialState.RUNNING, kind="b", n=2)],
        True,
    ),
    "one asked for more": ([trial(0, kind="a"), trial(1, kind="b", n=1), trial(2, kind="b", n=2, x=0.5)], False),
    "without end": ([trial(0, x=0.5), trial(1, x=0.25)], False),
}


@pytest.mark.parametrize("name", USED_UP)
def test_it_is_used_up_when_every_branch_has_an_end(name):
    trials, used_up = USED_UP[name]
    assert explored(*trials).used_up == used_up


def test_a_branch_that_goes_on_after_all_is_not_used_up():
    tree = explored(trial(0, kind="a"), trial(1, TrialState.RUNNING, kind="b"))
    assert tree.used_up
    tree.note(trial(1, TrialState.RUNNING, kind="b", n=1))
    assert not tree.used_up


def test_an_objective_that_does_not_do_the_same_again_is_no_error():
    tree = explored(trial(0, kind="a", n=1), trial(1, x=0.5))
    assert tree.is_new({"kind": "b", "x": 0.5}, 2)
