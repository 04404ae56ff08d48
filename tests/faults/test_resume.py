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
from hpsearch.types import TrialState

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
]
MEASURED = ("_sec", "_per_sec", "_mib")
WHEN = ["started", "ended", "duration_sec", "attempts", "run_id", "failures"]


def start(folder: Path) -> subprocess.Popen:
    with (folder / "output.txt").open("a") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *COMMAND],
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


def check_store(folder: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("sweep").experiment_id], max_results=1000)
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(runs) == len(children) + 1
    assert len({run.data.tags["hpsearch.trial"] for run in children}) == len(children) == 12
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in children:
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "valid/acc")]
        assert len(steps) == len(set(steps))
        if run.data.tags["state"] == TrialState.COMPLETE:
            assert sorted(steps) == list(range(EPOCHS + 1))


def test_the_driver_killed_at_five_random_moments(calm, tmp_path, monkeypatch):
    moments = random.Random(20)
    for _ in range(5):
        run = start(tmp_path)
        wait_for(lambda run=run: workers_of(run), 20)
        time.sleep(moments.uniform(0, 6))
        workers = workers_of(run)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert wait_for(lambda workers=workers: not any(w.is_running() for w in workers), 10), (
            "a worker was left behind"
        )
    finish(tmp_path)
    check_like(calm, tmp_path, monkeypatch)


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


def test_one_interrupt_pauses_and_the_same_command_goes_on(calm, tmp_path, monkeypatch):
    run = start(tmp_path)
    assert wait_for(lambda: list((tmp_path / "studies" / "sweep" / "events").glob("*-*-*.jsonl")), 60)
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130, said(tmp_path)
    assert "python -m hpsearch +study=lr_sweep" in said(tmp_path)
    finish(tmp_path)
    check_like(calm, tmp_path, monkeypatch)


def test_two_interrupts_stop_at_once_and_the_same_command_goes_on(calm, tmp_path, monkeypatch):
    run = start(tmp_path)
    assert wait_for(lambda: list((tmp_path / "studies" / "sweep" / "events").glob("*-*-*.jsonl")), 60)
    run.send_signal(signal.SIGINT)
    time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130, said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    finish(tmp_path)
    check_like(calm, tmp_path, monkeypatch)
