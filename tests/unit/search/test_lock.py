import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import psutil
import pytest

from hpsearch.base import lineage
from hpsearch.base.errors import StorageError
from hpsearch.search.lock import owner, study_lock


def _hold(folder, ready):
    with study_lock(folder, "it"):
        left = subprocess.Popen(
            [sys.executable, "-S", "-c", "import time; time.sleep(60)"],
            env=lineage.marked(os.environ, lineage.new_mark()),
            start_new_session=True,
        )
        (folder / "left").write_text(str(left.pid))
        ready.set()
        time.sleep(60)


def _is_gone(pid):
    """Return whether a process that nobody here waits for ends within a moment."""
    for _ in range(1000):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return False


def test_the_lock_names_its_holder_and_goes_with_a_killed_process_of_which_nothing_stays(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    try:
        assert ready.wait(30)
        with (
            pytest.raises(StorageError, match=f"is running already .process {holder.pid} on"),
            study_lock(tmp_path, "it"),
        ):
            pass
    finally:
        holder.kill()
        holder.join()
    left = int((tmp_path / "left").read_text())
    assert psutil.Process(left).status() != psutil.STATUS_ZOMBIE
    with study_lock(tmp_path, "it"):
        assert _is_gone(left)
        assert json.loads((tmp_path / "owner.json").read_text())["pid"] == os.getpid()


def test_owner_tells_two_lives_of_one_process_number_apart():
    assert set(owner()) == {"host", "boot", "pid", "started"}
    assert owner() == owner()


@pytest.mark.parametrize("what", ["removed", "taken by another", "moved"])
def test_whoever_lost_the_lock_is_told_before_it_writes(tmp_path, what):
    folder = tmp_path / "study"
    folder.mkdir()
    with study_lock(folder, "it") as guard:
        guard()
        if what == "moved":
            folder.rename(tmp_path / "elsewhere")
        else:
            (folder / "lock").unlink()
        with study_lock(folder, "it") if what == "taken by another" else nullcontext() as other:
            with pytest.raises(StorageError, match=r"^it: .*lock was removed or its folder moved while it ran"):
                guard()
            if other is not None:
                other()
