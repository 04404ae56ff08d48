"""An Optuna study in another space: what it reaches, and what its points are there."""

import optuna
import pytest

from hpsearch.search.extension import SPACE, present_study
from hpsearch.search.growth import GIVEN, reaching, regrown
from hpsearch.search.space import Space


def space(**expressions):
    return Space.parse(expressions)


@pytest.mark.parametrize(
    ("new", "reached"),
    [
        ("interval(0.0, 2.0)", (0.0, 2.0)),
        ("interval(0.2, 0.8)", (0.0, 1.5)),
        ("interval(-1.0, 1.0)", (-1.0, 1.5)),
        ("tag(log, interval(0.1, 1.0))", (0.1, 1.0)),
        ("choice(0.5, 1.0)", (0.5, 1.0)),
    ],
)
def test_a_range_reaches_as_far_as_it_was_widened(new, reached):
    given, present = space(x="interval(0.0, 1.0)", y="choice(1, 2)"), space(x="interval(0.0, 1.5)", y="choice(1, 2)")
    found = reaching(space(x=new, y="choice(1, 2, 3)", z="interval(0.0, 1.0)"), present, given)
    assert found.ends() == {"x": reached, "y": (1, 2, 3), "z": (0.0, 1.0)}


def test_a_range_that_the_user_gave_may_become_narrower():
    narrow = reaching(space(x="interval(0.0, 0.5)"), space(x="interval(0.0, 1.0)"), space(x="interval(0.0, 1.0)"))
    assert narrow.ends() == {"x": (0.0, 0.5)}


def test_every_point_that_was_asked_is_there_with_new_values_and_what_was_queued_is_not():
    storage = optuna.storages.InMemoryStorage()
    old, new = space(k="choice(1, 3)"), space(k="choice(0, 1, 2, 3)", m="choice(a, b)")
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    for key, value in {"seconds": 3.0, GIVEN: old.to_dict(), "prior": [1], "unproven": [2]}.items():
        study.set_user_attr(key, value)
    done, running = study.ask(old.distributions()), study.ask(old.distributions())
    done.set_constraint("infeasible", -1.0)
    done.report(0.5, 1)
    study.tell(done, 0.7)
    study.enqueue_trial({"k": 0})
    grown = regrown(study, "s", new, new, {0: {"k": 3, "m": "b"}, 1: {"k": 1, "m": "b"}})
    first, second = grown.trials
    assert [new.active(trial.params) for trial in grown.trials] == [{"k": 3, "m": "b"}, {"k": 1, "m": "b"}]
    assert (first.state.name, first.value, first.intermediate_values) == ("COMPLETE", 0.7, {1: 0.5})
    assert first.constraints == {"infeasible": -1.0} and first.distributions == new.distributions()
    assert (second.state.name, second.number) == ("RUNNING", running.number)
    assert grown.user_attrs == {"seconds": 3.0, GIVEN: new.to_dict(), SPACE: new.to_dict()}
    assert present_study(storage, "s") == grown.study_name == "s+1"
