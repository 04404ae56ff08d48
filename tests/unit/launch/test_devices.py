import os

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.launch.devices import parse_listing, usable_cores, visible_gpus, worker_count, worker_environment
from hpsearch.launch.inline import InlineLauncher
from hpsearch.launch.processes import ProcessLauncher

TWO_GPUS = """\
GPU 0: NVIDIA H200 (UUID: GPU-0b0a)
GPU 1: NVIDIA H200 (UUID: GPU-11c2)
"""
SLICED_GPU = """\
GPU 0: NVIDIA H200 (UUID: GPU-0b0a)
  MIG 1g.18gb     Device  0: (UUID: MIG-aa11)
  MIG 1g.18gb     Device  1: (UUID: MIG-bb22)
"""
ONE_WHOLE = SLICED_GPU + "GPU 1: NVIDIA H200 (UUID: GPU-11c2)\n"
BEFORE_IT = "GPU 0: NVIDIA H200 (UUID: GPU-11c2)\n" + SLICED_GPU.replace("GPU 0", "GPU 1")


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("", ()),
        (TWO_GPUS, ("0", "1")),
        (SLICED_GPU, ("MIG-aa11", "MIG-bb22")),
        (ONE_WHOLE, ("MIG-aa11", "MIG-bb22", "GPU-11c2")),
        (BEFORE_IT, ("GPU-11c2", "MIG-aa11", "MIG-bb22")),
    ],
)
def test_devices_are_read_from_the_listing(text, devices):
    assert parse_listing(text) == devices


@pytest.mark.parametrize(
    ("value", "devices"),
    {
        "": (),
        "-1": (),
        "NoDevFiles": (),
        "2,3": ("2", "3"),
        " 3 , 2 ": ("3", "2"),
        "MIG-aa11": ("MIG-aa11",),
        "MIG-GPU-0b0a/1/0,GPU-11c2": ("MIG-GPU-0b0a/1/0", "GPU-11c2"),
        "0,-1,1": ("0",),
        "0,,1": ("0",),
        "0,0": (),
    }.items(),
)
def test_devices_the_user_chose_are_kept(value, devices):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": value}) == devices


def test_listing_is_asked_of_nvidia_smi(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat <<END\n{TWO_GPUS}END\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert visible_gpus({}) == ("0", "1")


def test_driver_that_does_not_answer_means_no_gpu(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: broken'\nexit 9\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert visible_gpus({}) == ()


def test_auto_means_one_worker_per_gpu():
    assert worker_count("auto", 4, ("0", "1", "2")) == 3


def test_auto_shares_the_usable_cores():
    assert worker_count("auto", 1, ()) == usable_cores()
    assert worker_count("auto", 10_000, ()) == 1


def test_usable_cores_stay_within_the_affinity_mask():
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(
    ("workers", "threads", "message"),
    [
        (0, 1, r"^launcher\.workers=0: it must be auto or a whole number from 1$"),
        ("many", 1, r"^launcher\.workers=many: "),
        (1.5, 1, r"^launcher\.workers=1\.5: "),
        (True, 1, r"^launcher\.workers=True: "),
        (1, 0, r"^launcher\.threads=0: it must be a whole number from 1$"),
        (1, "auto", r"^launcher\.threads=auto: "),
    ],
)
def test_bad_numbers_are_refused(workers, threads, message):
    with pytest.raises(ConfigError, match=message):
        worker_count(workers, threads, ())


def test_worker_gets_its_threads_and_its_gpu():
    environments = [worker_environment(slot, 2, ("0", "5")) for slot in range(3)]
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in environments] == ["0", "5", "0"]
    assert {environment["OMP_NUM_THREADS"] for environment in environments} == {"2"}
    assert environments[0]["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("share", "seen"),
    [
        (1, ["0", "5", "7"]),
        (0.5, ["0", "5", "7", "0", "5", "7"]),
        (0.33, ["0", "5", "7"] * 3),
        (2, ["0,5"]),
        (3, ["0,5,7"]),
    ],
)
def test_workers_share_gpus_or_see_several(share, seen):
    gpus = ("0", "5", "7")
    assert worker_count("auto", 1, gpus, share) == len(seen)
    found = [worker_environment(slot, 1, gpus, share)["CUDA_VISIBLE_DEVICES"] for slot in range(len(seen) + 1)]
    assert found == [*seen, seen[0]]


def test_shares_without_gpus_are_of_no_account():
    assert worker_count("auto", 10_000, (), 0.25) == 1
    assert worker_count(3, 1, ("0",), 0.25) == 3


@pytest.mark.parametrize("make", [InlineLauncher, ProcessLauncher])
@pytest.mark.parametrize(
    ("share", "message"),
    [
        (0, r"^launcher\.gpus_per_trial = 0: must be a number in \(0, inf\)$"),
        (-1, r"^launcher\.gpus_per_trial = -1: must be a number"),
        (True, r"^launcher\.gpus_per_trial = True: must be a number"),
        (0.3, r"^launcher\.gpus_per_trial = 0\.3: must be a whole number of GPUs, or the share of one .*: \.5, \.33"),
        (1.5, r"^launcher\.gpus_per_trial = 1\.5: must be a whole number"),
        (3, r"^launcher\.gpus_per_trial=3: this machine has 2 CUDA devices$"),
    ],
)
def test_shares_that_no_worker_can_have_are_refused(make, share, message, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ConfigError, match=message):
        make(gpus_per_trial=share)


def test_slices_are_seen_one_by_one(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-aa11,MIG-bb22")
    with pytest.raises(ConfigError, match=r"one slice \(MIG\)"):
        ProcessLauncher(gpus_per_trial=2)


def test_workers_are_given_their_share(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert [ProcessLauncher(gpus_per_trial=share).slots for share in (0.25, 1, 2)] == [8, 2, 1]


def test_without_gpus_the_worker_sees_what_the_driver_sees(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert worker_environment(0, 1, ())["CUDA_VISIBLE_DEVICES"] == ""


def test_sets_of_texts_are_in_the_same_order_in_every_worker(monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    assert worker_environment(0, 1, ())["PYTHONHASHSEED"] == "0"
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert worker_environment(0, 1, ())["PYTHONHASHSEED"] == "7"
