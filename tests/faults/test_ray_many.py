"""More workers than a cluster has room for: they wait, and cost nothing while they do."""

import time

import pytest

from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.launch.base import Ended
from hpsearch.launch.ray import worker as of_worker
from hpsearch.launch.ray.launcher import RayLauncher
from tests.support import trial_functions
from tests.support.ray_cluster import ray_cluster

pytestmark = [pytest.mark.ray, pytest.mark.fault]
PATIENCE_SEC = 60.0


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(2) as cluster:
        yield cluster


@pytest.fixture
def launcher(cluster, monkeypatch):
    monkeypatch.setattr(of_worker, "_GONE_SEC", PATIENCE_SEC)
    launcher = RayLauncher(cluster.address, workers=6, idle_sec=1.0)
    launcher.start(trial_functions.train)
    while len(launcher.free()) < 2:
        launcher.poll(0.5)
    yield launcher
    launcher.stop(now=True)


def spec(folder, point, **config):
    where = str(folder / "s" / "trials" / f"{point}-0-0")
    return TrialSpec("s", TrialId(point, 0), {"epochs": 2, "epoch_sec": 0.1} | config, {}, (), f"key{point}", where)


def test_workers_that_no_node_has_room_for_are_not_waited_for_at_the_end(launcher):
    began = time.monotonic()
    launcher.stop(now=True)
    assert time.monotonic() - began < PATIENCE_SEC


def test_workers_that_have_given_their_node_back_are_not_waited_for_and_not_asked_for_at_the_end(launcher):
    while len(launcher._asleep) < 5:
        launcher.poll(0.5)
    told = []
    gateway = launcher._gateway
    take, gateway._take = gateway._take, lambda name, news: (told.append(name), take(name, news))
    began = time.monotonic()
    launcher.stop(now=True)
    assert time.monotonic() - began < PATIENCE_SEC
    assert "up" not in told


def test_workers_that_wait_go_on_waiting_while_one_trial_follows_another(launcher, tmp_path):
    point, ended = 0, 0
    began = time.monotonic()
    while ended < 12 or time.monotonic() < began + 4:
        for slot in launcher.free():
            launcher.submit(slot, (spec(tmp_path, point),))
            point += 1
        ended += sum(isinstance(event, Ended) for event in launcher.poll(0.5))
        assert not launcher._asleep


def test_the_last_free_worker_keeps_its_node_while_the_others_train(launcher, tmp_path):
    first, second = launcher.free()
    launcher.submit(first, (spec(tmp_path, 1, epochs=10_000),))
    began = time.monotonic()
    while time.monotonic() < began + 3:
        launcher.poll(0.5)
    assert launcher.free() == (second,)
    assert first not in launcher._asleep
    assert second not in launcher._asleep
