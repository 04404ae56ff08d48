"""Objectives written for Optuna, in the style of its examples, searched as they stand.

A user writes two lines, ``from hpsearch import run_search`` and
``run_search(objective, direction="maximize", points=20)``, in place of ``optuna.create_study(...)`` and
``study.optimize(objective, n_trials=20)``. The objectives themselves are not changed by a word.
"""

import random
import subprocess
import sys

import optuna
import pytest

from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.types import TrialState
from hpsearch.progress.display import Silent
from hpsearch.study.single import replay
from hpsearch.trial import optuna_trial
from tests.support.stop_keys import ctrl_c
from tests.support.waiting import kill_when

GIVEN = ("launcher=inline", "plugins=[tests]", "tracker=none")


def options(**more):
    return {"points": 10, "tracker": "none", "overrides": ["launcher=inline"], "observer": Silent(), **more}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def classifier(trial):
    """Branches: what is searched depends on what was chosen (two lines in place of Optuna's two)."""
    kind = trial.suggest_categorical("classifier", ["svc", "forest"])
    if kind == "svc":
        c = trial.suggest_float("svc_c", 1e-3, 1e3, log=True)
        return 0.9 - abs(c - 1) / 1000 + random.random() / 100
    depth = trial.suggest_int("max_depth", 2, 32, log=True)
    share = trial.suggest_float("max_features", 0.2, 1.0, step=0.2)
    trial.set_user_attr("leaves", 2**depth)
    return 0.8 + depth / 320 - abs(share - 0.6) / 10


