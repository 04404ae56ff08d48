"""Stores that lost something, went back in time or are others than before: what they lack is sent again, once."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.moved import folder_of
from hpsearch.tracking.query import table_from_mlflow
from hpsearch.tracking.record import Record
from hpsearch.tracking.runs import COLOUR, RECORD_FIRST
from hpsearch.tracking.sent import unsent
from tests.support import fake_study as fake

OTHER = {"mlflow.parentRunId", "mlflow.note.content", COLOUR, RECORD_FIRST}
"""Tags that name a run or an experiment, or differ when more is sent at once."""


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "studies" / "lr_sweep", 2)


@pytest.fixture
def uri(tmp_path):
    return fake.new_store(tmp_path)


def write(folder, points):
    record = Record(folder)
    fake.open_study(record)
    for point in range(points):
        fake.train(record, fake.spec(folder, point))
    record.close()
    return folder


def content(store):
    """Return what a store holds, without what is random, as often as it is there."""
    with closing(sqlite3.connect(store)) as db:
        names = dict(db.execute("SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active'").fetchall())
        found = {table: _rows(db, table, names) for table in ("metrics", "latest_metrics", "params", "tags")}
    return {**found, "runs": sorted(names.values())}


def _rows(db, table, names):
    rows = (tuple(names.get(cell, cell) for cell in row) for row in db.execute(f"SELECT * FROM {table}"))
    return sorted((row for row in rows if not OTHER & {*row}), key=repr)


def change(store, *statements):
    with closing(sqlite3.connect(store)) as db, db:
        for statement in statements:
            db.execute(statement)


def files(store):
    """Return how many runs have their configuration among their artifacts."""
    with closing(sqlite3.connect(store)) as db:
        places = [folder_of(uri) for (uri,) in db.execute("SELECT artifact_uri FROM runs")]
    return sum((place / "config.yaml").is_file() for place in places)


LAST = "(SELECT run_uuid FROM runs ORDER BY start_time DESC LIMIT 1)"
GONE = [
    f"DELETE FROM {table} WHERE run_uuid = {LAST}" for table in ("metrics", "latest_metrics", "params", "tags", "runs")
]
LOSSES = {
    "the store is removed": lambda store: store.unlink(),
    "the store is replaced by an empty one": lambda store: fake.new_store(store.parent),
    "a run is gone for good": lambda store: change(store, *GONE),
    "the artifacts are removed": lambda store: shutil.rmtree(store.parent / "mlartifacts"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_store_lost_comes_back_once(tmp_path, uri, folder, loss):
    store = tmp_path / "mlflow.db"
    sync(folder, uri)
    before = content(store)
    LOSSES[loss](store)
    assert sync(folder, uri) > 0
    assert content(store) == before and files(store) == 3
    assert sync(folder, uri) == 0


@pytest.mark.parametrize("points", [1, 2, 3])
def test_an_older_backup_gets_the_runs_and_the_metrics_that_it_lacks(tmp_path, uri, points):
    store, record = tmp_path / "mlflow.db", Record(tmp_path / "studies" / "lr_sweep")
    fake.open_study(record)
    running = fake.spec(record.folder, 9)
    fake.start(record, running)
    for point in range(3):
        fake.train(record, fake.spec(record.folder, point))
        fake.report(record, running, point)
        record.flush()
        sync(record.folder, uri)
        shutil.copy(store, tmp_path / f"{point + 1}.db")
    record.close()
    before = content(store)
    shutil.copy(tmp_path / f"{points}.db", store)
    sync(record.folder, uri)
    assert content(store) == before


def test_a_study_that_goes_on_fills_the_store_and_one_replaced_meanwhile(tmp_path, uri, folder):
    store = tmp_path / "mlflow.db"
    sync(folder, uri)
    store.unlink()
    place = fake.Place.__new__(fake.Place)
    place.__dict__ |= {"folder": folder, "uri": uri, "artifacts": tmp_path / "mlartifacts"}
    record, sender = Record(folder), place.sender()
    for point in (2, 3):
        fake.train(record, fake.spec(folder, point))
        record.flush()
        assert sender.send([f"{point}-0-0"]) == set(), sender.problem
        assert len(content(store)["runs"]) == point + 2
        store.rename(tmp_path / f"{point}.db")
        fake.new_store(tmp_path)
    sender.send(sender.pending())
    assert len(content(store)["runs"]) == 5
    sender.close()
    record.close()


def test_what_a_person_deleted_stays_deleted_and_that_is_said(tmp_path, uri, folder):
    store, said = tmp_path / "mlflow.db", []
    sync(folder, uri)
    change(store, f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = {LAST}")
    assert sync(folder, uri, note=said.append) == 0
    assert said == ["1 run deleted in MLflow and left so (1-0-0)"] and len(content(store)["runs"]) == 2
    change(store, "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id > 0")
    assert sync(folder, uri, note=said.append) == 0
    assert said[1:] == ["experiment 'lr_sweep' was deleted in MLflow; it stays so"]
    write(folder, 0)
    assert sync(folder, uri) == 1, "a study that goes on brings its experiment back"


def test_a_trial_that_was_trained_again_after_its_record_was_lost_has_one_run(tmp_path, uri, folder):
    store = tmp_path / "mlflow.db"
    sync(folder, uri)
    (folder / "events" / "1-0-0.jsonl").unlink()
    record = Record(folder)
    again = fake.spec(folder, 1)
    fake.start(record, again, time=fake.TIME + 5000)
    fake.report(record, again, 0)
    fake.finish(record, again)
    record.close()
    sync(folder, uri)
    with closing(sqlite3.connect(store)) as db:
        query = "SELECT status, count(*) FROM runs JOIN metrics USING (run_uuid) WHERE name LIKE '1/0%' AND key = ?"
        found = db.execute(f"{query} GROUP BY status", ("valid/acc",)).fetchall()
    assert sorted(found) == [("FINISHED", 1), ("KILLED", 4)]


def test_what_is_not_known_to_be_sent_is_sent_again_into_the_same_runs(tmp_path, uri, folder):
    sync(folder, uri)
    before = content(tmp_path / "mlflow.db")
    for notes in (folder / "tracking").glob("*.jsonl"):
        notes.unlink()
    assert sync(folder, uri) == 3 and content(tmp_path / "mlflow.db") == before


def test_runs_whose_parameters_an_older_version_rounded_are_filled_and_keep_them(tmp_path, uri, folder):
    store = tmp_path / "mlflow.db"
    sync(folder, uri)
    change(
        store,
        "UPDATE params SET value = round(value, 6) WHERE key = 'optimizer.lr'",
        "UPDATE tags SET value = replace(value, ',\"names\":{}', '') WHERE key LIKE 'hpsearch.record.%'",
        "DELETE FROM metrics WHERE key = 'valid/acc'",
    )
    before = content(store)["params"]
    for notes in (folder / "tracking").glob("*.jsonl"):
        notes.unlink()
    assert sync(folder, uri) == 3
    assert content(store)["params"] == before and ("valid/acc" in str(content(store)["metrics"]))
    assert len(table_from_mlflow(uri, "lr_sweep").trials) == 2


@pytest.mark.parametrize("go", [Path.unlink, lambda store: store.write_bytes(b"")])
def test_a_store_that_is_gone_has_received_nothing(tmp_path, uri, folder, go):
    assert len(unsent(folder, uri)) == 3
    sync(folder, uri)
    assert unsent(folder, uri) == set()
    go(tmp_path / "mlflow.db")
    assert len(unsent(folder, uri)) == 3 == sync(folder, uri)


def test_a_store_that_does_not_answer_is_no_store_that_has_everything(folder, uri, monkeypatch):
    sync(folder, uri)
    monkeypatch.setattr("hpsearch.tracking.sender.open_writer", lambda *_: 1 / 0)
    with pytest.raises(StorageError, match=r"what the store has of lr_sweep is not known: MLflow at .*division"):
        sync(folder, uri)
