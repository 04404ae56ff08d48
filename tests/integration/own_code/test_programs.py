"""Programs as trials with two workers: every way to end in one search, and kills of drivers and workers."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.types import TrialState
from hpsearch.cli import run
from hpsearch.tracking.events import read_study
from tests.support.records import lacked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a program's descendants are not all known")

KINDS = """
case "$1" in
    prints) for e in 1 2 3; do echo "epoch $e y: 0.$e"; done ;;
    fills) yes 'a line that says nothing' | head -c 3000000; echo y: 1 ;;
    reads) echo "y: $(wc -l)" ;;
    exits) echo 'Traceback (most recent call last):' >&2; echo 'ValueError: no data' >&2; exit 4 ;;
    dies) kill -KILL $$ ;;
    comma) echo 'y: 0,5'; sleep 600 ;;
    diverges) echo 'y: nan'; sleep 600 ;;
    mute) echo accuracy: 1 ;;
    hangs) trap '' TERM; echo epoch 1 y: 1; while :; do sleep 1; done ;;
    leaves) setsid sleep 600 & echo y: 1 ;;
esac
"""
NAMES = [line.split(")")[0].strip() for line in KINDS.splitlines() if ")" in line and ";;" in line]
REASONS = {
    "exits": "the program ended with exit code 4: ValueError: no data",
    "dies": "the program was killed by SIGKILL (as the kernel does when memory runs out)",
    "comma": "the program printed y as '0,5', with a decimal comma",
    "diverges": "y is nan after epoch 1",
    "mute": "the program ended and never said y: it printed accuracy; set objective.metric",
    "hangs": "took too long",
}


def sleepers():
    return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "600"]]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """One search with a point for each kind of program; its outcome, its rows by kind and its logs."""
    before = {each.pid for each in sleepers()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("kinds"))
        Path("kinds.sh").write_text(KINDS)
        outcome = run_search(
            ["sh", "kinds.sh", "{kind}"], space={"kind": NAMES}, sampler="grid", pruner="none", objective="y",
            tracker="none", overrides=["launcher.workers=2", "budget.failures=null", "launcher.retries=1",
            "launcher.grace_sec=1", "budget.trial_seconds=6", "study.confirm=0"],
        )  # fmt: skip
        rows = load_trials("kinds").set_index("args.kind")
    logs = {kind: outcome.folder / "trials" / f"{row['point']}-0-0" / "log.txt" for kind, row in rows.iterrows()}
    yield outcome, rows, logs
    assert {each.pid for each in sleepers()} <= before


def test_each_ends_as_it_should(kinds):
    outcome, rows, _ = kinds
    assert outcome.exit_code == 1 and outcome.name == "kinds"
    states = dict.fromkeys(NAMES, TrialState.COMPLETE) | dict.fromkeys(REASONS, TrialState.FAILED)
    states |= dict.fromkeys(("diverges", "hangs"), TrialState.INFEASIBLE)
    assert rows["state"].to_dict() == states
    for kind, reason in REASONS.items():
        assert rows["reason"][kind].startswith(reason) and "\n" not in rows["reason"][kind]
    assert rows["score"][["prints", "fills", "reads", "leaves"]].tolist() == [0.3, 1, 0, 1]


def test_one_that_died_is_tried_again_and_one_that_can_only_fail_again_is_not(kinds):
    attempts = kinds[1]["attempts"]
    assert attempts[["exits", "dies", "comma", "mute", "prints"]].tolist() == [2, 2, 1, 1, 1]


def test_the_last_lines_of_its_error_output_are_on_every_page(kinds):
    outcome, _, logs = kinds
    (failure,) = (each for each in outcome.failures if each.reason == REASONS["exits"])
    assert "ValueError: no data" in failure.where and failure.log == logs["exits"]
    assert REASONS["exits"] in (outcome.folder / "README.md").read_text()


def test_what_it_prints_is_its_log_whose_size_is_limited(kinds):
    _, _, logs = kinds
    assert logs["prints"].read_text() == "epoch 1 y: 0.1\nepoch 2 y: 0.2\nepoch 3 y: 0.3\n"
    assert " bytes are left out here ...]\n" in logs["fills"].read_text() and logs["fills"].stat().st_size < 1.1 * 2**20


def test_its_code_is_on_record_and_a_change_is_noticed(kinds, monkeypatch, capsys):
    outcome, *_ = kinds
    monkeypatch.chdir(outcome.folder.parents[1])
    (code,) = read_study(outcome.folder)["codes"].values()
    assert list(code["modules"]) == ["kinds.sh"]
    Path("kinds.sh").write_text(f"{KINDS}# changed")
    point = kinds[1]["point"]["prints"]
    words = ["--check", "launcher=inline", "tracker=none", *lacked("kinds", point)]
    assert run(["replay", f"kinds/{point}/0", *words]) == 0
    out, _ = capsys.readouterr()
    assert "the code changed since the trial was trained (kinds.sh)" in out
    Path("kinds.sh").write_text(KINDS)
    record = json.loads((outcome.folder / "events" / f"{point}-0-0.jsonl").read_text().splitlines()[0])
    assert (
        "trainer.command=[sh,kinds.sh,'{kind}']" in record["overrides"] and "+args.kind=prints" in record["overrides"]
    )


REFUSED = {
    "not there": (["lr=choice(1,2)", "--", "no_such_program"], "trainer.command: no_such_program: no such program"),
    "twice": (["lr=choice(1,2)", "--", "sh", "--lr=3"], "args.lr: the command says --lr=3 already"),
    "placeholder": (["lr=choice(1,2)", "--", "sh", "{sed}"], "trainer.command: {sed}: nothing is filled in there"),
    "pattern": (["lr=choice(1,2)", "trainer.pattern=acc", "--", "sh"], "trainer.pattern = 'acc': needs a group"),
    "no source": (["lr=choice(1,2)", "trainer.pattern=null", "--", "sh"], "trainer.pattern = null and trainer.metr"),
    "of our loop": (["lr=choice(1,2)", "optimizer.lr=3", "--", "sh"], "optimizer.lr=3: a program does not read it"),
    "one trial": (["--", "no_such_program"], "trainer.command: no_such_program: no such program"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_a_line_and_exit_code_2_and_nothing_is_created(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words, message = REFUSED[name]
    assert run(["run", "launcher=inline", "tracker=none", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"hpsearch: {message}") and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


LOOP = """
echo $$ >> pids
trap 'exit 0' TERM
for e in 1 2 3 4 5 6 7 8; do echo "epoch $e y: 0.$e"; sleep 0.4; done
"""


class Driver:
    """A search in a process of its own, and what it has started."""

    def __init__(self, folder):
        words = ["x=range(0,100)", "--points", "4", "sampler=grid", "pruner=none", "objective.metric=y", "tracker=none"]
        words += [
            "launcher.workers=2",
            "study.name=loops",
            "study.confirm=0",
            "launcher.grace_sec=2",
            "--",
            "sh",
            "loop.sh",
        ]
        (folder / "loop.sh").write_text(LOOP)
        (folder / "pids").unlink(missing_ok=True)
        self.folder = folder
        with (folder / "out").open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hpsearch", "run", *words], cwd=folder, stdout=out, stderr=out
            )

    def wait_for(self, programs):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(self.pids()) < programs and self.process.poll() is None:
            time.sleep(0.05)
        assert len(self.pids()) >= programs, self.said()
        return self.pids()

    def said(self):
        return (self.folder / "out").read_text()

    def pids(self):
        file = self.folder / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def workers(self):
        below = psutil.Process(self.process.pid).children()
        return [each for each in below if any("hpsearch.launch.worker" in word for word in each.cmdline())]


def living(pids):
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def all_gone(pids):
    deadline = time.monotonic() + 5
    while living(pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not living(pids)


@pytest.mark.long
@pytest.mark.fault
def test_no_program_outlives_its_worker_or_its_driver_and_the_search_goes_on(tmp_path, monkeypatch):
    driver = Driver(tmp_path)
    first = driver.wait_for(2)
    driver.workers()[0].kill()
    three = driver.wait_for(3)
    assert len(living(first)) == 1
    driver.process.kill()
    driver.process.wait()
    assert all_gone(three)

    driver = Driver(tmp_path)
    again = driver.wait_for(2)
    time.sleep(0.5)
    driver.process.send_signal(signal.SIGINT)
    assert driver.process.wait(60) == 130 and all_gone(again), driver.said()

    driver = Driver(tmp_path)
    assert driver.process.wait(60) == 0 and all_gone(driver.pids()), driver.said()
    monkeypatch.chdir(tmp_path)
    assert set(load_trials("loops")["state"]) == {TrialState.COMPLETE}
    assert load_curves("loops").groupby("point")["epoch"].apply(list).tolist() == [[*range(1, 9)]] * 4
