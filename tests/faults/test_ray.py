"""Nodes of a cluster that come, go, and do not see the driver's folders."""

import importlib
import os
import signal
from pathlib import Path

import pytest

from hpsearch.base.files import LOG
from hpsearch.base.types import Decision, TrialId, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Reported
from hpsearch.launch.ray import launcher as of_launcher
from hpsearch.launch.ray.gateway import Gateway
from hpsearch.launch.ray.launcher import RayLauncher
from tests.support import trial_functions
from tests.support.ray_cluster import add_node, ray_cluster
from tests.support.waiting import events_until, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.fault]


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(1, 1) as cluster:
        yield cluster


def spec(folder, point=0, function="counts_on", attempt=1, **config):
    place = Path(folder, "studies", "s", "trials", f"{point}-0-0")
    return TrialSpec(
        "s", TrialId(point, 0), {"epochs": 3, "function": function} | config, {}, (), "key", str(place), attempt
    )


def started(launcher):
    launcher.start(trial_functions.by_name)
    return launcher


def has_ended(events):
    return any(isinstance(event, (Ended, Died)) for event in events)


@pytest.fixture
def launcher(cluster):
    launcher = started(RayLauncher(cluster.address, workers=2))
    yield launcher
    launcher.stop(now=True)


@pytest.fixture
def unseen(cluster, monkeypatch):
    """Workers that take the driver's folder for one that they do not see."""
    token = Gateway.token
    monkeypatch.setattr(Gateway, "token", lambda self, folder: (token(self, folder)[0], "another"))
    launcher = started(RayLauncher(cluster.address, workers=2))
    events_until(launcher, lambda events: len(launcher.free()) == 2)
    yield launcher
    launcher.stop(now=True)


def test_files_come_back_before_the_end_is_told_where_the_folder_is_not_seen(unseen, tmp_path):
    trial = spec(tmp_path)
    unseen.submit(0, (trial,))
    events = events_until(unseen, has_ended)
    assert Path(trial.folder, "count").read_text() == "3"
    assert "goes on from 0" in Path(trial.folder, LOG).read_text()
    there = events[0].message.facts["folder"]
    assert there != trial.folder
    assert events[-1].result.state is TrialState.COMPLETE
    wait_until(lambda: not Path(there).exists(), said=lambda: "the node keeps what it sent")


def test_a_paused_trial_goes_on_from_its_files_on_another_node(unseen, tmp_path):
    def pause(event):
        if isinstance(event, Reported):
            unseen.decide(event.trial, Decision.PAUSE)

    unseen.submit(0, (spec(tmp_path, epochs=500, epoch_sec=0.05),))
    first = events_until(unseen, has_ended, pause)
    assert first[-1].result.state is TrialState.PAUSED
    done = int(Path(spec(tmp_path).folder, "count").read_text())
    unseen.submit(1, (spec(tmp_path, epochs=done + 2, attempt=2),))
    second = events_until(unseen, has_ended)
    assert second[0].message.epoch == done
    assert [event.message.epoch for event in second[1:-1]] == [done + 1, done + 2]
    assert Path(spec(tmp_path).folder, "count").read_text() == str(done + 2)
    assert Path(spec(tmp_path).folder, LOG).read_text().count("goes on from") == 2


def test_a_trial_that_waits_in_memory_keeps_the_files_that_it_has_open(unseen, tmp_path):
    lines = Path(spec(tmp_path).folder, "lines")
    for attempt, state, text in (
        (1, TrialState.PAUSED, "attempt 1\n"),
        (2, TrialState.COMPLETE, "attempt 1\nattempt 2\n"),
    ):
        unseen.submit(0, (spec(tmp_path, function="waits_with_an_open_file", attempt=attempt),))
        assert events_until(unseen, has_ended)[-1].result.state is state
        assert lines.read_text() == text


def test_what_an_attempt_that_the_driver_does_not_know_left_on_a_node_is_not_used(unseen, tmp_path):
    unseen.submit(0, (spec(tmp_path),))
    events_until(unseen, has_ended)
    Path(spec(tmp_path).folder, "count").write_text("1")
    unseen.submit(0, (spec(tmp_path, attempt=2),))
    assert events_until(unseen, has_ended)[0].message.epoch == 1


def test_a_decision_that_is_sent_before_the_files_have_come_is_not_lost(unseen, tmp_path):
    unseen.submit(0, (spec(tmp_path, epochs=10_000, epoch_sec=0.01),))
    unseen.decide(TrialId(0, 0), Decision.STOP)
    events = events_until(unseen, has_ended)
    assert events[-1].result.state is TrialState.PRUNED


def test_where_the_folder_is_seen_the_trial_works_in_it(launcher, tmp_path):
    events_until(launcher, lambda events: len(launcher.free()) == 2)
    launcher.submit(0, (spec(tmp_path),))
    events = events_until(launcher, has_ended)
    assert events[0].message.facts["folder"] == spec(tmp_path).folder
    beside = tmp_path / "studies" / "s" / "trials"
    assert [path.name for path in beside.iterdir() if path.name.startswith("seen")]
    launcher.stop()
    assert [path.name for path in beside.iterdir()] == ["0-0-0"]