def layers(trial: optuna.Trial) -> float:
    """A loop over layers, reports and pruning (two lines in place of Optuna's two)."""
    widths = [trial.suggest_int(f"units_l{i}", 4, 64, log=True) for i in range(trial.suggest_int("n_layers", 1, 3))]
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    score = 0.0
    for step in range(6):
        score = 1 - abs(lr - 0.01) - 1 / (sum(widths) + step) + random.random() / 1000
        trial.report(score, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return score


def error_and_size(trial):
    """Two objectives (two lines in place of Optuna's two: ``directions=["minimize", "minimize"]``)."""
    width = trial.suggest_int("width", 1, 100)
    depth = trial.suggest_int("depth", 1, 5)
    return 1 / (width * depth) + random.random() / 1000, width * depth


OBJECTIVES = {
    "classifier": (classifier, {"direction": "maximize"}),
    "layers": (layers, {"direction": "maximize", "pruner": "median", "objective": "valid/acc"}),
    "error_and_size": (error_and_size, {"directions": ["minimize", "minimize"]}),
}


def searched(trial):
    return {key.removeprefix("args."): value for key, value in trial.items() if key.startswith("args.")}


def asked_of(trials):
    """What each point was given, by number, without what it did not ask for."""
    table = trials.set_index("point").filter(like="args.")
    return {point: row.dropna().to_dict() for point, row in table.iterrows()}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_it_is_searched_and_goes_on_after_it_was_cut_off_and_trains_again_to_the_same(name, folder, monkeypatch):
    objective, given = OBJECTIVES[name]
    suggest, asked, cut = optuna_trial.OptunaTrial._suggest, [], 12

    def counted(trial, *args):
        value = suggest(trial, *args)
        asked.append((trial.number, args[0], value))
        if len(asked) == cut:
            ctrl_c()
        return value

    monkeypatch.setattr(optuna_trial.OptunaTrial, "_suggest", counted)
    with pytest.raises(KeyboardInterrupt):
        run_search(objective, **given, **options())
    outcome = run_search(objective, **given, **options())
    trials = load_trials(name)
    assert trials["point"].tolist() == list(range(10))
    point, argument, value = asked[cut - 1]
    assert trials[f"args.{argument}"][point] == value, "the point that was cut off is the same"
    assert {key.removeprefix("args.") for key in asked_of(trials)[0]} == {n for p, n, _ in asked if p == 0}
    assert set(trials["state"]) <= {TrialState.COMPLETE, TrialState.PRUNED}
    again = [replay(f"{name}/{number}/0", overrides=GIVEN, observer=Silent()) for number in (0, point, 9)]
    assert [each.differences for each in again if not each.same] == []
    page = outcome.report.read_text()
    assert all(label in page for label in outcome.best.params)


def test_of_branches_each_point_has_its_own_hyperparameters():
    outcome = run_search(classifier, direction="maximize", seeds=2, **options())
    trials = load_trials("classifier")
    of = {"svc": {"svc_c"}, "forest": {"max_depth", "max_features"}}
    for _, trial in trials.iterrows():
        there = {name for name, value in searched(trial.dropna()).items() if name != "classifier"}
        assert there == of[trial["args.classifier"]]
        assert ("user_attrs.leaves" in trial.dropna()) == (trial["args.classifier"] == "forest")
    assert outcome.best.n == 2 and outcome.best.params["classifier"] in of
    assert outcome.best.metric == "value"
    random.seed(0)
    again = classifier(optuna.trial.FixedTrial(outcome.best.params))
    assert again == pytest.approx(outcome.best.mean, abs=0.02)


def test_steps_are_epochs_from_one_and_a_pruned_trial_keeps_its_curve():
    run_search(layers, direction="maximize", objective="valid/acc", pruner="median", **options(points=12))
    trials, curves = load_trials("layers"), load_curves("layers")
    states = trials.set_index("point")["state"]
    pruned = states[states == TrialState.PRUNED].index
    assert len(pruned), "some are worse than the median"
    last = curves.groupby("point")["epoch"].max()
    assert set(last.drop(pruned)) == {6} and (last[pruned] < 6).all()
    assert curves.groupby("point")["epoch"].min().eq(1).all() and curves["step"].eq(curves["epoch"] - 1).all()


def test_of_two_objectives_the_best_points_are_those_that_none_beats():
    run_search(error_and_size, directions=["minimize", "maximize"], **options(objective=["error", "size"]))
    trials = load_trials("error_and_size")
    assert trials["size"].tolist() == (trials["args.width"] * trials["args.depth"]).tolist()
    assert trials["score"].tolist() == trials["error"].tolist()


def test_a_space_that_is_used_up_ends_the_search():
    def finite(trial):
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            return 0.0
        return trial.suggest_int("n", 1, 3)

    outcome = run_search(finite, direction="maximize", sampler="random", **options(points=None))
    assert outcome.ended == "the space is used up: 4 points"
    assert outcome.best.params == {"kind": "b", "n": 3}


def test_settings_to_try_first_are_given_where_they_are_asked_for():
    first = [{"classifier": "svc", "svc_c": 1.0}, {"classifier": "forest", "max_depth": 7}]
    run_search(classifier, direction="maximize", first=first, **options(points=3))
    points = asked_of(load_trials("classifier"))
    assert points[0] == {"args.classifier": "svc", "args.svc_c": 1.0}
    assert points[1].keys() == {"args.classifier", "args.max_depth", "args.max_features"}
    assert points[1]["args.max_depth"] == 7


def test_arguments_beside_the_trial_and_fixed_hyperparameters():
    def scaled(trial, factor):
        return factor * trial.suggest_float("x", 0, 1) + trial.suggest_int("n", 1, 9)

    outcome = run_search(scaled, direction="maximize", arguments={"factor": -1.0, "n": 4}, **options(points=4))
    assert outcome.best.params.keys() == {"x"}
    assert outcome.best.mean == pytest.approx(4 - outcome.best.params["x"])


def test_a_space_of_distributions_may_be_given():
    space = {"x": optuna.distributions.FloatDistribution(0, 1, step=0.5), "kind": ["a", "b"]}

    def squared(trial):
        return trial.suggest_float("x", 0, 1) ** 2 + (trial.suggest_categorical("kind", ["a", "b"]) == "b")

    outcome = run_search(squared, space=space, direction="minimize", sampler="grid", **options(points=None))
    assert outcome.counts == {TrialState.COMPLETE: 6} and outcome.best.params == {"x": 0.0, "kind": "a"}


def other_kind(trial):
    return trial.suggest_float("x", 0, 1) if trial.number else trial.suggest_int("x", 0, 1)


def lists(trial):
    return trial.suggest_categorical("x", [(1, 2), (3,)])[0]


def spaced(trial):
    return trial.suggest_float("learning rate", 0, 1)


def beyond(trial):
    return trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)


def three(trial):
    return trial.suggest_float("x", 0, 1), 2.0, 3.0


FAILS = {
    "kind": (other_kind, {}, "trial.suggest: x: Cannot set different distribution kind to the same parameter name"),
    "list": (lists, {}, r"trial.suggest_categorical\('x', ...\): holds \(1, 2\): choices must be"),
    "name": (spaced, {}, "'learning rate': must be letters, digits and _"),
    "beyond": (beyond, {"space": {"x": [0.5]}}, "y: is neither searched nor given: name it in space"),
    "outside": (beyond, {"first": [{"x": 3.0}]}, "x = 3.0, which is to be tried first, is not in FloatDistribution"),
    "fixed": (beyond, {"arguments": {"y": 2.0}}, "args.y = 2.0: is not in FloatDistribution"),
    "values": (three, {}, r"the function returned 3 values; objectives are 1 \(value\)"),
}


