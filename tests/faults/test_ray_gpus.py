"""GPUs of a cluster's nodes, which are only named here: which of them each worker sees."""

from collections import Counter
from pathlib import Path

import pytest

from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.launch.base import Reported
from hpsearch.launch.ray.launcher import RayLauncher
from tests.support import trial_functions
from tests.support.ray_cluster import add_node, ray_cluster

pytestmark = [pytest.mark.ray, pytest.mark.fault]


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(0) as cluster:
        add_node(cluster, 8, gpus=4)
        yield cluster


def seen(cluster, folder, expected, **options):
    """Return what each of several workers sees, once so many train, and how many have no node."""
    launcher = RayLauncher(cluster.address, **options)
    launcher.start(trial_functions.train)
    try:
        pids: dict[int, int] = {}
        while len(pids) < expected:
            for slot in launcher.free():
                where = str(folder / "s" / "trials" / f"{slot}-0-0")
                config = {"epochs": 10_000, "epoch_sec": 0.05}
                launcher.submit(slot, (TrialSpec("s", TrialId(slot, 0), config, {}, (), f"key{slot}", where),))
            for event in launcher.poll(0.5):
                if isinstance(event, Reported) and getattr(event.message, "facts", None):
                    pids[event.trial.point] = event.message.facts["pid"]
        assert launcher.free() == ()
        return Counter(map(visible, pids.values())), launcher.slots - len(pids)
    finally:
        launcher.stop(now=True)


def visible(pid):
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(word.decode().partition("=")[::2] for word in words)["CUDA_VISIBLE_DEVICES"]


def test_workers_that_share_a_gpu_see_it_alone(cluster, tmp_path):
    gpus, waiting = seen(cluster, tmp_path, 6, workers=6, gpus_per_trial=0.5)
    assert set(gpus) <= {"0", "1", "2", "3"}
    assert max(gpus.values()) == 2
    assert (gpus.total(), waiting) == (6, 0)


def test_a_worker_sees_its_two_gpus_and_one_that_none_are_left_for_waits(cluster, tmp_path):
    gpus, waiting = seen(cluster, tmp_path, 2, workers=3, gpus_per_trial=2)
    assert gpus == {"0,1": 1, "2,3": 1}
    assert waiting == 1
