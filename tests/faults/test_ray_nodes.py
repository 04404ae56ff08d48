"""What every node of a cluster must show before it trains, and what it is sent for that."""

from pathlib import Path

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.sent import SentFile
from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.launch.base import Ended
from hpsearch.launch.ray import launcher as of_launcher
from hpsearch.launch.ray.launcher import RayLauncher
from tests.support import trial_functions
from tests.support.ray_cluster import add_node, ray_cluster
from tests.support.waiting import events_until

pytestmark = [pytest.mark.ray, pytest.mark.fault]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes, which a variable tells apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_IS", "first")
        with ray_cluster(1) as cluster:
            patch.setenv("NODE_IS", "second")
            add_node(cluster, 1)
            yield cluster


@pytest.fixture
def launcher(cluster):
    launcher = RayLauncher(cluster.address, workers=2)
    launcher.start(trial_functions.train)
    yield launcher
    launcher.stop(now=True)


def both_are_free(launcher):
    events_until(launcher, lambda events: len(launcher.free()) == 2)


def test_a_node_that_answers_otherwise_than_the_first_is_refused_by_name(launcher):
    here = launcher.call(trial_functions.environment, "NODE_IS")
    asked = []

    def unlike(there):
        asked.append(there)
        return "" if there == here else f"it is {there}"

    launcher.everywhere(trial_functions.environment, "NODE_IS", unlike=unlike)
    other = ({"first", "second"} - {here}).pop()
    with pytest.raises(ConfigError, match=f"^node .*: it is {other}$"):
        both_are_free(launcher)
    assert asked == [other]


@pytest.mark.parametrize(
    ("function", "argument", "said"),
    [
        (trial_functions.refuse, "no such file", "no such file"),
        (trial_functions.text_of, "/nowhere", "FileNotFound.*/nowhere"),
    ],
)
def test_a_node_that_fails_is_refused_in_a_line(launcher, function, argument, said):
    launcher.call(trial_functions.add, 1, 2)
    launcher.everywhere(function, argument, unlike=lambda there: "")
    with pytest.raises(ConfigError, match=f"^node .*: .*{said}[^\n]*$"):
        both_are_free(launcher)


def test_nothing_is_trained_on_a_node_before_it_has_answered(launcher, tmp_path):
    launcher.call(trial_functions.add, 1, 2)
    begun = tmp_path / "begun"
    launcher.everywhere(trial_functions.wait_for, str(begun), unlike=lambda there: "")
    for _ in range(6):
        launcher.poll(0.5)
    (slot,) = launcher.free()
    launcher.submit(
        slot, (TrialSpec("s", TrialId(0, 0), {"epochs": 1}, {}, (), "key", str(tmp_path / "s" / "t" / "0")),)
    )
    events_until(launcher, lambda events: any(isinstance(event, Ended) for event in events))
    begun.touch()
    both_are_free(launcher)


def test_a_worker_that_dies_of_it_three_times_ends_the_search(launcher):
    launcher.call(trial_functions.add, 1, 2)
    launcher.everywhere(trial_functions.die, 3, unlike=lambda there: "")
    with pytest.raises(of_launcher.MachineError, match="exit code 3"):
        both_are_free(launcher)


def test_a_file_of_the_drivers_is_sent_to_where_it_is_not_seen(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(of_launcher, "place", lambda folder: (folder, (0, 0)))
    monkeypatch.chdir(tmp_path)
    Path("weights").write_text("those of the driver")
    launcher = RayLauncher(cluster.address, workers=1)
    launcher.start(trial_functions.train)
    try:
        # The node's process works in another folder.
        assert launcher.call(trial_functions.text_of, SentFile("/proc/self/cwd/weights")) == "those of the driver"
        with pytest.raises(RuntimeError, match="FileNotFoundError"):
            launcher.call(trial_functions.text_of, SentFile("/proc/self/cwd/others"))
        assert launcher.call(trial_functions.text_of, __file__) == Path(__file__).read_text()
    finally:
        launcher.stop(now=True)
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
