import os
import sys
from pathlib import Path

import pytest

import hpsearch
from hpsearch.base.types import TrialId, TrialSpec, TrialState
from hpsearch.launch.base import Ended
from hpsearch.launch.processes import ProcessLauncher
from tests.support import trial_functions


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    (tmp_path / "module_of_mine.py").write_text("def triple(x):\n    return 3 * x\n")
    monkeypatch.chdir(tmp_path)
    launcher = ProcessLauncher(workers=1, threads=3)
    launcher.start(trial_functions.train)
    yield launcher
    launcher.stop(now=True)


def test_worker_imports_nothing_heavy_of_its_own(launcher):
    modules = launcher.call(trial_functions.loaded_modules)
    assert "hpsearch.launch.worker" in modules
    heavy = {"torch", "numpy", "pandas", "mlflow", "optuna", "hydra", "omegaconf", "plotly", "rich", "psutil"}
    assert heavy.isdisjoint(modules)


def test_worker_preloads_what_the_trial_needs(launcher):
    assert launcher.call(trial_functions.environment, "PRELOADED") == "yes"
    assert "PRELOADED" not in os.environ


def test_working_folder_is_on_the_import_path_of_a_worker(launcher, tmp_path):
    path = launcher.call(trial_functions.import_path)
    assert str(tmp_path) in path[len(path) // 2 :]


def test_a_worker_takes_no_library_and_not_this_package_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    for name in ("other/hpsearch", "pickle", "random", "selectors"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "other"), *filter(None, sys.path)])
    launcher = ProcessLauncher(workers=1)
    launcher.start(trial_functions.train)
    assert launcher.call(trial_functions.home) == str(Path(hpsearch.__file__))
    launcher.stop(now=True)


def test_command_line_of_a_worker_is_that_of_the_program_without_arguments(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train it.py", "--lr", "3"])
    launcher = ProcessLauncher(workers=1)
    launcher.start(trial_functions.train)
    assert launcher.call(trial_functions.command_line) == ["train it.py"]
    launcher.stop(now=True)


def test_worker_computes_with_its_number_of_threads(launcher):
    assert launcher.call(trial_functions.environment, "OMP_NUM_THREADS") == "3"


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="Windows has no sessions")
def test_worker_leads_a_session_of_its_own(launcher):
    pid = launcher.call(os.getpid)
    assert launcher.call(os.getsid, 0) == pid != os.getsid(0)


@pytest.mark.parametrize("judged", [False, True])
def test_a_trial_fails_once_at_the_report_that_cannot_be_sent(tmp_path, judged):
    launcher, seen = ProcessLauncher(workers=1), []
    launcher.start(trial_functions.by_name)
    config = {"function": "reports_what_cannot_be_sent"}
    launcher.submit(0, (TrialSpec("study", TrialId(0, 0), config, {}, (), "key", str(tmp_path), judged=judged),))
    while not (seen and isinstance(seen[-1], Ended)):
        seen += launcher.poll(0.2)
    launcher.stop()
    *reports, end = seen
    assert [each.message.epoch for each in reports] == [1]
    assert end.result.state is TrialState.FAILED and "lambda" in end.result.reason


def test_temporary_log_folder_is_removed(launcher):
    folder = Path(launcher._temporary.name)
    launcher.call(print, "between two trials")
    launcher.stop()
    assert not folder.exists()


def test_what_a_worker_prints_between_trials_is_in_its_own_log(tmp_path):
    launcher = ProcessLauncher(workers=1, log_folder=tmp_path)
    launcher.start(trial_functions.train)
    launcher.call(print, "between two trials")
    launcher.stop()
    assert (tmp_path / "worker-0.log").read_text() == "between two trials\n"
