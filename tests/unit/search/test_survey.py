"""What is kept of a study's trials, against a look at every one of them."""

import math
import random

import optuna
import pytest

from hpsearch.search.space import Space
from hpsearch.search.survey import NEAREST, Survey

SPACES = {
    "branches": Space.parse({
        "lr": "tag(log, interval(1e-4, 1))", "kind": "choice(a, b, c)", "kind=a/depth": "range(1, 9)",
        "kind=b/rate": "interval(0, 1)",
    }),
    "choices": Space.parse({"kind": "choice(a, b)", "size": "choice(1, 2, 3)"}),
}  # fmt: skip


def best(study, most):
    sign = -1 if study.direction is optuna.study.StudyDirection.MAXIMIZE else 1
    ranked = {}
    for each in study.get_trials(deepcopy=False):
        curve = [sign * each.intermediate_values[step] for step in sorted(each.intermediate_values)]
        ended = each.state is optuna.trial.TrialState.COMPLETE
        score = [sign * each.value] if ended else curve[-1:]
        if score and all(value <= 0 for value in each.constraints.values()):
            furthest = max(each.intermediate_values, default=0)
            ranked.setdefault((not ended, -furthest, *score, *curve), each)
    return [ranked[key].number for key in sorted(ranked)[:most]]


def distance(space, one, other):
    ours, theirs = (space.flat(space.active(each)) for each in (one, other))
    squares = 0.0
    for parameter in space.asked:
        a, b = ours.get(parameter.name), theirs.get(parameter.name)
        is_range = a is not None and b is not None and parameter.values is None
        squares += (parameter.to_unit(a) - parameter.to_unit(b)) ** 2 if is_range else a != b
    return squares


def is_among_failures(space, study, point):
    ended = [each for each in study.get_trials(deepcopy=False) if each.state.is_finished()]
    ordered = sorted(ended, key=lambda each: (distance(space, point, each.params), each.number))
    nearest = [each.constraints.get("infeasible", -1) > 0 for each in ordered[:NEAREST]]
    return len(ended) >= NEAREST and all(nearest)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_knows_what_a_look_at_every_trial_says(name, direction):
    space, rng, seen = SPACES[name], random.Random(f"{name} {direction}"), []
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=1))
    survey, running = Survey(space, study.direction), []
    for look in range(300):
        if len(running) < 4:
            running.append(study.ask(space.distributions()))
        trial = rng.choice(running)
        fate = rng.random()
        if fate < 0.5:
            step = 1 + len(study.get_trials(deepcopy=False)[trial.number].intermediate_values)
            trial.report(rng.choice([0.25, 0.5, rng.random()]), step)
        else:
            running.remove(trial)
            trial.set_constraint("infeasible", 1.0 if trial.params["kind"] == "a" and fate > 0.6 else -1.0)
            if fate < 0.55:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, rng.choice([0.5, rng.random()]))
        if rng.random() < 0.7:  # several changes between two looks
            survey.look(study.get_trials(deepcopy=False))
            assert [each.number for each in survey.best(5)] == best(study, 5)
            point = space.draw(rng)
            seen.append(survey.is_among_failures(point))
            assert seen[-1] == is_among_failures(space, study, point), look
            complete = optuna.trial.TrialState.COMPLETE
            assert survey.scored == sum(each.state is complete for each in study.get_trials(deepcopy=False))
    assert {True, False} == set(seen)


def test_what_is_not_a_number_is_ranked_as_by_a_look_at_every_trial():
    study = optuna.create_study()
    for values in ([1.0, math.nan], [math.nan, 0.5], [0.3, 0.4]):
        trial = study.ask()
        for step, value in enumerate(values):
            trial.report(value, step)
    survey = Survey(None, study.direction)
    survey.look(study.get_trials(deepcopy=False))
    assert [each.number for each in survey.best(2)] == best(study, 2)
    assert not survey.is_among_failures({})


def test_fewer_trials_are_another_study():
    study = optuna.create_study()
    trials = [study.ask() for _ in range(3)]
    for n, trial in enumerate(trials):
        study.tell(trial, float(n))
    survey = Survey(None, study.direction)
    for number in (3, 1, 2):
        survey.look(study.get_trials(deepcopy=False)[:number])
        assert (survey.scored, len(survey.best(9))) == (number, number)
