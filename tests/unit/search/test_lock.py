import json
import multiprocessing
import os
import time
from contextlib import nullcontext

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.search.lock import owner, study_lock


def _hold(folder, ready):
    with study_lock(folder, "it"):
        ready.set()
        time.sleep(60)


def test_the_lock_names_its_holder_and_goes_with_a_killed_process(tmp_path):
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
    with study_lock(tmp_path, "it"):
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
