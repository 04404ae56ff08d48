"""Proposals: nothing twice, everything of a small space, whatever the sampler inside."""

import warnings
from collections import Counter

import numpy as np
import optuna
import pytest
from scipy.stats import qmc

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.config.build import build
from hpsearch.search import samplers
from hpsearch.search.optuna_internals import all_trials
from hpsearch.search.samplers import BruteForce, Grid, Manual, Sobol, UniqueSampler, check_sampler, seed_after
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
        drawn += [study.ask(space.distributions()).params["a"] for _ in range(2)]
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
    monkeypatch.setattr(samplers, "MAX_REDRAWS", 1)
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

    monkeypatch.setattr(samplers, "all_trials", counted)
    for _ in range(200):
        study.ask(WIDE.distributions())
    assert read["all"] == 1


MIXED = {"lr": "tag(log, interval(1e-4, 1))", "n": "int(interval(1, 8))", "k": "choice(a, b)", "b": "choice(true, 1)"}


def sobol(space, seed, n, study=None):
    study = study or optuna.create_study()
    study.sampler = UniqueSampler(Sobol(seed=seed), space, 0)
    return [study.ask(space.distributions()).params for _ in range(n)]


def test_sobol_points_are_scipys_on_the_scales_of_the_space():
    space = Space.parse(MIXED)
    shares = qmc.Sobol(4, scramble=True, rng=5).random(16)
    for point, (lr, n, k, b) in zip(sobol(space, 5, 16), shares, strict=True):
        assert point["lr"] == pytest.approx(10 ** (-4 + 4 * lr))
        assert point["n"] == round(0.5 + 8 * n)
        assert (point["k"], point["b"]) == ("ab"[int(2 * k)], ["true", "1"][int(2 * b)])


def test_a_resumed_sobol_sequence_goes_on_and_stays_balanced():
    space = Space.parse(MIXED)
    study, whole = optuna.create_study(), sobol(space, 5, 64)
    parts = [point for n in (1, 7, 20, 36) for point in sobol(space, 5, n, study)]
    assert parts == whole
    assert Counter(point["n"] for point in parts) == dict.fromkeys(range(1, 9), 8)
    assert Counter(point["k"] for point in parts) == {"a": 32, "b": 32}
    assert whole != sobol(space, 6, 64)


def test_a_sampler_seeds_itself_by_its_place_unless_its_sequence_goes_on():
    random, same = optuna.samplers.RandomSampler(), Sobol()
    assert len({seed_after(random, 0, n) for n in range(9)} | {seed_after(random, 1, n) for n in range(9)}) == 18
    assert len({seed_after(same, 0, n) for n in range(9)}) == 1
    assert seed_after(same, 0, 3) != seed_after(same, 1, 3)


def test_a_grid_takes_its_points_and_brute_force_every_value():
    assert [SMALL.active(cell) for cell in BruteForce().cells(SMALL)] == list(map(SMALL.active, SMALL.grid()))
    assert len(Grid(points=3).cells(WIDE)) == 9
    with pytest.raises(SpaceError, match=r"brute_force cannot try every value of lr = tag\(log.*sampler=grid"):
        check_sampler(BruteForce(), WIDE)
    with pytest.raises(SpaceError, match=r"needs the number of its values: sampler\.points"):
        check_sampler(Grid(), WIDE)


def test_a_list_of_points_is_queued_in_its_order():
    listed = [{"kind": "y", "a": 3}, {"a": 1, "kind": "x", "b": 0.2}]
    assert [SMALL.active(cell) for cell in Manual(listed).cells(SMALL)] == [
        {"a": 3, "kind": "y"},
        {"a": 1, "kind": "x", "b": 0.2},
    ]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([{"a": 3}], "sampler.points[0] = {'a': 3}: kind is missing"),
        ([{"a": 3, "kind": "y"}, {"a": 3, "kind": "x"}], "sampler.points[1] = {'a': 3, 'kind': 'x'}: b is missing"),
        ([{"a": 3, "kind": "y", "c": 1}], "c is not searched"),
        ([{"a": 3, "kind": "y", "b": 0.1}], "b is not searched where kind=y"),
        ([{"a": 4, "kind": "y"}], "a = 4 is not in choice(1, 2, 3)"),
        ([{"a": 1, "kind": "y"}, {"kind": "y", "a": 1}], "is the same as sampler.points[0]"),
        ([3], "sampler.points[0] = 3: must give values by key"),
    ],
)
def test_a_bad_list_of_points_is_refused_in_one_line(listed, message):
    with pytest.raises(SpaceError) as error:
        check_sampler(Manual(listed), SMALL)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("listed", [[], None, 3, {"a": 1}])
def test_a_list_of_points_must_be_a_list(listed):
    with pytest.raises(ConfigError, match=r"sampler\.points = .* must be a list of points"):
        build("sampler", {"_target_": "hpsearch.search.samplers.Manual", "points": listed}, (), seed=0)


def test_dotted_keys_of_a_list_survive_the_configuration():
    config = {"_target_": "hpsearch.search.samplers.Manual", "points": [{"optimizer.lr": 0.1, "model.hidden": [8]}]}
    space = Space.parse({"optimizer.lr": "interval(0, 1)", "model.hidden": "choice([8], [16])"})
    (cell,) = build("sampler", config, (), seed=0).cells(space)
    assert space.active(cell) == {"optimizer.lr": 0.1, "model.hidden": [8]}
