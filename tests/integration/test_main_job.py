"""The main job as a newcomer runs it, then everything that is promised afterwards, on the real store."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from hpsearch.cli import run

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ("_sec", "_per_sec", "_mib")

pytestmark = pytest.mark.slow


def hpsearch(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A git checkout of somebody else's project, in which the main job has run."""
    folder = tmp_path_factory.mktemp("their project")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / "notes.txt").write_text("theirs")
    done = hpsearch(folder, "+study=lr_sweep")
    assert done.returncode == 0, done.stderr
    (folder / "output.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def client(folder):
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


@pytest.fixture
def runs(client):
    experiment = client.get_experiment_by_name("lr_sweep")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return parent, [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]


@pytest.fixture
def trials(folder, monkeypatch):
    from hpsearch import load_trials

    monkeypatch.chdir(folder)
    return load_trials("lr_sweep")


def test_it_finds_a_good_rate_and_sees_the_diverged_end(trials):
    assert len(trials) == 39
    assert set(trials.state) == {"COMPLETE", "INFEASIBLE"}
    means = trials[trials.state == "COMPLETE"].groupby("optimizer.lr").score.agg(["mean", "size"])
    assert means[means["size"] == 3]["mean"].max() >= 0.96
    assert set(trials[trials["optimizer.lr"] > 4].state) >= {"INFEASIBLE"}
    assert all(trials[trials.state == "INFEASIBLE"].reason.str.contains("step"))


def test_it_says_what_a_newcomer_needs_next(folder):
    output = (folder / "output.txt").read_text()
    for part in (
        "has the highest",
        "95 % interval",
        "every seed trains",
        "replay lr_sweep/",
        "report.html",
        "python -m hpsearch ui",
    ):
        assert part in output, output


def test_its_files_tell_the_result_without_hpsearch(folder):
    study = folder / "studies" / "lr_sweep"
    assert yaml.safe_load((study / "study.yaml").read_text())["space"] == {
        "optimizer.lr": "tag(log, interval(0.001, 10.0))"
    }
    assert len(pd.read_csv(study / "trials.csv")) == 39
    readme = (study / "README.md").read_text()
    assert "n = 3 seeds" in readme and "Fixed, not searched" in readme
    html = (study / "report.html").read_text()
    assert html.count("plotly.js v") == 1
    page = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)


def test_mlflow_holds_one_parent_and_one_finished_run_per_trial(runs, trials):
    parent, children = runs
    assert len(children) == len(trials) == 39
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert {run.data.tags["state"] for run in children} == set(trials.state)
    assert set(trials.run_id) == {run.info.run_id for run in children}
    best = trials[trials.state == "COMPLETE"].groupby("point").score.mean().max()
    assert parent.data.metrics["best/mean"] == pytest.approx(best)


def test_a_run_has_what_is_needed_to_trust_and_repeat_it(client, runs):
    parent, children = runs
    child = children[0]
    for name in ("optimizer.lr", "optimizer.momentum", "data.batch_size", "trainer.epochs", "model.hidden", "seed"):
        assert name in child.data.params, child.data.params
    assert child.data.tags["replay"].startswith("python -m hpsearch ")
    assert {"config.yaml"} <= {item.path for item in client.list_artifacts(child.info.run_id)}
    assert {"report.html", "config.yaml"} <= {item.path for item in client.list_artifacts(parent.info.run_id)}
    text = json.dumps([parent.data.tags, parent.data.params, child.data.tags, child.data.params])
    for part in ("git", "data.digest", "torch"):
        assert part in text, text


def test_every_metric_of_every_epoch_is_there(client, runs):
    _, children = runs
    child = next(run for run in children if run.data.tags["state"] == "COMPLETE")
    for name in (
        "train/loss", "train/acc", "valid/loss", "valid/acc", "lr", "grad_norm", "update_ratio", "epoch_sec",
        "samples_per_sec",
    ):  # fmt: skip
        steps = [metric.step for metric in client.get_metric_history(child.info.run_id, name)]
        assert steps[-30:] == list(range(1, 31)), name
        assert len(steps) == (31 if name.startswith("valid/") else 30), name


