"""What the launcher makes of what its jobs say, without a job."""

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.launch.base import Died
from hpsearch.launch.slot import Slot
from hpsearch.launch.slurm import launcher as module
from hpsearch.launch.slurm.jobs import Job, RemoteWorker
from hpsearch.launch.slurm.launcher import SlurmLauncher


def test_what_happens_while_a_call_waits_for_a_job_is_told_once(monkeypatch):
    launcher = SlurmLauncher(workers=1)
    job = Job(0, "Slurm job 7", lambda job: "")
    launcher._slots = [Slot(0, lambda index: None, RemoteWorker(job, 1, launcher._inbox))]
    up = iter([False, False, True])
    monkeypatch.setattr(SlurmLauncher, "_is_up", lambda self, slot: next(up))
    died = Died(0, (), "worker 1 of Slurm job 7: was killed")
    launcher._events = [died]
    launcher._wait_for_one()
    assert launcher.poll(0.0) == [died]


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ({"workers": 0}, r"^launcher\.workers=0: it must be a whole number from 1$"),
        ({"workers": "auto"}, r"^launcher\.workers=auto: it must be a whole number from 1$"),
        ({"threads": 1.5}, r"^launcher\.threads=1\.5: "),
        ({"time_min": True}, r"^launcher\.time_min=True: "),
        ({"notice_sec": 120, "time_min": 2}, r"^launcher\.notice_sec=120: launcher\.time_min=2 leaves no time$"),
        ({"gpus_per_trial": 0.3}, r"^launcher\.gpus_per_trial = 0\.3: must be a whole number of GPUs, or the share"),
    ],
)
def test_bad_numbers_are_refused(option, line):
    with pytest.raises(ConfigError, match=line):
        SlurmLauncher(**option)


@pytest.mark.parametrize(
    ("share", "cores", "gpus"), [(None, 3, 0), (0.25, 12, 1), (0.33, 9, 1), (0.5, 6, 1), (1, 3, 1), (2, 3, 2)]
)
def test_a_job_asks_for_what_its_workers_need(share, cores, gpus):
    needs = SlurmLauncher(workers=4, threads=3, gpus_per_trial=share)._needs
    assert (needs.cores, needs.gpus) == (cores, gpus)


@pytest.mark.parametrize(
    ("name", "executor", "found", "expected"),
    [
        ("auto", "local", "10.0.0.5", "127.0.0.1"),
        ("auto", "slurm", "10.0.0.5", "10.0.0.5"),
        ("auto", "slurm", "127.0.1.1", "10.9.9.9"),  # as Debian names a machine itself
        ("login7", "slurm", "10.0.0.7", "10.0.0.7"),
    ],
)
def test_jobs_are_told_an_address_that_they_reach(monkeypatch, name, executor, found, expected):
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (found, 0))])
    monkeypatch.setattr(module, "_control_host", lambda: "controller")
    monkeypatch.setattr(module, "_towards", lambda host: "10.9.9.9" if host == "controller" else "")
    assert module._address(name, executor) == expected


def test_an_address_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match=r"^launcher\.address=no\.such\.host\.invalid: this machine does not know"):
        module._address("no.such.host.invalid", "slurm")


@pytest.mark.parametrize("lockstep", [False, True])
def test_a_slot_whose_job_is_told_that_it_ends_is_free_no_more(lockstep):
    launcher = SlurmLauncher(workers=2, lockstep=lockstep)
    jobs = [Job(number, f"Slurm job {number}", lambda job: "") for number in range(2)]
    workers = [RemoteWorker(job, number, launcher._inbox) for number, job in enumerate(jobs)]
    launcher._slots = [Slot(index, lambda index: None, worker) for index, worker in enumerate(workers)]
    launcher._touched = {0, 1}
    for job in jobs:
        job._wire = object()
    assert launcher.free() == (0, 1)
    launcher._handle(workers[1], module.NOTICE, b"")
    assert launcher.free() == (() if lockstep else (0,))
