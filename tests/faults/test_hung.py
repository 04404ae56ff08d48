"""Trials that hang, in real worker processes: what ends them, and that it ends them alone."""

import importlib
import os
import signal
import sys
import threading

import pytest

from hpsearch import load_trials, run_search
from hpsearch.base.types import TrialState
from tests.support.waiting import wait_until

pytestmark = pytest.mark.fault

MODULE = """
import time
from pathlib import Path

def train(x):
    yield {"acc": x}
    if x > 0.5 and not Path("calm").exists():
        Path("hung").touch()
        hang(Path("how").read_text() if Path("how").exists() else "sleeps")
    yield {"acc": x}

def hang(how):
    try:
        time.sleep(120)
    finally:
        if how == "cleans":
            time.sleep(120)
"""


class Watching:
    """Keeps what it is told; sends an interrupt once the hung trial is alone."""

    def __init__(self, interrupts=False):
        self.lines, self.interrupts = [], interrupts
        self.line = self.lines.append
        self.conclude = lambda outcome: None

    def update(self, progress):
        hung = [trial for trial in progress.running if trial.epoch == 1]
        if self.interrupts and len(progress.running) == len(hung) == 1 and progress.counts[TrialState.COMPLETE] == 2:
            self.interrupts = False
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def search(tmp_path, monkeypatch):
    (tmp_path / "hanging_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("hanging_module", None)
    train = importlib.import_module("hanging_module").train

    def run(*words, **options):
        workers = () if "launcher=inline" in words else ("launcher.workers=2",)
        return run_search(
            train,
            space={"x": "choice(0.2, 0.4, 0.8)"},
            sampler="grid",
            pruner="none",
            objective="acc",
            tracker="none",
            name="hung",
            overrides=[*workers, "launcher.grace_sec=0.3", *words],
            **options,
        )

    return run


def reason_of_the_hung_one():
    trials = load_trials("hung")
    return trials.loc[trials["args.x"] == 0.8, "reason"].item()


def test_a_limit_on_trials_ends_the_hung_one_and_raised_runs_it_again(search, tmp_path):
    outcome = search("budget.trial_seconds=1")
    assert (outcome.counts, outcome.exit_code) == ({TrialState.COMPLETE: 2, TrialState.INFEASIBLE: 1}, 0)
    assert reason_of_the_hung_one().startswith("took too long: ")
    assert search("budget.trial_seconds=1").already_complete
    (tmp_path / "calm").touch()
    outcome = search()
    assert (outcome.counts, outcome.best.mean) == ({TrialState.COMPLETE: 3}, 0.8)


def test_a_limit_on_silence_tries_the_hung_one_again_and_fails_it(search):
    outcome = search("budget.silent_seconds=1", "launcher.retries=1")
    assert (outcome.counts, outcome.exit_code) == ({TrialState.COMPLETE: 2, TrialState.FAILED: 1}, 1)
    assert reason_of_the_hung_one() == "no report for 1 s (budget.silent_seconds)"
    assert load_trials("hung")["attempts"].max() == 2


def test_the_time_of_a_search_ends_the_hung_one_and_says_so(search, tmp_path):
    observer = Watching()
    outcome = search("budget.seconds=4", observer=observer)
    assert (outcome.interrupted, outcome.exit_code) == (False, 0)
    assert outcome.counts == {TrialState.COMPLETE: 2, TrialState.WAITING: 1}
    assert outcome.ended.startswith("budget.seconds = 4 is used up")
    assert any("did not pause in time and was killed" in line for line in observer.lines)
    (tmp_path / "calm").touch()
    assert search("budget.seconds=100").counts == {TrialState.COMPLETE: 3}


@pytest.mark.parametrize("hangs", ["sleeps", "cleans"])
def test_one_interrupt_ends_a_study_whose_trial_hangs_in_this_process(search, tmp_path, hangs):
    (tmp_path / "how").write_text(hangs)

    def interrupt():
        try:
            wait_until((tmp_path / "hung").exists)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    observer = Watching()
    outcome = search("launcher=inline", observer=observer, on_interrupt="return")
    thread.join()
    assert (outcome.interrupted, outcome.exit_code, outcome.counts) == (True, 130, {TrialState.COMPLETE: 2})
    assert any("once more to stop at once" in line for line in observer.lines)
    (tmp_path / "calm").touch()
    assert search("launcher=inline").counts == {TrialState.COMPLETE: 3}


def test_one_interrupt_ends_a_study_with_a_hung_trial(search, tmp_path):
    observer = Watching(interrupts=True)
    outcome = search(observer=observer, on_interrupt="return")
    assert (outcome.interrupted, outcome.exit_code) == (True, 130)
    assert not observer.interrupts
    (tmp_path / "calm").touch()
    assert search().counts == {TrialState.COMPLETE: 3}