def test_the_same_command_again_trains_nothing_and_shows_the_result(trials, capsys):
    assert run(["+study=lr_sweep"]) == 0
    again = capsys.readouterr().out
    assert "complete before" in again and "has the highest" in again
    from hpsearch import load_trials

    pd.testing.assert_frame_equal(load_trials("lr_sweep"), trials)


def test_a_trial_trained_again_is_the_same_bit_for_bit(folder):
    done = hpsearch(folder, "replay", "lr_sweep/6/1", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bit for bit" in done.stdout


def test_a_trial_trained_again_in_this_process_by_its_run_is_the_same_too(runs, folder, monkeypatch, capsys):
    _, children = runs
    monkeypatch.chdir(folder)
    assert run(["replay", children[0].info.run_id, "--check", "launcher=inline"]) == 0
    assert "bit for bit" in capsys.readouterr().out


@pytest.mark.long
def test_the_printed_command_trains_the_same_curve(folder, trials, monkeypatch):
    import shlex

    from hpsearch import load_curves

    trial = trials[(trials.point == 6) & (trials.seed == 1)].iloc[0]
    done = hpsearch(folder, *shlex.split(trial.command)[3:], "launcher.workers=1")
    assert done.returncode == 0, done.stderr
    ours = load_curves("lr_sweep").query("point == 6 and seed == 1").reset_index(drop=True)
    again = load_curves("single").query("seed == 1").reset_index(drop=True)
    names = [n for n in ours.columns if not n.endswith(MEASURED) and n not in ("time", "point", "seed")]
    pd.testing.assert_frame_equal(ours[names], again[names], check_exact=True)


def test_what_the_project_did_not_write_is_untouched(folder):
    status = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    new = {line[3:].split("/")[0].strip('"') for line in status.stdout.splitlines()}
    assert new <= {"notes.txt", "output.txt", "studies", "mlflow.db", "mlartifacts"}


def test_lists_and_reports(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert run(["list"]) == 0
    listed = capsys.readouterr().out
    assert "lr_sweep" in listed and "complete" in listed
    report = folder / "studies" / "lr_sweep" / "report.html"
    report.unlink()
    assert run(["report", "lr_sweep"]) == 0
    assert report.stat().st_size > 1_000_000


def test_from_python_in_a_script_without_a_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from hpsearch import load_curves, load_trials, run_study\n"
        "words = ['+study=lr_sweep', 'trainer.epochs=2', 'study.seeds=1', 'study.confirm=0']\n"
        "words += ['space.optimizer.lr=choice(0.01, 0.1)']\n"
        "outcome = run_study([*words, 'tracker=none', 'study.name=mine', 'launcher.workers=1'])\n"
        "print(outcome.best.params, len(load_trials('mine')), len(load_curves('mine')))\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("2 6\n")


@pytest.mark.long
def test_in_lockstep_two_workers_give_the_same_search_twice(tmp_path, monkeypatch):
    from hpsearch import load_trials

    words = [
        "+study=lr_sweep", "sampler=tpe", "sampler.n_startup_trials=3", "pruner=median", "pruner.n_startup_trials=2",
        "study.seeds=1", "study.confirm=0",
        "budget.points=8", "trainer.epochs=3", "launcher.lockstep=true", "launcher.workers=2",
        "tracker=none",
    ]  # fmt: skip
    tables = []
    for name in ("one", "two"):
        done = hpsearch(tmp_path, *words, f"study.name={name}")
        assert done.returncode == 0, done.stderr
        monkeypatch.chdir(tmp_path)
        tables.append(load_trials(name)[["point", "state", "score", "optimizer.lr", "valid/loss"]])
    pd.testing.assert_frame_equal(*tables, check_exact=True)
