"""A study whose driver or workers are killed ends as an undisturbed one: every trial once, every curve complete."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hpsearch import load_curves, load_trials
from hpsearch.base.types import TrialState

pytestmark = [pytest.mark.fault, pytest.mark.slow]

EPOCHS = 25
COMMAND = [
    "+study=lr_sweep",
    "space.optimizer.lr=choice(0.003, 0.03, 0.3, 30)",
    "study.seeds=3",
    f"trainer.epochs={EPOCHS}",
    "trainer.checkpoint_sec=0",
    "study.name=sweep",
    "launcher.retries=20",
    "launcher.fuse=on",  # two studies that are compared take one path, whatever is measured at their start
]
MEASURED = ("_sec", "_per_sec", "_mib")
WHEN = [
    "fused_widths",
    "started",
    "ended",
    "duration_sec",
    "attempts",
    "run_id",
    "failures",
    "failed_at",
    "repeated_epochs",
]


def start(folder: Path, *words: str) -> subprocess.Popen:
    with (folder / "output.txt").open("a") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *COMMAND, *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )


def said(folder: Path) -> str:
    return (folder / "output.txt").read_text()


def finish(folder: Path) -> None:
    assert start(folder).wait(120) == 0, said(folder)


def workers_of(run: subprocess.Popen) -> list[psutil.Process]:
    try:
        children = psutil.Process(run.pid).children(recursive=True)
        return [child for child in children if "hpsearch.launch.worker" in " ".join(child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def wait_for(condition, timeout_sec: float) -> bool:
    end = time.monotonic() + timeout_sec
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("calm")
    finish(folder)
    return folder


def tables(folder: Path, monkeypatch):
    monkeypatch.chdir(folder)
    trials, curves = load_trials("sweep"), load_curves("sweep")
    keep = [name for name in trials.columns if not name.endswith(MEASURED) and name not in WHEN]
    seen = [name for name in curves.columns if not name.endswith(MEASURED) and name != "time"]
    return trials[keep], curves[seen]


def check_like(calm: Path, folder: Path, monkeypatch) -> None:
    import pandas as pd

    for ours, theirs in zip(tables(folder, monkeypatch), tables(calm, monkeypatch), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True, check_like=True)
    check_store(folder)


def client_of(folder: Path):
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def stored(folder: Path):
    """The study's runs in the store, without those of a study that was started again."""
    client = client_of(folder)
    experiment = client.get_experiment_by_name("sweep")
    runs = client.search_runs([experiment.experiment_id], max_results=1000) if experiment else []
    return [run for run in runs if "superseded" not in run.data.tags]


def check_store(folder: Path) -> None:
    client, runs = client_of(folder), stored(folder)
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(runs) == len(children) + 1
    assert len({run.data.tags["hpsearch.trial"] for run in children}) == len(children) == 12
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in children:
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "valid/acc")]
        assert len(steps) == len(set(steps))
        if run.data.tags["state"] == TrialState.COMPLETE:
            assert sorted(steps) == list(range(EPOCHS + 1))


@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.long)])
def test_the_driver_killed_at_random_moments(kills, calm, tmp_path, monkeypatch):
    moments = random.Random(20)
    events = tmp_path / "studies" / "sweep" / "events"
    for kill in range(kills):
        run = start(tmp_path)
        known = len(list(events.glob("*-*-*.jsonl")))
        if kill > 0:  # the first falls anywhere in the start
            wait_for(lambda known=known: len(list(events.glob("*-*-*.jsonl"))) > known, 30)
        time.sleep(moments.uniform(0, 3 if kill == 0 else 1))
        workers = workers_of(run)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert wait_for(lambda workers=workers: not any(w.is_running() for w in workers), 10), (
            "a worker was left behind"
        )
    finish(tmp_path)
    check_like(calm, tmp_path, monkeypatch)


@pytest.mark.long
def test_workers_killed_at_five_random_moments(calm, tmp_path, monkeypatch):
    moments = random.Random(21)
    run = start(tmp_path)
    events = tmp_path / "studies" / "sweep" / "events"
    assert wait_for(lambda: list(events.glob("*-*-*.jsonl")), 60)
    killed = 0
    while killed < 5 and run.poll() is None:
        time.sleep(moments.uniform(0, 1))
        for worker in workers_of(run)[:1]:
            worker.kill()
            killed += 1
    assert run.wait(120) == 0, said(tmp_path)
    assert killed == 5, "the study was over before five workers were killed"
    check_like(calm, tmp_path, monkeypatch)


@pytest.mark.long
def test_one_interrupt_pauses_and_the_same_command_goes_on(calm, tmp_path, monkeypatch):
    run = start(tmp_path)
    assert wait_for(lambda: list((tmp_path / "studies" / "sweep" / "events").glob("*-*-*.jsonl")), 60)
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130, said(tmp_path)
    assert "python -m hpsearch +study=lr_sweep" in said(tmp_path)
    finish(tmp_path)
    check_like(calm, tmp_path, monkeypatch)


@pytest.mark.long
def test_two_interrupts_stop_at_once_and_the_same_command_goes_on(calm, tmp_path, monkeypatch):
    run = start(tmp_path)
    assert wait_for(lambda: list((tmp_path / "studies" / "sweep" / "events").glob("*-*-*.jsonl")), 60)
    run.send_signal(signal.SIGINT)
    time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130, said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    assert {run.info.status for run in stored(tmp_path)} <= {"FINISHED", "SCHEDULED"}
    finish(tmp_path)
    check_like(calm, tmp_path, monkeypatch)


@pytest.mark.long
def test_sync_beside_a_running_driver_sends_nothing_twice(calm, tmp_path, monkeypatch):
    run = start(tmp_path)
    assert wait_for(lambda: list((tmp_path / "studies" / "sweep" / "events").glob("*-*-*.jsonl")), 60)
    sync = [sys.executable, "-m", "hpsearch", "sync"]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    run.send_signal(signal.SIGSTOP)  # or the study ends while the command starts
    refused = subprocess.run([*sync, "sweep"], cwd=tmp_path, env=env, capture_output=True, text=True)
    run.send_signal(signal.SIGCONT)
    assert refused.returncode == 2
    assert "running already" in refused.stderr
    assert subprocess.run(sync, cwd=tmp_path, env=env, capture_output=True).returncode == 0
    assert run.wait(120) == 0, said(tmp_path)
    check_like(calm, tmp_path, monkeypatch)


@pytest.mark.long
def test_a_restarted_study_that_was_stopped_goes_on_with_the_printed_command(tmp_path, monkeypatch):
    studies = tmp_path / "studies"
    for kept, words in enumerate(([], ["study.restart=true"])):
        run = start(tmp_path, *words)
        assert wait_for(lambda kept=kept: len(list(studies.glob("sweep.2*"))) == kept, 60)
        assert wait_for(lambda: list((studies / "sweep" / "events").glob("*-*-*.jsonl")), 60)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130, said(tmp_path)
    assert "study.restart" not in said(tmp_path).split("go on where it stopped")[-1]
    finish(tmp_path)
    check_store(tmp_path)
    assert len(list(studies.glob("sweep.2*"))) == 1
