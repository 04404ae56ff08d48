"""Tracking under kills and servers that are away."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from hpsearch.base.types import TrialState
from hpsearch.tracking import store
from hpsearch.tracking.mlflow import MlflowTracker, sync
from hpsearch.tracking.record import Record
from hpsearch.tracking.sender import Sender
from hpsearch.tracking.ui import free_port, server
from tests.support import fake_study as fake
from tests.support.bad_proxy import proxy
from tests.support.fake_study import Place
from tests.support.waiting import kill_when, wait_until

pytestmark = pytest.mark.fault
ROOT = Path(__file__).parents[2]
CREATE = "from pathlib import Path; from hpsearch.tracking import store; store.connect({uri!r}, Path({folder!r}))"
SEND = """
from pathlib import Path
from hpsearch.tracking.sender import Sender
sender = Sender(Path({folder!r}), {uri!r}, Path({artifacts!r}))
sender.send(sender.pending())
"""


def _python(code: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL)


def test_kills_while_the_store_is_created_leave_nothing_broken(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")  # no template: MLflow builds the store itself
    uri, delays = store.sqlite_uri(tmp_path / "mlflow.db"), random.Random(0)
    for _ in range(2):
        before = _databases(tmp_path)
        creator = _python(CREATE.format(uri=uri, folder=str(tmp_path)))
        wait_until(lambda: creator.poll() is not None or not _databases(tmp_path) <= before, look_sec=0.01)  # noqa: B023
        time.sleep(delays.uniform(0.1, 0.6))
        creator.kill()
        creator.wait()
        store.check_store(uri)
    client = store.connect(uri, tmp_path)
    assert client.get_experiment_by_name("Default") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def _databases(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_a_killed_sender_doubles_nothing(tmp_path):
    place = Place(tmp_path)
    fake.write_study(place.folder, points=6).close()
    notes = place.folder / "tracking"
    sender = _python(SEND.format(folder=str(place.folder), uri=place.uri, artifacts=str(place.artifacts)))
    kill_when(sender, lambda: _lines(notes) >= 5, look_sec=0.002)
    assert sender.wait() == -signal.SIGKILL
    place.send()
    place.assert_complete()


def _lines(notes: Path) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in notes.glob("*.jsonl"))


@pytest.mark.long
def test_a_server_that_comes_late_and_hangs_gets_everything_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    place, port = Place(tmp_path), free_port(5200)
    tracker = MlflowTracker(f"http://127.0.0.1:{port}", send_every_sec=0.1)
    record = Record(place.folder, tracker.changed)
    fake.open_study(record)
    tracker.open(place.folder)
    fake.train(record, fake.spec(place.folder, 0))
    before = time.thread_time()
    record.flush()
    assert not tracker.flush(1.0)
    wait_until(tracker.problem, look_sec=0.01)
    assert "does not answer" in tracker.problem()
    assert time.thread_time() - before < 0.5, "processor time of the driver's own thread"
    with server(place.uri, str(place.artifacts), port) as process:
        assert tracker.flush(60), tracker.problem()
        assert tracker.problem() is None
        for point in range(1, 4):
            fake.train(record, fake.spec(place.folder, point))
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            record.flush()
            assert not tracker.flush(3.0)
        finally:
            os.killpg(process.pid, signal.SIGCONT)
        made = fake.spec(place.folder, 4)
        fake.start(record, made)
        record.state(made.id, TrialState.PAUSED, fake.TIME, reason="interrupted")
        record.close()
        assert tracker.close(60), tracker.problem()
    place.assert_complete()


@pytest.mark.slow
def test_a_server_in_trouble_and_one_that_was_emptied_get_everything_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    place, port = Place(tmp_path), free_port(5300)
    fake.write_study(place.folder, points=0).close()
    with server(place.uri, str(place.artifacts), port), proxy(port) as troubled:
        sender = Sender(place.folder, troubled.address, place.artifacts)
        for troubled.share in (*[0.2] * 5, 0.0):
            left = sender.send(sender.pending())
        assert not left and sender.problem is None, sender.problem
        assert len(troubled.met) > 3, "requests met several kinds of trouble"
        place.assert_complete()
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as db, db:
            for table in ("metrics", "latest_metrics", "params", "tags", "inputs", "runs", "experiment_tags"):
                db.execute(f"DELETE FROM {table}")
            db.execute("DELETE FROM experiments WHERE experiment_id > 0")
        assert sync(place.folder, troubled.address) == len(place.runs())
        place.assert_complete()
