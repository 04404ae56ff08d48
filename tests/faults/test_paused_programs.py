"""What a trial has started stands still with it while it waits, and ends with the driver, however that goes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hpsearch.base.types import Decision, TrialId, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended
from hpsearch.launch.processes import ProcessLauncher
from hpsearch.trial import generator
from tests.support.waiting import events_until

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing stands still"),
]
METRIC = "valid/acc"
CODE = """
import os, subprocess, sys
from pathlib import Path

import hpsearch

TICKS = "import sys, time\\nwhile True: open(sys.argv[1], 'a').write('.'); time.sleep(0.02)"


def ticks(program):
    if program:
        child = subprocess.Popen([sys.executable, "-S", "-c", TICKS, "ticks"], cwd=hpsearch.folder())
        Path(hpsearch.folder(), "pids").write_text(f"{os.getpid()} {child.pid}")
    for epoch in range(1, 5):
        hpsearch.report({"valid/acc": 0.1 * epoch, "pid": os.getpid()}, epoch=epoch)
    if program:
        child.kill()
"""


class Search:
    """One slot, and the trials that are told to pause after their second epoch."""

    def __init__(self, folder: Path, launcher: ProcessLauncher) -> None:
        self.folder, self.launcher = folder, launcher
        self.pids = {}

    def train(self, point: int, attempt: int = 1, program: bool = True) -> TrialState:
        trial = TrialId(point, 0)
        config = {
            "trainer": {"_target_": "my_ticks.ticks"},
            "plugins": ["my_ticks"],
            "args": {"program": program},
            "objective": {"metric": METRIC},
            "seed": 0,
            "fold": 0,
        }
        spec = TrialSpec("study", trial, config, {}, (), f"key{point}", str(self.folder / str(point)), attempt)
        self.launcher.submit(0, (spec,))

        def decide(event) -> None:
            assert not isinstance(event, Died), event
            if not isinstance(event, Ended):
                metrics = getattr(event.message, "metrics", {})
                self.pids[point] = int(metrics.get("pid", 0))
                pause = attempt == 1 and event.message.epoch == 2
                self.launcher.decide(trial, Decision.PAUSE if pause else Decision.CONTINUE)

        events = events_until(self.launcher, lambda events: events and isinstance(events[-1], Ended), decide)
        return events[-1].result.state

    def ticks(self, point: int) -> int:
        path = self.folder / str(point) / "ticks"
        return path.stat().st_size if path.exists() else 0


def statuses(folder: Path) -> list[str]:
    """Of a trial's process and of the program that it started."""
    return [status(int(pid)) for pid in (folder / "pids").read_text().split()]


def status(pid: int) -> str:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def wait_until(condition, limit_sec: float = 60.0) -> None:
    deadline = time.monotonic() + limit_sec
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def my_ticks(tmp_path, monkeypatch):
    (tmp_path / "my_ticks.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def search(tmp_path, my_ticks):
    launcher = ProcessLauncher(workers=1, lockstep=True, paused=2)
    launcher.start(generator.execute)
    yield Search(tmp_path, launcher)
    launcher.stop(now=True)


def is_gone(folder: Path) -> bool:
    return all(status in (psutil.STATUS_DEAD, psutil.STATUS_ZOMBIE) for status in statuses(folder))


def test_what_a_trial_started_stands_still_while_it_waits_and_goes_on_with_it(search, tmp_path):
    assert search.train(0) is TrialState.PAUSED
    wait_until(lambda: statuses(tmp_path / "0") == [psutil.STATUS_STOPPED] * 2)
    ticks = search.ticks(0)
    assert search.train(1, program=False) is TrialState.PAUSED, "it waits in the memory of the worker beside"
    assert search.pids[1] != search.pids[0] and search.ticks(0) == ticks
    assert search.train(0, attempt=2) is TrialState.COMPLETE, "it went on where it was"
    assert int((tmp_path / "0" / "pids").read_text().split()[0]) == search.pids[0]
    wait_until(lambda: is_gone(tmp_path / "0"))
    assert search.train(1, attempt=2, program=False) is TrialState.COMPLETE
    assert search.train(2, program=False) is TrialState.PAUSED
    assert search.pids[2] == search.pids[1], "one worker is shared again"


def test_no_more_stand_still_than_may_wait_and_none_beside_one_that_waits_in_memory(search, tmp_path):
    assert [search.train(point) for point in range(3)] == [TrialState.PAUSED, TrialState.PAUSED, TrialState.COMPLETE]
    search.launcher.decide(TrialId(0, 0), Decision.STOP)
    wait_until(lambda: is_gone(tmp_path / "0"))
    search.launcher.poll(0.1)
    assert search.train(3, program=False) is TrialState.PAUSED
    search.launcher.decide(TrialId(1, 0), Decision.STOP)
    wait_until(lambda: is_gone(tmp_path / "1"))
    search.launcher.poll(0.1)
    assert search.train(4) is TrialState.COMPLETE, "the worker cannot stand still: another waits in its memory"
    search.launcher.stop()


def test_one_whose_process_was_killed_while_it_stood_still_begins_again(search, tmp_path):
    assert search.train(0) is TrialState.PAUSED
    os.kill(search.pids[0], signal.SIGKILL)
    wait_until(lambda: is_gone(tmp_path / "0"))
    search.launcher.poll(0.1)
    before = search.pids[0]
    assert search.train(0, attempt=2) is TrialState.COMPLETE and search.pids[0] != before


DRIVER = """
import sys, time
from pathlib import Path
from hpsearch.launch.processes import ProcessLauncher
from hpsearch.trial import generator
from tests.faults.test_paused_programs import Search

launcher = ProcessLauncher(workers=1, lockstep=True, paused=2)
launcher.start(generator.execute)
print(Search(Path.cwd(), launcher).train(0), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_that_stands_still_outlives_its_driver(number, my_ticks, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True, env=environment) as driver:
        assert driver.stdout.readline() == "PAUSED\n"
        wait_until(lambda: statuses(tmp_path / "0") == [psutil.STATUS_STOPPED] * 2)
        driver.send_signal(number)
    wait_until(lambda: is_gone(tmp_path / "0"), limit_sec=10.0)