@pytest.mark.parametrize(
    ("fault", "detail"), [("print_and_be_killed", "was killed by SIGKILL"), ("crash", "was killed by SIGSEGV")]
)
def test_a_worker_that_dies_says_how_and_where_and_its_slot_works_again(launcher, tmp_path, fault, detail):
    events_until(launcher, lambda events: len(launcher.free()) == 2)
    launcher.submit(0, (spec(tmp_path, 1, "train", at={1: fault}),))
    died = events_until(launcher, has_ended)[-1]
    assert isinstance(died, Died)
    assert (died.slot, died.trials) == (0, (TrialId(1, 0),))
    assert detail in died.detail
    assert " of node " in died.detail
    if fault == "print_and_be_killed":
        assert died.detail.splitlines()[-2:] == ["something about the input", "and to stderr"]
    events_until(launcher, lambda events: len(launcher.free()) == 2)
    launcher.submit(0, (spec(tmp_path, 2),))
    assert events_until(launcher, has_ended)[-1].result.state is TrialState.COMPLETE


def test_an_actor_that_is_killed_costs_its_trials_an_attempt_and_leaves_no_worker(launcher, tmp_path):
    events_until(launcher, lambda events: len(launcher.free()) == 2)
    launcher.submit(1, (spec(tmp_path, 1, "train", epochs=10_000, epoch_sec=0.01),))
    events = events_until(launcher, lambda events: events)
    worker = events[0].message.facts["pid"]
    os.kill(parent_of(worker), signal.SIGKILL)
    died = events_until(launcher, has_ended)[-1]
    assert (died.slot, died.trials) == (1, (TrialId(1, 0),))
    assert "is lost" in died.detail
    events_until(launcher, lambda events: len(launcher.free()) == 2)
    events_until(launcher, lambda events: not is_alive(worker))
    launcher.submit(1, (spec(tmp_path, 2),))
    assert events_until(launcher, has_ended)[-1].result.state is TrialState.COMPLETE


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


def test_two_hundred_queued_trials_end_once_each(launcher, tmp_path):
    queued = [spec(tmp_path, point, "train", epochs=1) for point in range(200)]

    def ended(events):
        for slot in launcher.free():
            if queued:
                launcher.submit(slot, (queued.pop(0),))
        return sorted(event.trial.point for event in events if isinstance(event, Ended))

    events = events_until(launcher, lambda events: len(ended(events)) == 200)
    assert ended(events) == list(range(200))


def test_slots_without_a_node_wait_for_one_and_one_that_is_lost_gives_its_trial_back(tmp_path):
    with ray_cluster(1) as cluster:
        launcher = started(RayLauncher(cluster.address, workers=2))
        try:
            events_until(launcher, lambda events: launcher.free())
            (here,) = launcher.free()
            node = add_node(cluster, 1)
            events_until(launcher, lambda events: len(launcher.free()) == 2)
            (there,) = {0, 1} - {here}
            launcher.submit(there, (spec(tmp_path, 1, "train", epochs=10_000, epoch_sec=0.01),))
            events_until(launcher, lambda events: len(events) > 2)
            cluster.remove_node(node, allow_graceful=False)
            died = [event for event in events_until(launcher, has_ended) if isinstance(event, Died)]
            assert [(event.slot, event.trials) for event in died] == [(there, (TrialId(1, 0),))]
            assert launcher.free() == (here,)
            launcher.submit(here, (spec(tmp_path, 1, attempt=2),))
            assert events_until(launcher, has_ended)[-1].result.state is TrialState.COMPLETE
            add_node(cluster, 1)
            events_until(launcher, lambda events: len(launcher.free()) == 2)
        finally:
            launcher.stop(now=True)


def test_a_package_of_the_users_is_sent_to_a_machine_that_sees_no_folder_of_the_driver(cluster, tmp_path, monkeypatch):
    (tmp_path / "sent_package").mkdir()
    (tmp_path / "sent_package" / "__init__.py").write_text("def answer(): return 42\n\n\ndef execute(specs): yield\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(of_launcher, "place", lambda folder: (folder, (0, 0)))
    package = importlib.import_module("sent_package")
    launcher = RayLauncher(cluster.address, workers=1, plugins=("sent_package",))
    launcher.start(package.execute)
    try:
        assert launcher.call(package.answer) == 42
        assert launcher.call(os.getcwd) != str(Path.cwd())
    finally:
        launcher.stop(now=True)


def test_an_idle_slot_gives_its_node_back_and_is_wanted_again_when_the_others_are_busy(cluster, tmp_path):
    launcher = started(RayLauncher(cluster.address, workers=2, idle_sec=1.0))
    try:
        events_until(launcher, lambda events: launcher._asleep)
        (slot,) = launcher.free()
        other = started(RayLauncher(cluster.address, workers=1))
        assert other.call(trial_functions.add, 1, 2) == 3
        other.stop()
        launcher.submit(slot, (spec(tmp_path, 1, "train", epochs=10_000, epoch_sec=0.01),))
        events_until(launcher, lambda events: launcher.free())
        assert launcher.free() != (slot,)
    finally:
        launcher.stop(now=True)
