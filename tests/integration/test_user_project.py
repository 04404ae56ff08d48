"""A project that uses hpsearch without touching it: own model, own data, own training loop, own config folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Report, TrialId, TrialSpec, TrialState
from hpsearch.cli import run
from hpsearch.config.build import build
from hpsearch.config.compose import compose
from hpsearch.trial import build as trial
from hpsearch.trial.generator import execute, preflight
from tests.support.jobs import drive

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "tests" / "user_project"
CONF = ("--config-dir", "my_conf")
QUICK = ("tracker=none", "launcher.workers=2")


def hpsearch(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "hpsearch", *CONF, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("their") / "project"
    shutil.copytree(PROJECT, folder)
    return folder


@pytest.fixture
def mine(monkeypatch):
    """Import the project's package here, as a run from its folder does."""
    monkeypatch.syspath_prepend(str(PROJECT))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_pkg"]:
        del sys.modules[name]


@pytest.fixture
def theirs(project, mine, monkeypatch):
    """The project's folder, which this process works in and imports from."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", [str(project), *(place for place in sys.path if place != str(PROJECT))])
    return project


def config(*words):
    return compose(words, [PROJECT / "my_conf"]).trial({}, 0, 0).config


def spec(folder, *words):
    return TrialSpec("study", TrialId(0, 0), config(*words), {}, (), "key", str(folder))


@pytest.mark.long
@pytest.mark.slow
def test_a_search_over_their_training_loop_is_run_by_workers_reported_and_replayed(project, monkeypatch):
    done = hpsearch(project, "+study=my_search", "launcher.workers=2")
    assert done.returncode == 0, done.stderr
    assert "12 complete" in done.stdout and "report.html" in done.stdout, done.stdout
    again = hpsearch(project, "+study=my_search", "launcher.workers=2")
    assert again.returncode == 0 and "12 complete" in again.stdout
    replayed = hpsearch(project, "replay", "my_search/0/1", "--check")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert (project / "studies" / "my_search" / "report.html").stat().st_size > 10_000
    monkeypatch.chdir(project)
    from hpsearch import load_curves, load_trials

    trials = load_trials("my_search")
    assert set(trials.state) == {"COMPLETE"}
    means = trials.groupby("args.features").score.mean()
    assert means[40] > means[2] + 0.1
    assert set(load_curves("my_search").epoch) == {1, 2, 3, 4}
    assert set(load_trials("my_search", uri="sqlite:///mlflow.db").score) == set(trials.score)


@pytest.mark.slow
def test_their_model_and_data_are_searched_and_replayed(theirs):
    done = hpsearch(theirs, "+study=my_net_sweep", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "4 complete" in done.stdout, done.stdout
    assert run([*CONF, "replay", "my_net_sweep/1/0", "--check", "tracker=none", "launcher=inline"]) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("theirs")
def test_a_metric_that_their_loop_does_not_report_is_refused_at_the_end_of_the_first_trial(capsys):
    for words in (["+study=my_search", "study.name=typo"], ["trainer=my_train"]):
        assert run([*CONF, *words, "objective.metric=valid/ac", "tracker=none", "launcher=inline"]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "objective.metric = 'valid/ac': no report has it, did you mean 'valid/acc'?" in line


def test_their_dataset_trains_their_model_with_ordinary_dropout_the_same_again(mine, tmp_path):
    words = ("model=my_net", "data=my_stripes", "trainer.epochs=3", "optimizer.lr=0.01")
    runs = [drive(trial.execute((spec(tmp_path / name, *words),)))[0] for name in "ab"]
    first, again = ([m.metrics["train/loss"] for m in messages[2:]] for messages in runs)
    assert first == again and len(first) == 3
    assert runs[0][-1].metrics["valid/acc"] > 0.7


def test_what_a_generator_yields_becomes_a_trial(mine, tmp_path):
    messages, result = drive(execute((spec(tmp_path, "trainer=my_train"),)))
    assert [message.epoch for message in messages] == [None, 1, 2, 3, 4]
    assert [message.step for message in messages[1:]] == [10, 20, 30, 40]
    assert set(messages[-1].metrics) == {"train/loss", "valid/loss", "valid/acc"}
    assert result.state is TrialState.COMPLETE
    again, _ = drive(execute((spec(tmp_path, "trainer=my_train"),)))
    assert [message.metrics for message in again[1:]] == [message.metrics for message in messages[1:]]


@pytest.mark.parametrize(
    ("decision", "state"), [(Decision.STOP, TrialState.PRUNED), (Decision.PAUSE, TrialState.PAUSED)]
)
def test_a_generator_is_stopped_and_paused(mine, tmp_path, decision, state):
    def decide(message):
        return decision if isinstance(message, Report) and message.epoch == 2 else Decision.CONTINUE

    messages, result = drive(execute((spec(tmp_path, "trainer=my_train"),)), decide)
    assert result.state is state and messages[-1].epoch == 2


def test_the_whole_protocol_goes_on_from_a_checkpoint_of_its_own(mine, tmp_path):
    words = ("trainer=my_checkpoints", "objective=valid_loss")
    whole, _ = drive(execute((spec(tmp_path / "whole", *words),)))
    paused, result = drive(
        execute((spec(tmp_path / "cut", *words),)),
        lambda message: Decision.PAUSE if message.epoch == 2 else Decision.CONTINUE,
    )
    assert result.state is TrialState.PAUSED
    rest, result = drive(execute((spec(tmp_path / "cut", *words),)))
    assert result.state is TrialState.COMPLETE and rest[0].epoch == 2
    assert [m.metrics for m in (*paused[1:], *rest[1:])] == [m.metrics for m in whole[1:]]


def test_a_loop_is_checked_before_anything_runs(mine):
    assert preflight(config("trainer=my_train")) == {"metrics": None}
    wrong = {
        "args.rate: my_pkg.train.train takes no such argument": {"rate": 0.1},
        "args.seed = 3: is given at run time": {"seed": 3},
    }
    for message, keys in wrong.items():
        changed = config("trainer=my_train")
        changed["args"] |= keys
        with pytest.raises(ConfigError, match=message):
            preflight(changed)
    changed = config("trainer=my_train")
    del changed["args"]["lr"]
    with pytest.raises(ConfigError, match=r"args.lr: my_pkg.train.train needs it"):
        preflight(changed)


def test_functions_that_are_no_training_loop_are_refused(mine):
    for target in ("hpsearch.trial.generator.run_code", "hpsearch.trial.loop.train"):
        with pytest.raises(ConfigError, match=r"is not hpsearch.trial.loop.Trainer"):
            build("trainer", {"_target_": target}, ["my_pkg"])
    with pytest.raises(ConfigError, match="package my_pkg may not be used"):
        build("trainer", {"_target_": "my_pkg.train.train"}, [])
