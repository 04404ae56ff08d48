"""Where a study ran, and the load of the machine."""

import platform
import subprocess
from types import SimpleNamespace

import pytest

from hpsearch.tracking.machine import SystemSampler, environment, git_state


def _git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    _git(tmp_path, "init", "-b", "main")
    (tmp_path / "code.py").write_text("1")
    _git(tmp_path, "add", "code.py")
    _git(tmp_path, "commit", "-m", "one")
    return tmp_path


def test_a_checkout_has_commit_branch_and_state(checkout):
    clean = git_state(checkout)
    assert len(clean["commit"]) == 40
    assert (clean["branch"], clean["dirty"]) == ("main", False)
    (checkout / "results.csv").write_text("what a run writes does not make the code another")
    assert git_state(checkout) == clean
    (checkout / "code.py").write_text("2")
    assert git_state(checkout) == {**clean, "dirty": True}


def test_no_checkout_and_no_git_are_no_error(tmp_path, monkeypatch):
    assert git_state(tmp_path) == {}
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) == {}


def test_the_environment_names_software_and_machine():
    found = environment()
    assert found["python"] == platform.python_version()
    assert {"torch", "optuna", "mlflow", "host", "cpu", "cores", "memory_mib"} <= set(found)


def test_samples_are_taken_at_their_own_pace():
    sampler = SystemSampler(every_sec=5)
    first = sampler.sample(100.0)
    assert first is not None
    assert sampler.sample(104.9) is None
    assert sampler.sample(105.0) is not None
    assert all(key.startswith("system/") and isinstance(value, float) for key, value in first.items())
    assert 0 <= first["system/memory_percent"] <= 100


def test_network_and_disk_count_from_the_start(monkeypatch):
    counters = {"sent": 5 * 2**20, "received": 2**20, "written": 7 * 2**20}
    monkeypatch.setattr(
        "psutil.net_io_counters",
        lambda: SimpleNamespace(bytes_sent=counters["sent"], bytes_recv=counters["received"]),
    )
    monkeypatch.setattr("psutil.disk_io_counters", lambda: SimpleNamespace(write_bytes=counters["written"]))
    sampler = SystemSampler()
    counters |= {"sent": 8 * 2**20, "received": 3 * 2**20, "written": 11 * 2**20}
    load = sampler.sample(0.0)
    assert (load["system/network_mib"], load["system/disk_write_mib"]) == (5.0, 4.0)
