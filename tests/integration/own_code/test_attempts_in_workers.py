"""What people write at first that needs a process of its own: the cells of one search with two workers."""

import io
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch

from hpsearch import load_trials, run_search
from hpsearch.base.files import LOG
from hpsearch.base.types import TrialState
from hpsearch.terminal.summary import show_study

LINES = 200_000


def leaves():
    sys.exit("no data in ./data")


def an_error_of_several_lines():
    print("before")
    raise ValueError("\nthe shapes do not fit:\n  (3, 4) and\n  (5,)")


def many_lines():
    for line in range(LINES):
        print("line", line)


def a_pool():
    with multiprocessing.Pool(2) as pool:
        assert pool.map(abs, [-1, 1]) == [1, 1]


def a_pool_of_futures():
    with ProcessPoolExecutor(1) as pool:
        assert list(pool.map(abs, [-1, 1])) == [1, 1]


def a_left_thread():
    threading.Thread(target=threading.Event().wait, name="the loader").start()


def a_left_program():
    subprocess.run(["echo", "here"], check=True)
    return subprocess.Popen(["sleep", "600"]).pid


def defaults():
    torch.set_default_device("meta")
    torch.set_default_dtype(torch.float64)


def another_folder():
    os.chdir("/")


def interrupts_itself():
    raise KeyboardInterrupt


def ends_its_process():
    os._exit(3)


KINDS = (
    an_error_of_several_lines, many_lines, a_pool, a_pool_of_futures, a_left_thread, a_left_program, defaults,
    another_folder, leaves, interrupts_itself, ends_its_process,
)  # fmt: skip


def attempt(kind):
    assert torch.zeros(1).device.type == "cpu" and torch.get_default_dtype() is torch.float32, "as another left it"
    assert Path.cwd() != Path("/"), "where another went"
    return {"y": 1.0, "pid": globals()[kind]() or 0}


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    """One search with two workers, a cell for each kind; its outcome, and its rows and logs by kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("attempts"))
        outcome = run_search(
            attempt, space={"kind": [each.__name__ for each in KINDS]}, sampler="grid", pruner="none", objective="y",
            tracker="none", overrides=["launcher.workers=2", "budget.failures=null", "launcher.retries=0"],
        )  # fmt: skip
        rows = load_trials("attempt").set_index("args.kind")
    logs = {}
    for kind, row in rows.iterrows():
        file = outcome.folder / "trials" / f"{row['point']}-0-0" / LOG
        logs[kind] = file.read_text() if file.exists() else ""
    return outcome, rows, logs


FAILED = {
    "an_error_of_several_lines": ("ValueError: the shapes do not fit:", "  (3, 4) and\n  (5,)\n"),
    "leaves": ("SystemExit: no data in ./data", "SystemExit: no data in ./data"),
    "interrupts_itself": ("KeyboardInterrupt", "KeyboardInterrupt\n"),
}


def test_others_complete_and_leave_nothing_to_those_behind_them(attempts):
    outcome, rows, _ = attempts
    failed = {*FAILED, "ends_its_process"}
    assert outcome.exit_code == 1 and set(rows[rows["state"] == TrialState.FAILED].index) == failed
    assert set(rows[rows["state"] == TrialState.COMPLETE].index) == {each.__name__ for each in KINDS} - failed
    died = rows["reason"]["ends_its_process"]
    assert died.startswith("its worker died: worker process ") and died.endswith(" ended with exit code 3")


@pytest.mark.parametrize("kind", FAILED)
def test_its_error_is_on_every_page_and_in_its_log(kind, attempts):
    outcome, rows, logs = attempts
    reason, logged = FAILED[kind]
    (failure,) = (each for each in outcome.failures if each.reason == reason)
    assert (failure.trial, failure.trials) == (f"{rows['point'][kind]}/0", 1) and failure.traceback in logs[kind]
    assert logged in logs[kind] and failure.log == outcome.folder / "trials" / f"{rows['point'][kind]}-0-0" / LOG
    readme = (outcome.folder / "README.md").read_text().replace("\\", "")
    pages = [readme, outcome.report.read_text()]
    if failure == outcome.failures[0]:
        show_study(outcome, "again", stream := io.StringIO())
        pages.append(stream.getvalue())
    for page in pages:
        assert reason in page and f"trials/{rows['point'][kind]}-0-0/log.txt" in page and f"in {kind}: " in page


def test_of_much_that_is_printed_the_middle_is_left_out(attempts):
    kept = attempts[2]["many_lines"]
    assert kept.startswith("line 0\nline 1\n") and kept.endswith(f"line {LINES - 2}\nline {LINES - 1}\n")
    assert " bytes are left out here ...]\n" in kept and 1_000_000 < len(kept) <= 2**20 + 100


def test_a_thread_that_is_left_is_said_and_a_program_ends_with_its_worker(attempts):
    _, rows, logs = attempts
    assert "[the trial has ended, its thread the loader goes on]" in logs["a_left_thread"]
    pid = int(rows["pid"]["a_left_program"])
    assert logs["a_left_program"] == "here\n"
    assert not (psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie")
