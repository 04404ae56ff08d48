"""Trials that are trained as one program when their worker or the driver is killed: nothing lost, nothing twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hpsearch import Silent, load_curves, load_trials, run_study

pytestmark = [pytest.mark.fault, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
STUDY = (
    *("+study=lr_sweep", "space.optimizer.lr=choice(0.003, 0.01, 0.03, 30)", "study.seeds=2", "study.confirm=0"),
    *("data.train_size=320", "data.batch_size=16", "model.hidden=[8]", "trainer.epochs=40", "trainer.checkpoint_sec=0"),
    *("tracker=none", "trainer.device=cpu", "study.name=sweep"),
)
FUSED = ("launcher.workers=1", "launcher.fuse=4")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The trials of a study that trains each alone, undisturbed."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("calm"))
    try:
        run_study([*STUDY, "launcher=inline", "launcher.fuse=off"], observer=Silent())
        return load_trials("sweep")
    finally:
        os.chdir(before)


def check_like(calm) -> None:
    """Compare states and scores, and look for what is missing or there twice."""
    trials, curves = load_trials("sweep"), load_curves("sweep")
    key = ["point", "seed"]
    assert trials.set_index(key).state.to_dict() == calm.set_index(key).state.to_dict()
    expected = calm.set_index(key).score.to_dict()
    assert trials.set_index(key).score.to_dict() == pytest.approx(expected, abs=1e-2, nan_ok=True)
    assert not curves.duplicated([*key, "epoch"]).any()
    whole = curves.groupby(key).epoch.max()[trials.set_index(key).state == "COMPLETE"]
    assert (whole == 40).all()
    assert trials.fused_widths.str.contains(r"\*[234]").any()


class Kills(Silent):
    """Kills the worker once some trial has trained for three epochs."""

    def __init__(self) -> None:
        self.lines, self.killed = [], False

    def update(self, progress):
        if not self.killed and any(trial.epoch >= 3 for trial in progress.running):
            children = psutil.Process().children(recursive=True)
            worker = max(children, key=lambda child: sum(child.cpu_times()[:2]) * (child.num_threads() > 0))
            worker.kill()
            self.killed = True

    def line(self, text):
        self.lines.append(text)


@pytest.mark.long
def test_a_worker_that_is_killed_takes_no_trial_along(calm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kills = Kills()
    run_study([*STUDY, *FUSED], observer=kills)
    assert kills.killed and "trying again" in " ".join(kills.lines)
    check_like(calm)
    assert (load_trials("sweep").attempts == 2).sum() == 4


def test_a_driver_that_is_killed_goes_on(calm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "hpsearch", *STUDY, *FUSED]
    place = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    first = subprocess.Popen(command, **place)
    events = tmp_path / "studies" / "sweep" / "events"
    until = time.monotonic() + 60
    while not any(file.read_text().count('"report"') > 3 for file in events.glob("0-*.jsonl")):
        assert first.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert subprocess.run(command, **place).returncode == 0
    check_like(calm)
    assert (load_trials("sweep").attempts > 1).any()
