"""Limits of a search: what is beyond them is not compared, and samplers stay away from it."""

import math
import warnings

import optuna
import pytest

import hpsearch
from hpsearch.base import words
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Objective, Report, Started, TrialState
from hpsearch.reports.kit.points import results_of
from hpsearch.search.auto import AutoSampler
from hpsearch.search.samplers import CmaEs, Gp
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.query import table_from_events
from tests.support.driver import COMPLETE, Setup

SQUARE = {"x": "interval(0, 1)", "y": "interval(0, 1)"}
BOUND = Objective("gain", limits={"cost": 0.5})
"""The best feasible point is x = y = 0.5 with a gain of 1; without the limit it would be x = y = 1."""
SAMPLERS = {
    "auto": lambda seed: AutoSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
    "cmaes": lambda seed: CmaEs(seed=seed, warn_independent_sampling=False),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def bounded(spec):
    x, y = spec.params["x"], spec.params["y"]
    yield Started(None, {}, 0.0)
    yield Report(1, 1, {"gain": x + y, "cost": x**2 + y**2})
    yield COMPLETE


def winner(folder, sampler, points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        setup = Setup(folder, SQUARE, sampler, seeds=(0,), points=points, objective=BOUND)
        outcome = setup.run(bounded, slots=2)
    beyond = {r.id.point for r in setup.records() if r.state is TrialState.INFEASIBLE}
    assert beyond == {r.id.point for r in setup.records() if r.params["x"] ** 2 + r.params["y"] ** 2 > 0.5}
    return outcome.best, len(beyond)


@pytest.mark.parametrize("searches", [6, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize(("name", "gain"), [("auto", 0.9), ("tpe", 0.9), ("cmaes", 0.9), ("random", 0.7)])
def test_the_winner_is_within_the_limits_and_near_the_best_that_is(tmp_path, name, gain, searches):
    found = [
        winner(tmp_path / str(seed), lambda n, s=seed: SAMPLERS[name](100 * s + n), 48) for seed in range(searches)
    ]
    assert all(best.params["x"] ** 2 + best.params["y"] ** 2 <= 0.5 for best, _ in found)
    assert all(best.mean > gain for best, _ in found)


@pytest.mark.long
def test_a_sampler_that_is_told_of_the_limit_proposes_less_beyond_it(tmp_path):
    def beyond(name):
        return sum(
            winner(tmp_path / name / str(s), lambda n, s=s: SAMPLERS[name](100 * s + n), 60)[1] for s in range(5)
        )

    assert beyond("tpe") < 0.85 * beyond("random")


def test_a_gaussian_process_models_the_limit(tmp_path):
    best, _ = winner(tmp_path, lambda n: Gp(seed=n), 15)
    assert best.mean > 0.95


WORDS = (
    *("+study=search", "study.name=small", "tracker=none", "launcher=inline", "model=mlp", "trainer.epochs=2"),
    *("sampler=grid", "pruner=none", "space.model.hidden=choice([8], [64], [512])"),
)


def test_a_model_with_too_many_parameters_is_not_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = hpsearch.run_study([*WORDS, "objective.limits={parameters: 6e3, epoch_sec: 1e6}"])
    records = read_trials(outcome.folder)
    states = {tuple(r.params["model.hidden"]): (r.state, len(r.reports) > 0) for r in records}
    assert states == {
        (8,): (TrialState.COMPLETE, True),
        (64,): (TrialState.COMPLETE, True),
        (512,): (TrialState.INFEASIBLE, False),
    }
    (large,) = (r for r in records if r.state is TrialState.INFEASIBLE)
    assert large.reason == "not compared: parameters = 38410 is not at most 6000"
    assert large.facts["parameters"] == 38410
    assert outcome.best.params["model.hidden"] in ([8], [64])
    assert outcome.replay_command is not None and "512" not in outcome.replay_command
    assert hpsearch.load_trials("small")["state"].tolist().count("INFEASIBLE") == 1


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "objective.limits={paramters: 1}",
            r"objective\.limits\.paramters = 1: no report has 'paramters', did you mean 'parameters'",
        ),
        ("objective.others=3", r"objective\.others = 3: must be a list of objectives, as \[\{_target_: .*command line"),
        ("objective.others=[3]", r"objective\.others\[0\] = 3: must be an objective, as \{_target_: .*command line"),
        (
            "objective.others=[{metric: parameters}]",
            r"objective\.others\[0\] = \{'metric': 'parameters'\}: must be an obj",
        ),
        (
            "objective.others=[{_target_: torch.nn.Linear}]",
            r"objective\.others\[0\]\._target_ = torch\.nn\.Linear: is not hpsearch\.base\.types\.Objective",
        ),
        ("objective.others=null", r"objective\.others = None: must be a list of objectives"),
        ("objective.limits={parameters: small}", r"objective\.limits\.parameters = 'small': must be a number"),
        ("objective.limits=3", r"objective\.limits = 3: must be a table such as \{parameters: 1e5"),
    ],
)
def test_a_limit_of_nothing_that_is_measured_and_what_is_no_objective_are_refused_before_anything_is_created(
    tmp_path, monkeypatch, word, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as error:
        hpsearch.run_study([*WORDS, word])
    assert "\n" not in str(error.value) and not (tmp_path / "studies").exists()


def test_a_function_that_never_reports_what_is_limited_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def train(x):
        yield {"valid/acc": x, "latency_ms": 20 * x}

    given = {"space": {"x": "interval(0, 1)"}, "sampler": "random", "tracker": "none", "points": 12}
    given["overrides"] = ["launcher=inline"]
    outcome = hpsearch.run_search(train, **given, limits={"latency_ms": 10})
    assert 0 < outcome.best.params[next(iter(outcome.best.params))] <= 0.5
    table = table_from_events(outcome.folder)
    beyond = table.trials["state"] == "INFEASIBLE"
    assert beyond.any() and table.trials.loc[beyond, "score"].isna().all()
    assert results_of(table).best.point == outcome.best.point
    assert words.number(outcome.best.mean) in outcome.answer
    with pytest.raises(ConfigError, match=r"objective\.limits\.latency = 10: no report has 'latency', did you"):
        hpsearch.run_search(train, **given, name="other", limits={"latency": 10})


def test_a_limit_of_an_own_function_is_one_of_last_values_may_be_negative_and_excludes_nan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def train(x):
        for memory in (9.0, 1.0 + x):
            yield {"valid/acc": x, "memory": memory, "loss": -10 * x, "odd": math.nan if x == 1 else 0.0}

    given = {"space": {"x": "choice(0.0, 0.4, 0.6, 1.0, 4.0)"}, "sampler": "grid", "pruner": "none", "tracker": "none"}
    limits = {"memory": 4, "loss": -5, "odd": 0}
    hpsearch.run_search(train, **given, limits=limits)
    trials = hpsearch.load_trials("train")
    assert dict(zip(trials["args.x"], trials["reason"], strict=True)) == {
        0.0: "not compared: loss = 0 is not at most -5",
        0.4: "not compared: loss = -4 is not at most -5",
        0.6: "",
        1.0: "not compared: odd = nan is not at most 0",
        4.0: "not compared: memory = 5 is not at most 4",
    }
