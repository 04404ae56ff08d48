"""A sender in a process of its own."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from hpsearch.tracking import apart
from hpsearch.tracking.apart import MEASURED_SEC, MUCH, Load, SenderApart
from hpsearch.tracking.mlflow import MlflowTracker
from hpsearch.tracking.record import Record
from hpsearch.tracking.sender import Sender
from tests.support import fake_study as fake
from tests.support.waiting import wait_until


@pytest.fixture
def place(tmp_path):
    return fake.Place(tmp_path)


def _apart(place, uri=None):
    return SenderApart(place.folder, uri or place.uri, place.artifacts, 10.0, 1.0)


def test_it_sends_what_a_sender_in_this_process_would(place):
    fake.write_study(place.folder)
    names = Sender(place.folder, place.uri, place.artifacts).pending()
    sender = _apart(place)
    assert sender.send(names) == set() and sender.problem is None and sender.spent > 0
    sender.close()
    place.assert_complete()


def test_it_says_what_has_not_arrived_and_why(place):
    fake.write_study(place.folder)
    sender = _apart(place, "http://127.0.0.1:9")
    names = Sender(place.folder, "http://127.0.0.1:9", place.artifacts).pending()
    assert sender.send(names) == names and "MLflow at http://127.0.0.1:9" in sender.problem
    assert sender.send(names, lambda: True) == names, "there is no time"
    sender.close()


def test_one_that_is_killed_is_known_and_what_it_had_not_sent_is_left(place):
    fake.write_study(place.folder)
    sender = _apart(place)
    os.kill(sender._process.pid, signal.SIGKILL)
    assert sender.send({"study", "0-0-0"}) == {"study", "0-0-0"}
    assert sender.is_gone and sender.problem.startswith("the process that sends to MLflow was killed by SIGKILL")
    sender.close()


def test_it_ends_with_the_process_that_started_it_in_the_middle_of_a_request(place):
    fake.write_study(place.folder)
    with socket.create_server(("127.0.0.1", 0)) as server:  # it takes the request, and never answers
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        program = (
            "import sys; from pathlib import Path; from hpsearch.tracking.apart import SenderApart\n"
            f"sender = SenderApart(Path({str(place.folder)!r}), {uri!r}, Path(), 10.0, 3600.0)\n"
            "sender._say(['study']); print(sender._process.pid, flush=True); sys.stdin.read()"
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([sys.executable, "-c", program], text=True, **pipes) as driver:
            pid = int(driver.stdout.readline())
            connection, _ = server.accept()
            assert psutil.pid_exists(pid)
            driver.kill()
        with connection:
            wait_until(lambda: not psutil.pid_exists(pid), 60)


def test_a_load_is_much_above_its_share_of_a_core():
    clock, spent = 0.0, 0.0
    load = Load(lambda: clock, lambda: spent)
    clock, spent = MEASURED_SEC - 1, MEASURED_SEC
    assert not load.is_much(), "too short a time"
    clock = spent / MUCH + 1
    assert not load.is_much()
    clock += MEASURED_SEC
    assert not load.is_much(), "what was spent before does not count"
    clock, spent = clock + MEASURED_SEC, spent + 1.1 * MUCH * MEASURED_SEC
    assert load.is_much()


@pytest.fixture
def tracker(place, monkeypatch):
    """Of a study whose sending takes much, from the beginning."""
    monkeypatch.setattr(apart.Load, "is_much", lambda _: True)
    return MlflowTracker(place.uri, str(place.artifacts), send_every_sec=0.01)


def _begun(place, tracker):
    """Open a study and its tracker, and send what there is of the first trial."""
    record = Record(place.folder, tracker.changed)
    fake.open_study(record)
    record.flush()
    tracker.open(place.folder)
    made = fake.spec(place.folder, 0)
    fake.start(record, made)
    record.flush()
    assert tracker.flush(60), tracker.problem()
    return record, made


def _ended(place, tracker, record, made):
    fake.report(record, made, 0)
    fake.finish(record, made)
    record.close()
    assert tracker.close(60), tracker.problem()
    place.assert_complete()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_thread_that_spends_much_on_sending_goes_on_in_a_process(place, tracker, is_killed):
    begun = _begun(place, tracker)
    assert isinstance(tracker._sender, SenderApart)
    if is_killed:
        tracker._sender._process.kill()
        tracker._sender._process.wait()
    _ended(place, tracker, *begun)


def test_where_no_process_can_be_started_the_thread_goes_on_sending(place, tracker, monkeypatch):
    def none(*_args, **_options):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(apart.platform, "start_group", none)
    begun = _begun(place, tracker)
    assert isinstance(tracker._sender, Sender)
    _ended(place, tracker, *begun)
