import os
import queue

import pytest

from hpsearch.launch import early
from hpsearch.launch.devices import worker_environment
from hpsearch.launch.processes import ProcessLauncher
from tests.support import trial_functions

MODULE = "tests.support.trial_functions"


@pytest.fixture(autouse=True)
def _nothing_waits():
    yield
    early.dismiss()


def started():
    early.start(MODULE)
    return early._waiting[0].worker


@pytest.mark.parametrize("workers", [1, 2])
def test_launcher_takes_the_worker_that_imports_already(tmp_path, workers):
    worker = started()
    launcher = ProcessLauncher(workers=workers, log_folder=tmp_path)
    launcher.start(trial_functions.train)
    assert launcher._slots[0].worker is worker and not early._waiting
    assert launcher.call(os.getpid) in {slot.worker.pid for slot in launcher._slots}
    launcher.stop()
    assert "exit code 0" in worker.exit_report()


def test_its_log_is_where_the_launcher_has_them(tmp_path):
    started()
    launcher = ProcessLauncher(workers=1, log_folder=tmp_path)
    launcher.start(trial_functions.train)
    launcher.call(print, "between two trials")
    launcher.stop()
    assert (tmp_path / "worker-0.log").read_text() == "between two trials\n"


@pytest.mark.parametrize(
    ("module", "changed"),
    [("hpsearch.trial.build", {}), (MODULE, {"OMP_NUM_THREADS": "3"}), (MODULE, {"CUDA_VISIBLE_DEVICES": "1"})],
)
def test_one_that_does_not_fit_is_killed(module, changed):
    worker = started()
    assert early.taken(module, worker_environment(0, 1, ()) | changed) is None
    assert worker.join(60) and not early._waiting


def test_one_that_nobody_took_is_killed():
    worker = started()
    early.dismiss()
    assert worker.join(60)
    assert early.taken(MODULE, worker_environment(0, 1, ())) is None


def test_it_is_taken_once():
    worker, environment = started(), worker_environment(0, 1, ())
    assert early.taken(MODULE, environment) is worker
    assert early.taken(MODULE, environment) is None
    worker.kill()
    assert worker.join(60)
    assert isinstance(worker.inbox, queue.SimpleQueue)
