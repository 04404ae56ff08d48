"""What a sampler is told of another study's points, and for how long."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from hpsearch.base.errors import ConfigError
from hpsearch.search.auto import AutoSampler
from hpsearch.search.prior import MOST, Prior, PriorPoint, check_prior, prior_points
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import Gp, Grid, Sobol
from hpsearch.search.space import Space

LINE = Space.parse({"lr": "tag(log, interval(1e-3, 1))"})
BRANCHES = Space.parse({
    "kind": "choice(x, y)",
    "kind=x/n": "int(interval(1, 9))",
    "kind=y/n": "int(interval(4, 20))",
    "k": "choice(1, 4)",
})


def shares(points, maximize=(True,), space=LINE):
    return {
        tuple(space.active(point.cell).values()): (*point.shares, point.feasible)
        for point in prior_points(points, maximize, space)
    }


@pytest.mark.parametrize(("sign", "maximize"), [(1, True), (-1, False)])
def test_scores_are_the_share_of_points_that_are_worse_and_equal_ones_count_half(sign, maximize):
    scores = {0.1: 300.0, 0.2: 5.0, 0.3: 5.0, 0.4: -1.0}
    told = shares([({"lr": lr}, [sign * score]) for lr, score in scores.items()], (maximize,))
    assert told == {
        (0.1,): (0.875, True),
        (0.2,): (0.5, True),
        (0.3,): (0.5, True),
        (0.4,): (0.125, True),
    }


def test_an_infeasible_point_is_the_worst_and_of_several_objectives_each_is_ranked():
    told = shares([({"lr": 0.1}, [1.0, 1.0]), ({"lr": 0.2}, [2.0, 2.0]), ({"lr": 0.3}, None)], (True, False))
    assert told == {(0.1,): (0.25, 0.75, True), (0.2,): (0.75, 0.25, True), (0.3,): (0.25, 0.25, False)}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"kind": "x", "n": 5, "k": 4}, {"kind": "x", "n": 5, "k": 4}),
        ({"kind": "x", "n": 50.7, "k": 4}, {"kind": "x", "n": 9, "k": 4}),
        ({"kind": "y", "n": 1, "k": 1}, {"kind": "y", "n": 4, "k": 1}),
        ({"kind": "y", "n": 6.6, "k": 1}, {"kind": "y", "n": 7, "k": 1}),
        ({"kind": "x", "n": 5, "k": 2}, None),
        ({"kind": "z", "n": 5, "k": 4}, None),
        ({"kind": "x", "n": "many", "k": 4}, None),
        ({"kind": "x", "k": 4}, None),
        ({"kind": "x", "n": 5, "k": 4, "momentum": 0.9}, None),
    ],
)
def test_a_point_is_moved_into_the_present_ranges_or_left_out(params, told):
    points = prior_points([(params, [0.5])], (True,), BRANCHES)
    assert [BRANCHES.active(point.cell) for point in points] == ([] if told is None else [told])
    assert all(point.cell.keys() == BRANCHES.distributions().keys() for point in points)


def test_a_rate_beyond_the_range_becomes_its_end():
    (low, high) = prior_points([({"lr": 1e-6}, [0.1]), ({"lr": 5}, [0.0])], (True,), LINE)
    assert (low.cell, high.cell) == ({"lr": 1e-3}, {"lr": 1.0})


def test_of_many_points_some_are_kept_evenly_over_the_ranks_the_best_first():
    points = [({"lr": float(lr)}, [float(lr)]) for lr in np.linspace(0.01, 1, 500)]
    told = prior_points(points, (True,), LINE)
    assert len(told) == MOST
    assert (told[0].cell["lr"], told[-1].cell["lr"]) == (1.0, pytest.approx(0.01))
    assert np.diff([point.shares[0] for point in told]) == pytest.approx(-1 / (MOST - 1), rel=0.2)
    assert [PriorPoint.of(point.fields) for point in told] == told


def parabola(n, best=0.3, seed=0):
    rates = np.random.default_rng(seed).uniform(0, 1, n)
    return [({"x": float(x)}, [-((x - best) ** 2)]) for x in rates]


UNIT = Space.parse({"x": "interval(0, 1)"})


def asked(sampler, prior, n, space=UNIT, score=lambda x: -1000 * (x - 0.3) ** 2):
    told = Prior(prior_points(prior, (True,), space), space) if prior else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction="maximize", sampler=UniqueSampler(sampler, space, 0, prior=told))
        for _ in range(n):
            trial = study.ask(space.distributions())
            trial.set_constraint("infeasible", -1.0)
            study.tell(trial, score(trial.params["x"]))
    return study


SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
    "tpe, one hyperparameter at a time": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "gp": lambda seed: Gp(seed=seed),
    "auto": lambda seed: AutoSampler(seed=seed),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_model_that_is_told_of_another_study_proposes_where_that_was_good_at_once(name):
    seeds = range(1 if name == "gp" else 5)

    def distance(prior):
        drawn = [t.params["x"] for seed in seeds for t in asked(SAMPLERS[name](seed), prior, 6).trials]
        return np.median(np.abs(np.array(drawn[1::2]) - 0.3))

    assert distance(parabola(40)) < 0.5 * distance(None)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "gp"])  # an ask of its takes a second
def test_what_misleads_is_outvoted_by_the_studys_own_points(name):
    study = asked(SAMPLERS[name](1), parabola(20, best=0.9), 36)
    assert abs(study.best_trial.params["x"] - 0.3) < 0.05


def test_points_of_another_study_are_seen_by_its_sampler_alone_and_fewer_as_its_own_train():
    study = optuna.create_study(direction="maximize")
    prior = Prior(prior_points(parabola(5), (True,), UNIT), UNIT)
    seen = []
    for number in range(6):
        beside = prior.beside(study)
        others = [t for t in beside.get_trials(deepcopy=False) if t.number < 0]
        seen.append(len(others))
        assert beside.get_trials(states=(TrialState.WAITING,)) == []
        assert len(beside.get_trials(states=(TrialState.COMPLETE,))) == len(others) + number
        study.tell(study.ask(UNIT.distributions()), float(number))
    assert seen == [5, 4, 3, 2, 1, 0]
    assert prior.beside(study) is study
    assert [t.value for t in study.trials] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_point_that_waits_after_its_first_report_is_evidence_and_one_that_just_began_is_none():
    study = optuna.create_study(direction="maximize")
    prior = Prior(prior_points(parabola(5), (True,), UNIT), UNIT)
    study.ask(UNIT.distributions()).report(0.1, step=1)
    study.ask(UNIT.distributions())
    assert sum(t.number < 0 for t in prior.beside(study).get_trials()) == 4


@pytest.mark.parametrize(("direction", "best"), [("maximize", 2), ("minimize", 0)])
def test_own_scores_are_told_on_the_scale_of_the_others(direction, best):
    study = optuna.create_study(direction=direction)
    for value in (-1e9, 0.0, 1e9):
        study.tell(study.ask(UNIT.distributions()), value)
    prior = Prior(prior_points(parabola(40), (True,), UNIT), UNIT)
    trials = prior.beside(study).get_trials()
    own, others = [t for t in trials if t.number >= 0], [t for t in trials if t.number < 0]
    assert [t.value for t in own] == pytest.approx([-0.967, 0, 0.967], abs=1e-3)
    assert max(abs(t.value) for t in others) < 3
    sign = 1 if direction == "maximize" else -1
    top = max(others, key=lambda t: sign * t.value)
    assert abs(top.params["x"] - 0.3) < 0.05
    assert max(own, key=lambda t: sign * t.value).number == best


@pytest.mark.parametrize("sampler", [optuna.samplers.RandomSampler(), Sobol(), Grid()])
def test_a_sampler_without_a_model_takes_no_other_study(sampler):
    with pytest.raises(ConfigError, match=r"^sampler\.prior = old: \w+ learns nothing .*; use auto, tpe or gp$"):
        check_prior("old", sampler)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_with_a_model_takes_another_study(name):
    check_prior("old", SAMPLERS[name](0))
