"""Proposals: nothing twice, everything of a small space, whatever the sampler inside."""

import random
import warnings
from collections import Counter

import numpy as np
import optuna
import pytest

from hpsearch.search import proposals, tried
from hpsearch.search.auto import AutoSampler
from hpsearch.search.optuna_internals import all_trials
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import Gp, Sobol
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
    study = optuna.create_study(sampler=UniqueSampler(sampler, space, seed=0))
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
    study = optuna.create_study(sampler=UniqueSampler(SAMPLERS["random"](), SMALL, seed=0))
    for cell in SMALL.grid()[:8]:
        study.enqueue_trial(cell)
    drawn = [SMALL.active(study.ask(SMALL.distributions()).params) for _ in range(9)]
    assert drawn[:8] == [SMALL.active(cell) for cell in SMALL.grid()[:8]]
    assert drawn[8] == SMALL.active(SMALL.grid()[8])


class Faulty(Stuck):
    """Fails as samplers do, or proposes what no space holds."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    def infer_relative_search_space(self, study, trial):
        return WIDE.distributions()

    def sample_relative(self, study, trial, search_space):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_a_sampler_that_fails_is_replaced_by_random_points_and_says_so_once():
    sampler = Faulty(
        np.linalg.LinAlgError("singular\nmatrix"),
        np.linalg.LinAlgError("singular\nmatrix"),
        {"lr": float("nan"), "n": 3},
        {"lr": 0.1, "n": 51},
        {"lr": 0.5, "n": 50},
    )
    said = []
    study = optuna.create_study(sampler=UniqueSampler(sampler, WIDE, 0, line=said.append))
    drawn = [study.ask(WIDE.distributions()).params for _ in range(5)]
    assert drawn[4] == {"lr": 0.5, "n": 50}
    assert len({point["lr"] for point in drawn}) == 5
    assert all(1e-4 <= point["lr"] <= 1 and 1 <= point["n"] <= 50 for point in drawn)
    assert said[0] == "sampler Faulty failed (LinAlgError: singular matrix); point 0 is drawn at random instead"
    assert len(said) == 3 and all("\n" not in line for line in said)


def test_a_missing_library_is_not_hidden():
    study = optuna.create_study(sampler=UniqueSampler(Faulty(ImportError("no cmaes")), WIDE, 0))
    with pytest.raises(ImportError):
        study.ask(WIDE.distributions())


def test_replacements_of_a_resumed_study_are_new_even_without_another_seed():
    space, study = Space.parse({"a": "interval(0, 1)", "k": "choice(x, y)"}), optuna.create_study()
    drawn = []
    for _ in range(6):
        study.sampler = UniqueSampler(Stuck(), space, seed=0)
        drawn += [tuple(study.ask(space.distributions()).params.values()) for _ in range(2)]
    assert len(set(drawn)) == 12


def test_where_most_options_are_used_up_the_rest_is_still_found():
    options = ", ".join(f"m{i}" for i in range(60))
    space = Space.parse({"model": f"choice({options})", "model=m59/rate": "interval(0, 1)"})
    drawn = points(space, SAMPLERS["random"](), 150)
    assert len({str(sorted(point.items())) for point in drawn}) == 150
    assert Counter(point["model"] for point in drawn).most_common()[0] == ("m59", 91)


def test_points_that_other_processes_added_are_known():
    space = Space.parse({"a": "range(0, 6)"})
    study = optuna.create_study(sampler=UniqueSampler(SAMPLERS["random"](), space, 0))
    first = study.ask(space.distributions()).params["a"]
    others = [a for a in range(6) if a != first][:4]
    for a in others:
        study.add_trial(optuna.trial.create_trial(params={"a": a}, distributions=space.distributions(), value=0.0))
    assert study.ask(space.distributions()).params["a"] not in [first, *others]


@pytest.mark.parametrize("seed", range(8))
def test_a_trial_that_another_process_is_still_drawing_is_looked_at_again(seed):
    space = Space.parse({"a": "range(0, 6)"})
    study = optuna.create_study(sampler=UniqueSampler(optuna.samplers.RandomSampler(seed=seed), space, seed))
    other = study.ask()
    drawn = [study.ask(space.distributions()).params["a"] for _ in range(4)]
    theirs, last = sorted({*range(6)} - {*drawn})
    study._storage.set_trial_param(other._trial_id, "a", theirs, space.distributions()["a"])
    assert study.ask(space.distributions()).params["a"] == last


@pytest.mark.parametrize("seed", range(8))
def test_a_half_drawn_trial_is_finished_as_a_new_point(seed):
    space = Space.parse({"a": "range(0, 2)", "b": "range(0, 2)"})
    study = optuna.create_study(sampler=UniqueSampler(optuna.samplers.RandomSampler(seed=seed), space, 0))
    study.add_trial(optuna.trial.create_trial(params={"a": 1, "b": 0}, distributions=space.distributions(), value=0.0))
    trial = study.ask()
    study._storage.set_trial_param(trial._trial_id, "a", 1, space.distributions()["a"])
    again = optuna.Trial(study, trial._trial_id)
    assert (again.suggest_int("a", 0, 1), again.suggest_int("b", 0, 1)) == (1, 1)


def test_a_finite_space_is_counted_through_when_chance_finds_nothing_new(monkeypatch):
    monkeypatch.setattr(proposals, "MAX_REDRAWS", 1)
    drawn = points(SMALL, Stuck(), 9)
    assert len({str(sorted(point.items())) for point in drawn}) == 9


def test_a_proposal_reads_no_earlier_point_again(monkeypatch):
    """So that the ten thousandth costs no more than the first."""
    study = optuna.create_study(sampler=SAMPLERS["random"]())
    study.ask(WIDE.distributions())
    study.sampler = UniqueSampler(SAMPLERS["random"](), WIDE, 0)
    read = Counter()

    def counted(study):
        read["all"] += 1
        return all_trials(study)

    monkeypatch.setattr(tried, "all_trials", counted)
    for _ in range(200):
        study.ask(WIDE.distributions())
    assert read["all"] == 1


class Stubborn(Stuck):
    """Proposes a list of points, and ranks others."""

    def __init__(self, *proposals, rank=None):
        self.proposals, self.rank, self.asked = list(proposals), rank, 0

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        self.asked += 1
        return self.proposals.pop(0)

    def promise(self, study, trial, points):
        return None if self.rank is None else [self.rank(point) for point in points]


SUMS = Space.parse({f"x{i}": "choice(0, 1, 9)" for i in range(3)})


def sums(*cells):
    return [dict(zip(SUMS.distributions(), cell, strict=True)) for cell in cells]


def test_a_model_is_asked_again_before_anything_else_is_tried():
    first, second = sums((0, 0, 0), (2, 1, 0))
    sampler = Stubborn(first, first, second)
    assert points(SUMS, sampler, 2) == [SUMS.active(first), SUMS.active(second)]
    assert sampler.asked == 3


def test_a_model_that_answers_the_same_is_not_asked_a_third_time():
    first, other = sums((0, 0, 0), (0, 0, 1))
    sampler = Stubborn(first, first, first, other)
    points(SUMS, sampler, 2)
    assert sampler.proposals == [other]


def test_a_model_is_asked_a_bounded_number_of_times():
    first, second = sums((0, 0, 0), (0, 0, 1))
    sampler = Stubborn(first, second, *[first, second] * 50)
    points(SUMS, sampler, 3)
    assert sampler.asked == 2 + proposals.MAX_ASKS


def test_the_neighbour_that_the_model_ranks_best_replaces_what_was_tried():
    (first,) = sums((1, 1, 1))
    sampler = Stubborn(*[first] * 20, rank=lambda point: point["x1"] - 10 * abs(point["x0"] - 1))
    assert points(SUMS, sampler, 2)[1] == {"x0": 1, "x1": 9, "x2": 1}


def test_neighbours_in_two_hyperparameters_come_when_those_in_one_are_tried():
    (first,) = sums((0, 0, 0))
    sampler = Stubborn(*[first] * 40, rank=lambda point: -sum(point.values()))
    drawn = points(SUMS, sampler, 10)
    changed = [sum(value != 0 for value in point.values()) for point in drawn]
    assert changed == [0, *[1] * 6, *[2] * 3]


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_model_ranks_points_like_those_that_were_good_before_others(name):
    space = Space.parse({"x": "range(0, 40)", "y": "choice(8, 16, 32)"})
    made = {"tpe": optuna.samplers.TPESampler(seed=1), "gp": Gp(seed=1)}[name]
    study = optuna.create_study(direction="maximize", sampler=UniqueSampler(made, space, 0))
    assert proposals.promise(made, study, None, space, [space.draw(random.Random(0))]) is None

    def score(point):
        return 4 * point["y"] - abs(point["x"] - 30)

    for _ in range(14):
        trial = study.ask(space.distributions())
        study.tell(trial, score(trial.params))
    tried = [each.params for each in study.trials]
    untried = sorted((cell for cell in space.cells() if cell not in tried), key=score)
    trial = study.ask(space.distributions())
    bad, good = proposals.promise(made, study, trial, space, [untried[0], untried[-1]])
    assert good > bad


@pytest.mark.parametrize("sampler", [Sobol, AutoSampler])
def test_points_that_are_known_take_no_place_in_the_sequence(sampler):
    drawn = points(WIDE, sampler(seed=5), 6)
    study = optuna.create_study(sampler=UniqueSampler(sampler(seed=5), WIDE, 0, known=2))
    for lr in (0.1, 0.01):
        study.enqueue_trial({"lr": lr, "n": 1})
    assert [study.ask(WIDE.distributions()).params for _ in range(8)][2:] == drawn
