"""What is kept of trials for a model, against a look at every one of them."""

import math
import random

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.search_space import intersection_search_space
from optuna.trial import TrialState

from hpsearch.search.observed import Observed, changed

SPACE = {
    "lr": FloatDistribution(1e-4, 1, log=True), "depth": IntDistribution(1, 9),
    "kind": CategoricalDistribution(("a", "b")),
}  # fmt: skip


def ended(trials):
    return [each for each in trials if each.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def best(trials, sign, most):
    """Return the numbers of the best as Optuna's TPE takes them: complete ones, pruned ones, those not feasible."""

    def key(trial):
        violation = sum(value for value in trial.constraints.values() if value > 0)
        if violation > 0:
            return 2, violation
        if trial.state is TrialState.COMPLETE:
            return 0, sign * trial.value
        if not trial.intermediate_values:
            return 1, 1, 0
        step = max(trial.intermediate_values)
        value = trial.intermediate_values[step]
        return 1, -step, math.inf if math.isnan(value) else sign * value

    return sorted(each.number for each in sorted(ended(trials), key=key)[:most])


def values(trials, space):
    rows = [[each.to_internal_repr(trial.params[name]) for name, each in space.items()]
            for trial in trials if space.keys() <= trial.params.keys()]  # fmt: skip
    return {name: [row[column] for row in rows] for column, name in enumerate(space)}


@pytest.mark.filterwarnings("ignore:The reported value")
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_knows_what_a_look_at_every_trial_says(direction):
    rng, running = random.Random(direction), []
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=1))
    known = Observed(study.direction, lambda trial: trial.params)
    for step in range(260):
        if len(running) < 6:
            some = {name: SPACE[name] for name in rng.sample(list(SPACE), 3 if rng.random() < 0.8 else 2)}
            running.append(study.ask(some if step < 200 else {**some, "depth": IntDistribution(1, 12)}))
        trial = rng.choice(running)
        fate = rng.random()
        if fate < 0.4:
            trial.report(rng.choice([0.25, math.nan, rng.random()]), rng.randint(1, 4))
        else:
            running.remove(trial)
            trial.set_constraint("infeasible", 1.0 if fate > 0.8 else -1.0)
            state = TrialState.FAIL if fate < 0.5 else TrialState.PRUNED if fate < 0.6 else None
            study.tell(trial, rng.choice([0.5, rng.random()]) if state is None else None, state=state)
        if rng.random() < 0.7:  # several changes between two looks
            trials = study.get_trials(deepcopy=False)
            known.look(trials)
            assert known.ended == len(ended(trials))
            assert [each.number for each in known.trials_that_ended()] == [each.number for each in ended(trials)]
            for most in range(0, known.ended + 6, 5):
                assert known.best(most) == best(trials, 1 if direction == "minimize" else -1, most)
            assert known.common == intersection_search_space(ended(trials))
            out = rng.sample(range(len(trials)), 1)
            for runs in (False, True):
                states = (TrialState.COMPLETE, TrialState.PRUNED, *((TrialState.RUNNING,) if runs else ()))
                wanted = [each.number for each in trials if each.state in states and each.number not in out]
                others = known.others(out, runs)
                assert others.tolist() == wanted
                for space in (SPACE, {"depth": SPACE["depth"]}):
                    found = {name: column.tolist() for name, column in known.values(others, space).items()}
                    assert found == values([trials[number] for number in wanted], space)


def test_other_trials_in_the_place_of_known_ones_are_read_anew():
    studies = [optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)) for seed in (1, 2)]
    known = Observed(studies[0].direction, lambda trial: trial.params)
    lists = []
    for study in studies:
        for number in range(6):
            trial = study.ask(SPACE)
            if number % 2:
                study.tell(trial, number)
        lists.append(study.get_trials(deepcopy=False))
    lists.append([each for each in lists[0] if each.state is TrialState.RUNNING][1:])  # part of a study
    lists += [lists[0][:4], []]
    for trials in lists:
        known.look(trials)
        there = known.others([], running=True)
        assert {name: column.tolist() for name, column in known.values(there, SPACE).items()} == values(trials, SPACE)
        assert known.ended == len(ended(trials))


def test_what_was_proposed_of_a_trial_counts_until_it_is_drawn():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    proposed = {"lr": 0.5, "depth": 3, "kind": "b"}
    known = Observed(study.direction, lambda trial: {**proposed, **trial.params})
    trial = study.ask({"lr": SPACE["lr"]})
    known.look(study.get_trials(deepcopy=False))
    lr = trial.params["lr"]
    assert {name: column.tolist() for name, column in known.values([0], SPACE).items()} == {
        "lr": [lr], "depth": [3], "kind": [1],
    }  # fmt: skip
    proposed["depth"] = 4
    assert known.values([0], SPACE)["depth"].tolist() == [4]
    trial.suggest_int("depth", 1, 9)
    trial.suggest_categorical("kind", ("a", "b"))
    known.look(study.get_trials(deepcopy=False))
    assert known.values([0], SPACE)["depth"].tolist() == [trial.params["depth"]]


def test_what_has_changed_is_another_object():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    first, second = (study.ask(SPACE) for _ in range(2))
    before = study.get_trials(deepcopy=False)
    second.report(0.5, 1)
    study.ask(SPACE)
    assert changed(before, study.get_trials(deepcopy=False)) == [1, 2]
    study.tell(first, 0.5)
    assert changed(before, study.get_trials(deepcopy=False)) == [0, 1, 2]
    assert np.array_equal(changed([], before), [0, 1])


def test_common_is_what_all_that_have_ended_have_in_the_same_range():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    known = Observed(study.direction, lambda trial: trial.params)
    found = []
    for space in (
        SPACE,
        SPACE,
        {**SPACE, "depth": IntDistribution(1, 12)},
        {"lr": SPACE["lr"], "depth": SPACE["depth"]},
    ):
        study.tell(study.ask(space), 0.5)
        study.ask({})  # runs
        known.look(study.get_trials(deepcopy=False))
        assert known.common == intersection_search_space(ended(study.get_trials(deepcopy=False)))
        found.append(list(known.common))
    assert found == [["depth", "kind", "lr"], ["depth", "kind", "lr"], ["kind", "lr"], ["lr"]]
