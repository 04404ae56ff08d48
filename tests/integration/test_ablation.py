"""An ablation through the command line: held and retuned, killed and resumed, rebuilt from the tracking store alone."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from hpsearch import load_curves, load_trials
from hpsearch.base.errors import StorageError
from hpsearch.cli import run
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.sentences import answer
from hpsearch.study.tables import ablation_tables
from hpsearch.tracking.events import STUDY, read_study
from hpsearch.tracking.mlflow import run_of

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    *("+study=batch_momentum", "study.name=small", "trainer.epochs=2", "ablation.points=2", "study.seeds=2"),
    "ablation.seeds=1",
    *("space.data.batch_size=choice(64,256)", "space.optimizer.momentum=choice(0,0.9)", "launcher.workers=1"),
)

ASKED = "study.question=Does it, or does it not?"


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *words], cwd=folder, text=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "140"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def finish(process, code=0):
    out, _ = process.communicate(timeout=240)
    assert process.returncode == code, out
    return out


@pytest.mark.long
def test_killed_and_resumed_every_arm_has_its_seeds_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = start(tmp_path, *SMALL, "tracker=none")
    deadline = time.time() + 120
    while not list((tmp_path / "studies").glob("small.tune/events/0-*")) and time.time() < deadline:
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    with pytest.raises(StorageError, match=r"study 'small' has no arms yet .*; go on with: python -m hpsearch"):
        load_trials("small")
    finish(start(tmp_path, *SMALL, "tracker=none"))
    tuned, trials = load_trials("small.tune"), load_trials("small")
    assert len(tuned) == 8 and not tuned.duplicated(["data.batch_size", "optimizer.momentum", "optimizer.lr"]).any()
    assert sorted(trials.groupby("arm").size()) == [2, 2, 2, 2] and set(trials["seed"]) == {0, 1}
    assert set(tuned["seed"]).isdisjoint(set(trials["seed"]))
    best = tuned.loc[tuned.groupby(["data.batch_size", "optimizer.momentum"])["score"].idxmax()]
    for row in best.to_dict("records"):
        own = trials[(trials["data.batch_size"] == row["data.batch_size"])]
        own = own[own["optimizer.momentum"] == row["optimizer.momentum"]]
        assert set(own["optimizer.lr"]) == {row["optimizer.lr"]}
    curves = load_curves("small")
    assert {"arm", "data.batch_size", "optimizer.momentum"} <= set(curves.columns)
    readme = (tmp_path / "studies" / "small" / "README.md").read_text()
    assert (
        "## Arms" in readme
        and "Settings tuned for each arm: learning rate, chosen from 2 values by the score of one seed" in readme
    )
    assert (tmp_path / "studies" / "small" / "trials.csv").read_text().count("\n") == 9


def here(capsys, *words, code=0):
    """Run a command in this process, and return what it prints."""
    assert run([word for word in words if word != "launcher.workers=1"]) == code
    out, err = capsys.readouterr()
    return out + err


def test_held_and_rebuilt_from_the_tracking_store_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    held = ("ablation.nuisance=held", "trainer.test=true", "optimizer.lr=0.04", "launcher=inline", ASKED)
    out = here(capsys, *SMALL, *held)
    assert "nothing is retuned: every arm has learning rate 0.04" in out
    assert not (tmp_path / "studies" / "small.tune").exists()
    before = ablation_of(*ablation_tables("small"))
    assert before.question == "Does it, or does it not? (Here with one learning rate for every arm.)"
    best = before.best
    listed = here(capsys, "list")
    assert f"({best.score.n} trials) at data.batch_size={best.levels['data.batch_size']} optimizer.momentum=" in next(
        line for line in listed.splitlines() if line.startswith("small ")
    )
    run = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_run(run_of(tmp_path / "studies" / "small", STUDY, None))
    assert run.data.metrics["best/mean"] == pytest.approx(best.score.mean) and run.data.metrics["best/n"] == 2
    levels = {f"best.{key}": str(value) for key, value in best.levels.items()}
    assert levels.items() <= run.data.tags.items()
    assert before.nuisance.held == {"optimizer.lr": 0.04} and before.arms[0].test is not None
    shutil.move(tmp_path / "studies", tmp_path / "gone")
    after = ablation_of(*ablation_tables("small"))
    assert [arm.score for arm in after.arms] == [arm.score for arm in before.arms]
    assert answer(after) == answer(before) and after.differences == before.differences
    here(capsys, "report", "small")
    readme = Path("studies/small/README.md").read_text()
    assert readme == (tmp_path / "gone" / "small" / "README.md").read_text()


def test_steps_give_every_batch_size_the_same_updates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finish(start(tmp_path, *SMALL, "ablation.nuisance=held", "trainer.steps=25", "tracker=none"))
    assert set(load_curves("small").groupby(["point", "seed"])["step"].max()) == {25}
    assert read_study(tmp_path / "studies" / "small")["state"]["state"] == "COMPLETE"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ablation.reference={optimizer.momentum:0.5}"], "no arm has optimizer.momentum = 0.5 (0, 0.9"),
        (["ablation.reference={optimizer.momentun:0}"], "optimizer.momentun is no factor, did you mean"),
        (["ablation.factors=[data.batch_size]"], "the factors of an ablation are the keys of its space"),
        (["space.data.batch_size=choice(64)"], "a factor that never varies compares nothing"),
        (["space.data.batch_size=interval(8,64)"], "a factor has values to compare, not a range"),
        (["nuisance.optimizer.momentum=choice(0,0.5)"], "optimizer.momentum is given twice"),
        (["~nuisance"], "the block nuisance is empty"),
        (["ablation.nuisance=tuned"], "ablation.nuisance"),
    ],
)
def test_bad_input_is_one_line_and_creates_nothing(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    small = [word for word in SMALL if word.partition("=")[0] not in {each.partition("=")[0] for each in words}]
    out = here(capsys, *small, *words, "tracker=none", code=2)
    assert said in out and len(out.strip().splitlines()) == 1, out
    assert not list(tmp_path.iterdir())