@pytest.mark.parametrize("name", FAILS)
def test_what_goes_wrong_in_it_is_said_in_one_line(name):
    objective, given, said = FAILS[name]
    run_search(objective, direction="minimize", **given, **options(points=2, sampler="random"))
    trials = load_trials(objective.__name__)
    failed = trials[trials["state"] == TrialState.FAILED]
    assert failed["reason"].str.contains(said).all() and len(failed)


def two_trials(trial: optuna.Trial, other: optuna.Trial):
    return 0


def yielding(trial):
    yield {"value": trial.suggest_float("x", 0, 1)}


REFUSED = {
    "direction": (classifier, {}, "direction: an objective of Optuna says nothing of it"),
    "both": (classifier, {"direction": "minimize", "directions": ["minimize"]}, "give one of both"),
    "grid": (classifier, {"direction": "minimize", "sampler": "grid"}, "sampler Grid: must know beforehand"),
    "cmaes": (classifier, {"direction": "minimize", "sampler": "cmaes"}, "sampler CmaEs: must know beforehand"),
    "edges": (classifier, {"direction": "minimize", "overrides": ["extend.edges=true"]}, "extend.edges: must know"),
    "two": (two_trials, {"direction": "minimize"}, "trial and other are both annotated as an Optuna trial"),
    "yields": (yielding, {"direction": "minimize"}, "yields; an objective of Optuna returns its score"),
    "first": (classifier, {"direction": "minimize", "first": [0.1]}, "must give values by name"),
    "several": (error_and_size, {"directions": ["minimize"], "objective": ["a", "b"]}, "must be one for each"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_searched_is_refused_before_anything_is_created(name, folder):
    objective, given, said = REFUSED[name]
    words = ["launcher=inline", *given.get("overrides", ())]
    with pytest.raises((ConfigError, SpaceError), match=said):
        run_search(objective, **{**options(), **given, "overrides": words})
    assert not (folder / "studies").exists()


KILLED = """
import random
import time

import optuna

import hpsearch


def objective(trial):
    lr = trial.suggest_float("lr", 1e-3, 1, log=True)
    n_layers = trial.suggest_int("n_layers", 1, 3)
    width = sum(trial.suggest_int(f"units_l{i}", 4, 64) for i in range(n_layers))
    for step in range(6):
        time.sleep(0.02)
        trial.report(lr + width / 1000 + random.random(), step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return lr + trial.suggest_float("late", 0, 1) + random.random()


def search():
    words = ["launcher.workers=2", "pruner.start=4", "study.confirm=0"]
    hpsearch.run_search(objective, direction="maximize", points=20, tracker="none", overrides=words)
"""


@pytest.mark.long
@pytest.mark.fault
def test_twenty_points_under_auto_with_two_workers_killed_once_train_again_to_the_same(tmp_path, monkeypatch):
    (tmp_path / "my_objective.py").write_text(KILLED)
    command = [sys.executable, "-c", "import my_objective; my_objective.search()"]
    events = tmp_path / "studies" / "objective" / "events"
    with subprocess.Popen(command) as driver:
        kill_when(driver, lambda: sum(f.read_text().count('"report"') for f in events.glob("*-*-*.jsonl")) >= 30)
    before = asked_of(load_trials("objective"))
    subprocess.run(command, check=True, timeout=250)
    trials = load_trials("objective")
    assert len(trials) == 20 and set(trials["state"]) <= {TrialState.COMPLETE, TrialState.PRUNED}
    after = asked_of(trials)
    assert all(after[point] == given | after[point] for point, given in before.items()), "no value changed"
    monkeypatch.syspath_prepend(tmp_path)
    words = ("launcher=inline", "plugins=[my_objective]", "tracker=none")
    again = [replay(f"objective/{point}/0", overrides=words, observer=Silent()) for point in range(20)]
    assert {each.run: each.differences for each in again if not each.same} == {}


def test_an_objective_that_fails_before_it_suggests_says_nothing_of_the_space():
    calls = []

    def objective(trial):
        calls.append(trial)
        if len(calls) <= 2:
            raise OSError("the data is away")
        return trial.suggest_int("n", 1, 3)

    outcome = run_search(objective, direction="maximize", name="away", **options())
    assert outcome.counts == {TrialState.FAILED: 1, TrialState.COMPLETE: 3}
    assert outcome.ended == "the space is used up: 4 points"
