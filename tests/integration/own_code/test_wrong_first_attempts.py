"""What people write at first, as it runs in a worker process: what is said of it, and what is left behind."""

import io
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from hpsearch import load_trials, run_search
from hpsearch.base.files import LOG
from hpsearch.terminal.summary import show_study

LINES = 200_000


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(function, points=1):
    options = {"objective": "y", "sampler": "random", "pruner": "none", "tracker": "none", "name": "s"}
    return run_search(
        function, space={"x": "interval(0, 1)"}, points=points, overrides=["launcher.workers=1"], **options
    )


def log_of(trial="0-0-0") -> str:
    file = Path("studies", "s", "trials", trial, LOG)
    return file.read_text() if file.exists() else ""


def an_error_of_several_lines(x):
    print("before")
    yield {"y": x}
    raise ValueError("\nthe shapes do not fit:\n  (3, 4) and\n  (5,)")


def sys_exit(x):
    if x >= 0:
        sys.exit("no data in ./data")
    return x


def many_lines(x):
    for line in range(LINES):
        print("line", line)
    return x


def a_pool(x):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(abs, [-x, x])) / 2


def a_left_thread(x):
    threading.Thread(target=threading.Event().wait, name="the loader").start()
    return x


def a_left_program(x):
    subprocess.run(["echo", "here"], check=True)
    child = subprocess.Popen(["sleep", "600"])
    return {"y": x, "pid": child.pid}


def another_folder(x):
    before = Path.cwd()
    os.chdir("/")
    return {"y": x, "here": float(before != Path("/"))}


def failed(reason, *rest):
    def check(outcome):
        (failure,) = outcome.failures
        assert outcome.exit_code == 1 and (failure.trial, failure.reason, failure.trials) == ("0/0", reason, 1)
        assert failure.traceback in log_of() and failure.log == outcome.folder / "trials" / "0-0-0" / LOG
        stream = io.StringIO()
        show_study(outcome, "again", stream)
        pages = [stream.getvalue(), (outcome.folder / "README.md").read_text(), outcome.report.read_text()]
        pages[1] = pages[1].replace("\\", "")
        for page in pages:
            assert reason in page and "trials/0-0-0/log.txt" in page, page
            assert f"in {rest[0]}: " in page
        for text in rest[1:]:
            assert text in log_of()

    return check


def much_is_cut(outcome):
    kept = log_of()
    assert kept.startswith("line 0\nline 1\n") and kept.endswith(f"line {LINES - 2}\nline {LINES - 1}\n")
    assert " bytes are left out here ...]\n" in kept and 1_000_000 < len(kept) <= 2**20 + 100


def ends_with_its_worker(outcome):
    pid = int(load_trials("s")["pid"].max())
    assert "here" in log_of() and not (psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie")


ATTEMPTS = {
    an_error_of_several_lines: failed(
        "ValueError: the shapes do not fit:", "an_error_of_several_lines", "before\n", "  (3, 4) and\n  (5,)\n"
    ),
    sys_exit: failed("SystemExit: no data in ./data", "sys_exit"),
    many_lines: much_is_cut,
    a_pool: lambda outcome: None,
    a_left_thread: lambda outcome: log_of().index("[the trial has ended, its thread the loader goes on]"),
    a_left_program: ends_with_its_worker,
}


@pytest.mark.parametrize("function", ATTEMPTS, ids=lambda function: function.__name__)
def test_a_wrong_first_attempt(function, capfd):
    outcome = search(function)
    trials = load_trials("s")
    assert outcome.failures or (outcome.exit_code == 0 and trials["y"].tolist() == pytest.approx(trials["args.x"]))
    ATTEMPTS[function](outcome)
    assert "line " not in capfd.readouterr().out


def test_a_trial_that_goes_to_another_folder_takes_no_other_along(here):
    search(another_folder, points=2)
    assert load_trials("s")["here"].tolist() == [1.0, 1.0]
    assert not log_of() and Path.cwd() == here
