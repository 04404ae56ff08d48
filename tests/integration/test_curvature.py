"""The curvature of a finished trial, as a user asks for it."""

import contextlib
import json
import re
import shutil

import pytest
import torch

import hpsearch
from hpsearch import run_trial
from hpsearch.base.errors import ConfigError
from hpsearch.cli import run
from hpsearch.study.curvature import Options, options_of
from hpsearch.study.single import replay
from hpsearch.study.specs import find_trial
from hpsearch.trial.build import prepare
from hpsearch.trial.checkpoint import Progress, load_weights, save_last
from hpsearch.trial.evaluate import evaluate

SMALL = ("model.hidden=[4]", "launcher=inline", "trainer.device=cpu", "trainer.epochs=2")
QUICK = ("launcher=inline", "curvature.samples=100", "curvature.k=2")
FORCED = (*QUICK, "curvature.exact=0", "curvature.longest=60", "curvature.steps=20", "curvature.probes=3")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a tracked trial, and one that was not tracked."""
    folder = tmp_path_factory.mktemp("trained")
    with contextlib.chdir(folder):
        run_trial(SMALL)
        run_trial([*SMALL, "launcher.retries=0", "optimizer.lr=0.01", "seed=1", "tracker=none"])
    return folder


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    shutil.copytree(trained / "studies", tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_prints_a_table_and_writes_page_drawing_and_numbers(here, capsys):
    assert run(["curvature", "single/0/0", *QUICK, "tracker=none"]) == 0
    printed = capsys.readouterr().out
    folder = here / "studies" / "single" / "trials" / "0-0-0"
    found = json.loads((folder / "curvature.json").read_text())
    assert "single/0/0  best.safetensors of epoch " in printed and f"{found['verdict']}: " in printed
    assert "all 310 eigenvalues" in printed and "100 of 1150 training samples" in printed
    for kind in ("json", "html", "svg"):
        assert f"studies/single/trials/0-0-0/curvature.{kind}" in printed
        assert (folder / f"curvature.{kind}").stat().st_size
    assert found["parameters"] == len(found["eigenvalues"]) == 310
    assert found["options"]["samples"] == found["samples"] == 100
    shares = [found[name]["low"] for name in ("positive", "zero", "negative")]
    assert sum(shares) == pytest.approx(1) and shares[0] > 0


def test_lanczos_agrees_with_the_dense_hessian(here):
    exact = hpsearch.curvature("single/0/0", overrides=[*QUICK, "tracker=none"]).found
    estimated = hpsearch.curvature("single/0/0", overrides=[*FORCED, "tracker=none"]).found
    assert (exact.method, estimated.method) == ("exact", "lanczos")
    for side in ("top", "bottom"):
        pairs = zip(getattr(exact, side), getattr(estimated, side), strict=True)
        assert all(known == pytest.approx(value, rel=1e-4) for (known, _), (value, _) in pairs)
    assert estimated.positive.low <= exact.positive.low <= estimated.positive.high and exact.positive.exact
    assert estimated.loss == pytest.approx(exact.loss)


@pytest.mark.long
def test_the_loss_is_that_of_the_weights_on_record(here):
    outcome = hpsearch.curvature("single/0/0", overrides=["curvature.samples=5000", *QUICK[::2], "tracker=none"])
    assert outcome.found.samples == outcome.train_size == 1150 and outcome.found.elsewhere is None
    _, known = find_trial("single/0/0", None)
    job = prepare(known.config, known.key, here)
    file = here / "studies" / "single" / "trials" / "0-0-0" / "best.safetensors"
    assert load_weights(file, known.key, job.model) == outcome.epoch
    value = evaluate(job.model, job.model, job.loss, job.splits.train, 1000, {})["loss"]
    assert outcome.found.loss == pytest.approx(value, rel=1e-5)


def test_the_result_goes_to_the_mlflow_run_and_leaves_its_curve_alone(trained, monkeypatch, capsys):
    from mlflow import MlflowClient

    monkeypatch.chdir(trained)
    outcome = hpsearch.curvature("single/0/0", overrides=QUICK)
    assert outcome.notes == ()
    client = MlflowClient(f"sqlite:///{trained}/mlflow.db")
    experiment = client.get_experiment_by_name("single")
    (logged,) = client.search_runs([experiment.experiment_id], "tags.`hpsearch.trial` = '0-0-0'")
    assert logged.data.metrics["curvature/minimum_ratio"] == outcome.found.positive.low
    assert logged.data.tags["curvature"] == outcome.found.verdict
    artifacts = {file.path for file in client.list_artifacts(logged.info.run_id)}
    assert {"curvature.json", "curvature.html", "curvature.svg"} <= artifacts
    again = hpsearch.curvature(logged.info.run_id, overrides=QUICK)
    assert again.found == outcome.found
    assert replay(logged.info.run_id, overrides=["launcher=inline"]).same
    assert hpsearch.curvature("single/1/1", overrides=QUICK).notes == (
        "the trial is not in the tracking store: the curvature is in its folder only",
    )


@pytest.mark.long
def test_the_weights_that_training_ended_with_are_looked_at_too(here, capsys):
    from safetensors.torch import load_file, save_file

    folder = here / "studies" / "single" / "trials" / "0-0-0"
    ended = torch.load(folder / "end.pt", weights_only=True)["model"]
    _, known = find_trial("single/0/0", None)
    assert known.facts["best_epoch"] == 2  # the last: nothing else to look at
    outcome = hpsearch.curvature("single/0/0", overrides=[*QUICK, "tracker=none"])
    assert outcome.last is None and len(outcome.files) == 3
    events = here / "studies" / "single" / "events"
    for file in events.glob("*0-0-0*"):
        file.write_text(re.sub('"best_epoch": ?2', '"best_epoch": 1', file.read_text()))
    best = folder / "best.safetensors"
    halved = {name: value / 2 for name, value in load_file(best).items()}
    save_file(halved, best, {"epoch": "1", "score": "0.5", "key": known.key})
    other = hpsearch.curvature("single/0/0", overrides=[*QUICK, "tracker=none"])
    assert (other.epoch, other.last_epoch) == (1, 2)
    assert other.last == outcome.found and other.found.loss != outcome.found.loss
    assert ended and {file.name for file in other.files} >= {"curvature_last.json", "curvature_last.svg"}
    assert run(["curvature", "single/0/0", *QUICK, "tracker=none"]) == 0
    assert "weights of epoch 2, loss" in capsys.readouterr().out


@pytest.mark.long
def test_the_last_checkpoint_serves_where_no_best_weights_are(here):
    folder = here / "studies" / "single" / "trials" / "0-0-0"
    _, known = find_trial("single/0/0", None)
    job = prepare(known.config, known.key, folder)
    load_weights(folder / "best.safetensors", known.key, job.model)
    save_last(folder, known.key, job.read, job.model, job.optimizer, Progress(epoch=1))
    expected = hpsearch.curvature("single/0/0", overrides=[*QUICK, "tracker=none"])
    (folder / "best.safetensors").unlink()
    outcome = hpsearch.curvature("single/0/0", overrides=[*QUICK, "tracker=none"])
    assert (expected.weights, outcome.weights, outcome.epoch) == ("best.safetensors", "last.pt", 1)
    assert outcome.found == expected.found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "RUN is missing (usage: python -m hpsearch curvature RUN"),
        (["what?"], "'what?': is no name of a study"),
        (["single/9/0"], "study 'single' has no trial 9/0"),
        (["singel/0/0"], "no study 'singel'"),
        (["single/0/0", "curvature.sample=3"], "no option 'curvature.sample', did you mean 'samples'?"),
        (["single/0/0", "curvature.samples=0"], "curvature.samples = 0: must be a whole number >= 1"),
        (["single/0/0", "curvature.samples=many"], "curvature.samples = 'many': must be a whole number >= 1"),
        (["single/0/0", "curvature.precision=half"], "curvature.precision = 'half': must be one of auto, "),
    ],
)
def test_bad_words_are_one_line(here, capsys, words, message):
    before = sorted(here.rglob("*"))
    refused(capsys, ["curvature", *words, "launcher=inline", "tracker=none"], message)
    assert sorted(here.rglob("*")) == before


def refused(capsys, words, message):
    assert run(words) == 2
    out, error = capsys.readouterr()
    assert out == "" and message in error and error.count("\n") == 1


def test_trials_without_weights_or_with_others_are_one_line(here, capsys):
    words = ["curvature", "single/0/0", "launcher=inline", "tracker=none"]
    file = here / "studies" / "single" / "trials" / "0-0-0" / "best.safetensors"
    shutil.copy(here / "studies" / "single" / "trials" / "1-1-0" / "best.safetensors", file)
    refused(capsys, words, "best.safetensors does not fit the trial: another configuration or another model wrote it")
    file.write_bytes(b"nothing")
    refused(capsys, words, "best.safetensors cannot be read: it is damaged or of another version")
    file.unlink()
    refused(capsys, words, "trial single/0/0 has no weights (complete; no best.safetensors and no last.pt in ")


@pytest.mark.long
def test_a_trial_that_failed_is_one_line(here, capsys, monkeypatch):
    monkeypatch.setattr("hpsearch.trial.engine.Alone.evaluate", lambda *_: 1 / 0)
    run_trial([*SMALL, "launcher.retries=0", "tracker=none", "seed=2"])
    capsys.readouterr()
    words = ["curvature", "single/2/2", "launcher=inline", "tracker=none"]
    refused(capsys, words, "trial single/2/2 has no weights (failed: ZeroDivisionError: division by zero; ")


def test_a_model_of_which_nothing_is_trained_is_one_line(here, capsys, monkeypatch):
    monkeypatch.setattr("hpsearch.models.mlp.MLP.parameters", lambda _, recurse=True: iter(()))
    monkeypatch.setattr("hpsearch.trial.build._optimizer", lambda *_: torch.optim.SGD([torch.zeros(1)], 0.1))
    words = ["curvature", "single/0/0", "launcher=inline", "tracker=none"]
    refused(capsys, words, "MLP has no trained parameters: its loss has no Hessian")


def test_options_have_defaults_and_limits():
    assert options_of(["curvature.k=3", "curvature.precision=float64"]) == Options(k=3, precision="float64")
    with pytest.raises(ConfigError, match=r"curvature\.probes = 1: must be a whole number >= 2"):
        Options(probes=1)
