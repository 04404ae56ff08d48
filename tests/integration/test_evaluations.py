"""How often is evaluated, from the word to the record, MLflow, replay and the report."""

import math
from pathlib import Path

import pytest
from mlflow import MlflowClient

from hpsearch import continue_trial, load_curves, load_trials, replay, run_study, run_trial
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.progress.display import Silent
from hpsearch.tracking.query import table_from_mlflow

SMALL = ("data.train_size=100", "data.batch_size=16", "trainer.device=cpu", "launcher=inline")
WORDS = (*SMALL, "model=softmax", "scheduler=constant", "trainer.epochs=2")
OFTEN = {0: "trainer.eval_every=1", 1: "trainer.eval_every=0.5", 2: "trainer.eval_steps=5"}
PER_EPOCH = 7


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Single trials that are evaluated at other times, tracked in a store of MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("often"))
        for word in OFTEN.values():
            run_trial([*WORDS, word], observer=Silent())
        yield


def of(number):
    curves = load_curves("single")
    rows = curves[curves["point"] == number].sort_values("epoch").set_index("epoch")
    return rows.drop(columns=["point", "time", *(name for name in rows if name.endswith(("_sec", "_mib")))])


def test_whole_epochs_are_those_of_the_default(trained):
    once, half, steps = (of(number) for number in OFTEN)
    assert list(once.index) == [0, 1, 2] and list(half.index) == [0, 4 / 7, 1, 11 / 7, 2]
    assert list(steps.index) == [0, 5 / 7, 10 / 7, 2] and list(steps["step"]) == [0, 5, 10, 14]
    assert half.loc[[0, 1, 2]].equals(once) and steps.loc[[0, 2]].equals(once.loc[[0, 2]])


@pytest.mark.parametrize("number", OFTEN)
def test_the_same_bits_again(trained, number):
    again = replay(f"single/{number}/0", overrides=["launcher=inline"])
    assert again.same, again.differences


def test_mlflow_has_epochs_as_steps_by_default_and_else_updates(trained):
    client = MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    runs = load_trials("single").set_index("point")["run_id"]
    for number, at in {0: [0, 1, 2], 1: [0, 4, 7, 11, 14], 2: [0, 5, 10, 14]}.items():
        curve = of(number)
        logged = {m.step: m.value for m in client.get_metric_history(runs[number], "valid/loss")}
        assert dict(zip(at, curve["valid/loss"], strict=True)) == logged
        epochs = [m.value for m in client.get_metric_history(runs[number], "trial/epoch")]
        assert epochs == ([] if number == 0 else list(curve.index))
    copied, ours = table_from_mlflow("sqlite:///mlflow.db", "single").curves, load_curves("single")
    order = ["point", "epoch"]
    for column in (*order, "step", "valid/loss", "valid/acc"):
        assert copied.sort_values(order)[column].tolist() == ours.sort_values(order)[column].tolist()


def test_a_trial_goes_on_with_other_evaluations(trained):
    outcome = continue_trial("single/1/0", ["trainer.epochs=4", "trainer.eval_every=2", *SMALL[-1:]], observer=Silent())
    assert list(of(int(outcome.run.split("/")[1])).index) == [0, 4 / 7, 1, 11 / 7, 2, 4]


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["trainer.eval_every=0"], ConfigError, r"trainer\.eval_every = 0: must be "),
        (["trainer.eval_every=2", "trainer.eval_steps=5"], ConfigError, r"trainer\.eval_steps = 5: .*set one of the"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(trained, words, error, said):
    with pytest.raises(error, match=said) as caught:
        run_trial([*WORDS, *words], observer=Silent())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["trainer.eval_every", "trainer.eval_steps"])
def test_neither_is_a_hyperparameter(trained, key):
    with pytest.raises(SpaceError, match=rf"^{key} cannot be searched: it decides when points are measured"):
        run_study(["+study=search", *WORDS, f"space.{key}=choice(1, 2)", "budget.points=2"], observer=Silent())


@pytest.mark.long
def test_a_search_with_fractions_prunes_and_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [*WORDS[:-1], "trainer.epochs=4", "tracker=none", "pruner=median", "pruner.n_startup_trials=2"]
    space = "space.optimizer.lr=choice(0.1, 0.03, 1e-4, 1e-5, 1e-6)"
    more = ["sampler=grid", "study.seeds=1", "launcher.lockstep=true"]
    found = {}
    for name, often in {"once": 1, "often": 0.25}.items():
        named = [f"study.name={name}", f"trainer.eval_every={often}"]
        run_study(["+study=search", *words, space, *more, *named], observer=Silent())
        trials = load_trials(name)
        ends = load_curves(name).groupby("point")["epoch"].max()
        found[name] = dict(zip(trials["optimizer.lr"], trials["state"], strict=True)), ends.to_dict()
        assert list((tmp_path / "studies" / name).rglob("*.html"))
    (once, ends), (often, further) = found["once"], found["often"]
    assert once == often and "PRUNED" in once.values()
    assert {point: math.floor(epoch) for point, epoch in further.items()} == ends
