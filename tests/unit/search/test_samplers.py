"""Proposals: nothing twice, everything of a small space, whatever the sampler inside."""

import warnings

import optuna
import pytest

from hpsearch.search.samplers import Grid, Unseen
from hpsearch.search.space import Space

SMALL = Space.parse({"a": "choice(1, 2, 3)", "kind": "choice(x, y)", "kind=x/b": "choice(0.1, 0.2)"})
WIDE = Space.parse({"lr": "tag(log, interval(1e-4, 1))", "n": "int(interval(1, 50))"})
SAMPLERS = {
    "random": lambda: optuna.samplers.RandomSampler(seed=3),
    "tpe": lambda: optuna.samplers.TPESampler(seed=3, n_startup_trials=4),
    "tpe, one hyperparameter at a time": lambda: optuna.samplers.TPESampler(
        seed=3, n_startup_trials=4, multivariate=False
    ),
    "stuck": lambda: Stuck(),
}


class Stuck(optuna.samplers.BaseSampler):
    """Proposes the same point for ever."""

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, param_name, param_distribution):
        return optuna.samplers.RandomSampler(seed=0).sample_independent(study, trial, param_name, param_distribution)


def points(space, sampler, n, tell=True):
    study = optuna.create_study(sampler=Unseen(sampler, space, seed=0))
    drawn = []
    for number in range(n):
        trial = study.ask(space.distributions())
        drawn.append(space.active(trial.params))
        if tell:
            study.tell(trial, float(number % 7))
    return drawn


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("tell", [True, False])
def test_a_small_space_is_drawn_completely_and_nothing_twice(name, tell):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        drawn = points(SMALL, SAMPLERS[name](), SMALL.size(), tell)
    assert len({str(sorted(point.items())) for point in drawn}) == SMALL.size() == 9


def test_two_points_that_differ_only_in_an_inactive_value_are_one_point():
    drawn = points(SMALL, SAMPLERS["random"](), 9)
    assert sum(point["kind"] == "y" for point in drawn) == 3


def test_where_nothing_repeats_the_proposals_are_the_inner_samplers_own():
    inner = optuna.create_study(sampler=SAMPLERS["random"]())
    expected = [inner.ask(WIDE.distributions()).params for _ in range(5)]
    assert points(WIDE, SAMPLERS["random"](), 5, tell=False) == expected


def test_a_stuck_sampler_is_freed_by_random_points():
    drawn = points(WIDE, Stuck(), 6)
    assert len({tuple(point.values()) for point in drawn}) == 6


def test_queued_points_are_taken_first_and_count_as_seen():
    study = optuna.create_study(sampler=Unseen(SAMPLERS["random"](), SMALL, seed=0))
    for cell in SMALL.grid()[:8]:
        study.enqueue_trial(cell)
    drawn = [SMALL.active(study.ask(SMALL.distributions()).params) for _ in range(9)]
    assert drawn[:8] == [SMALL.active(cell) for cell in SMALL.grid()[:8]]
    assert drawn[8] == SMALL.active(SMALL.grid()[8])


def test_a_grid_keeps_its_points():
    assert Grid(points=13).points == 13
