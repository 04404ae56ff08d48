"""Rows that are written straight into MLflow's file are those that its client writes for the same calls."""

import math
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hpsearch.tracking import embedded_writer, sender, store, writers
from hpsearch.tracking.client_writer import ClientWriter
from hpsearch.tracking.embedded_writer import EmbeddedWriter
from hpsearch.tracking.mlflow_internals import LOGGED_IMAGES, SMALL, schema_head
from hpsearch.tracking.runs import Metric
from hpsearch.tracking.sender import Sender
from hpsearch.tracking.sent import sent_file
from hpsearch.tracking.writer import Refusal
from hpsearch.trial.media import save
from tests.support import fake_study as fake

MOMENTS = {"creation_time", "last_update_time"}
"""Columns of the time at which a row was written."""
UNIQUE = re.compile(r"[0-9a-f]{32}")


def rows_of(path):
    """Return every row of every table; what is random or the time of writing in the order in which it appears."""
    seen = {}
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        for (run,) in db.execute("SELECT run_uuid FROM runs ORDER BY start_time, name"):
            seen[run] = f"run {len(seen)}"
        tables = {name: [_plain(row, seen, path) for row in db.execute(f'SELECT * FROM "{name}"')] for name in names}
    return {name: sorted(rows, key=repr) for name, rows in tables.items() if rows}


def _plain(row, seen, path):
    def known(found):
        return seen.setdefault(found[0], "a random one")

    texts = {key: value for key, value in dict(row).items() if isinstance(value, str)}
    plain = dict(row) | {key: UNIQUE.sub(known, text.replace(str(path.parent), "")) for key, text in texts.items()}
    return {key: "now" if key in MOMENTS else (type(value).__name__, value) for key, value in plain.items()}


def files_of(folder):
    """Return the artifacts of a store, by experiment and path in the run."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted((UNIQUE.sub("RUN", str(path.relative_to(folder))), UNIQUE.sub("ID", _text(path))) for path in files)


def _text(path):
    return path.read_bytes().decode("latin-1")


@pytest.fixture
def both(tmp_path, monkeypatch):
    """Return a function that does the same with both writers, and returns what their stores hold."""

    def do(calls):
        found = []
        ways = {"ours": lambda uri, place: EmbeddedWriter(store.sqlite_path(uri), place), "client": ClientWriter}
        for name, make in ways.items():
            folder = tmp_path / name
            folder.mkdir()
            uri = fake.new_store(folder)
            store.create_store(uri, folder / "mlartifacts")
            writer = make(uri, folder / "mlartifacts")
            monkeypatch.setattr(sender, "open_writer", lambda uri, artifacts, writer=writer: writer)
            calls(writer, folder)
            writer.close()
            found.append((rows_of(folder / "mlflow.db"), files_of(folder / "mlartifacts")))
        return found

    return do


def assert_same(found):
    ours, theirs = found
    assert ours[0].keys() == theirs[0].keys()
    for table in ours[0]:
        assert ours[0][table] == theirs[0][table], table
    assert ours[1] == theirs[1]
    return ours


def test_a_study_with_every_kind_of_end_is_the_same(both):
    def send(writer, folder):
        place = folder / "studies" / "lr_sweep"
        picture = np.arange(2 * 400 * 3, dtype=np.uint8).reshape(2, 400, 3)
        record = fake.write_study(place)
        made = fake.spec(place, 20, **{f"model.width_{index}": index for index in range(150)})
        fake.start(record, made)
        for epoch in range(30):
            fake.report(record, made, epoch)
        kept = [save(place / "trials" / made.id.stem, *each).path for each in (("grid", picture, 1), ("said", "é", 2))]
        fake.finish(record, made, artifacts=[*kept, "gone.txt"])
        (place / "trials" / made.id.stem / "best.safetensors").write_bytes(b"\0" * 50)
        (place / "report.html").write_text("<html>")
        record.study("artifact", fake.TIME, path="report.html")
        record.study("best", fake.TIME + 30, point=20, params={"optimizer.lr": 0.5}, mean=0.9, sd=0.1, n=2)
        record.study("state", fake.TIME + 200, state="COMPLETE", answer="It is 0.5.")
        record.flush()
        for _ in range(2):  # the second time everything is there
            made_by = Sender(place, store.sqlite_uri(folder / "mlflow.db"), folder / "mlartifacts")
            assert made_by.send(made_by.pending()) == set(), made_by.problem
            sent_file(place, store.sqlite_uri(folder / "mlflow.db")).unlink()

    tables, files = assert_same(both(send))
    assert {"runs", "metrics", "latest_metrics", "params", "tags", "inputs", "datasets", "experiment_tags"} <= set(
        tables
    )
    assert len(tables["metrics"]) > 300 and len(tables["params"]) > 150
    assert [name for name, _ in files if "+compressed.webp" in name]
    assert any(row["key"] == ("str", LOGGED_IMAGES) for row in tables["tags"])


def test_a_study_that_is_sent_line_by_line_is_the_same(both):
    def send(writer, folder):
        place = folder / "studies" / "lr_sweep"
        fake.write_study(place, points=0).close()
        lines = {path: path.read_bytes().splitlines(keepends=True) for path in (place / "events").iterdir()}
        for path, content in lines.items():
            path.write_bytes(b"".join(content[:2]))
        made_by = Sender(place, store.sqlite_uri(folder / "mlflow.db"), folder / "mlartifacts")
        made_by.send(made_by.pending())
        for index in range(2, max(map(len, lines.values()))):
            for path, content in lines.items():
                with path.open("ab") as file:
                    file.writelines(content[index : index + 1])
            made_by.send(made_by.pending())
            assert made_by.problem is None

    assert_same(both(send))


VALUES = [
    Metric("ties", 1.0, 1000, 3),
    Metric("ties", 2.0, 1000, 3),
    Metric("ties", 1.5, 1000, 3),
    Metric("ties", 0.5, 2000, 3),
    Metric("ties", 9.0, 9000, 2),
    Metric("whole", 4, 1000, 0),
    Metric("lost", math.nan, 1000, 0),
    Metric("lost", 0.0, 1000, 0),
    Metric("back", 0.0, 1000, 0),
    Metric("back", math.nan, 1000, 0),
    Metric("up", math.inf, 1000, 1),
    Metric("down", -math.inf, 1000, -1),
]


def test_metrics_of_every_kind_are_the_same_and_so_is_the_latest(both):
    def log(writer, folder):
        writer.enter(fake.home("study"))
        with writer.together():
            run = writer.create("a", 1, {})
            writer.log(run, VALUES[:3])
        with writer.together():
            writer.log(run, VALUES)
            writer.log(run, VALUES[::-1])
            writer.log(run, [Metric("ties", 8.0, 500, 3), Metric("whole", 5.0, 10, 7)])

    tables, _ = assert_same(both(log))
    latest = {row["key"][1]: (row["value"][1], row["step"][1]) for row in tables["latest_metrics"]}
    assert (latest["ties"], latest["whole"], latest["up"][0]) == ((0.5, 3), (5.0, 7), embedded_writer.LARGEST)


def test_runs_params_tags_statuses_and_data_are_the_same(both):
    def log(writer, folder):
        writer.enter(fake.home("study #1 ü;?"))
        with writer.together():
            first = writer.create("first", 1234, {"mlflow.user": "me", **{f"tag.{index}": "x" for index in range(150)}})
            second = writer.create("second", 1235, {"a": "b"})
            writer.log(first, params={"lr": "0.1", "long": "y" * 9000}, tags={"a": "1", "long": "z" * 9000})
            writer.log(first, params={"lr": "0.1"}, tags={"a": "2", "mlflow.runName": "renamed"})
            writer.input(first, "digits", "d1")
            writer.input(first, "digits", "d1")
            writer.input(second, "digits", "d1")
            writer.input(second, "digits", "d2")
            writer.status(first, "FINISHED", 77.5)
            writer.status(second, "FAILED", 78)
            writer.status(second, "RUNNING", 79)
            writer.describe({"note": "old", "kind": "k"})
            writer.describe({"note": "new"})
            writer.content(first, b"text", "deep/er/note.txt")
            writer.content(first, b"again", "deep/er/note.txt")
            (folder / "x.bin").write_bytes(b"\1\2")
            writer.file(second, folder / "x.bin")
            writer.file(second, folder / "x.bin", "sub")
        assert [(run.id, run.status, run.started, run.deleted) for run in writer.find()] == [
            (first, "FINISHED", 1234, False),
            (second, "RUNNING", 1235, False),
        ]
        assert writer.find("nobody") == []

    assert_same(both(log))


def test_what_was_deleted_comes_back_the_same_way(both):
    def restore(writer, folder):
        client = store.connect(store.sqlite_uri(folder / "mlflow.db"), folder / "mlartifacts")
        writer.enter(fake.home("study"))
        with writer.together():
            runs = [writer.create(title, 1, {"hpsearch.uid": title}) for title in ("a", "b")]
        client.delete_run(runs[0])
        assert [run.deleted for run in writer.find("a")] == [True]
        with writer.together():
            writer.restore(runs[0])
        client.delete_experiment(writer.experiment)
        assert writer.enter(fake.home("study")).deleted
        writer.revive()

    assert_same(both(restore))


@pytest.mark.parametrize(
    "refused",
    [
        lambda writer, run: writer.log(run, params={"lr": "0.2"}),
        lambda writer, run: writer.log(run, tags={"../up": "x"}),
        lambda writer, run: writer.log(run, [Metric("a?b", 1.0, 1, 1)]),
        lambda writer, run: writer.log(run, [Metric("m" * 251, 1.0, 1, 1)]),
        lambda writer, run: writer.log("no such run", tags={"a": "b"}),
        lambda writer, run: writer.describe({"note": "x" * 20_001}),
    ],
)
def test_what_mlflow_refuses_is_refused_and_changes_nothing(both, refused):
    def log(writer, folder):
        writer.enter(fake.home("study"))
        with writer.together():
            run = writer.create("a", 1, {})
            writer.log(run, params={"lr": "0.1"})
        with pytest.raises(Refusal), writer.together():
            refused(writer, run)

    assert_same(both(log))


def test_a_deleted_run_takes_nothing(both):
    def log(writer, folder):
        writer.enter(fake.home("study"))
        with writer.together():
            run = writer.create("a", 1, {})
        store.connect(store.sqlite_uri(folder / "mlflow.db"), folder).delete_run(run)
        for write in (lambda: writer.log(run, tags={"a": "b"}), lambda: writer.status(run, "FINISHED", 1)):
            with pytest.raises(Refusal), writer.together():
                write()

    ours, theirs = both(log)
    assert ours[0].keys() == theirs[0].keys() and ours[0]["tags"] == theirs[0]["tags"]


@pytest.fixture
def writer(tmp_path):
    fake.new_store(tmp_path)
    writer = EmbeddedWriter(tmp_path / "mlflow.db", tmp_path / "mlartifacts")
    writer.enter(fake.home("study"))
    yield writer
    writer.close()


def test_a_block_that_fails_leaves_no_row_and_no_file(writer, tmp_path):
    before = rows_of(tmp_path / "mlflow.db")
    with pytest.raises(KeyboardInterrupt), writer.together():
        run = writer.create("a", 1, {"x": "y"})
        writer.content(run, b"text", "note.txt")
        raise KeyboardInterrupt
    with writer.together():
        pass
    assert rows_of(tmp_path / "mlflow.db") == before
    assert not (tmp_path / "mlartifacts").exists()


@pytest.mark.parametrize("path", ["../up.txt", "/abs.txt", "a/../../up.txt"])
def test_artifacts_stay_inside_their_run(writer, path):
    with writer.together():
        run = writer.create("a", 1, {})
    with pytest.raises(Refusal, match="no path of an artifact"), writer.together():
        writer.content(run, b"", path)


@pytest.mark.parametrize("value", ["\ud800", None])
def test_values_that_no_column_holds_are_refused(writer, value):
    with pytest.raises(Refusal), writer.together():
        run = writer.create("a", 1, {})
        writer.log(run, tags={"a": value} if value else {}, metrics=[] if value else [Metric("a", 1.0, 1, 2**80)])


def test_another_writer_is_waited_for_and_then_the_sender_tries_again(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_writer, "BUSY_SEC", 0.05)
    fake.write_study(tmp_path / "studies" / "lr_sweep", points=1).close()
    made_by = Sender(tmp_path / "studies" / "lr_sweep", fake.new_store(tmp_path), tmp_path / "mlartifacts")
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    names = made_by.pending()
    assert made_by.send(names) == names and "database is locked" in made_by.problem
    other.execute("ROLLBACK")
    other.close()
    assert made_by.send(names) == set() and made_by.problem is None
    made_by.close()


def test_a_short_wait_for_another_writer_is_no_failure(writer, tmp_path):
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.1, lambda: other.execute("ROLLBACK")).start()
    with writer.together():
        writer.create("a", 1, {})
    assert len(writer.find()) == 1


def test_the_schema_is_the_one_of_the_installed_version():
    assert schema_head() == embedded_writer.WRITTEN_FOR_SCHEMA, (
        "compare the rows that this version writes (this file), then raise WRITTEN_FOR_SCHEMA"
    )


def _other_schema(path, monkeypatch):
    monkeypatch.setattr(embedded_writer, "WRITTEN_FOR_SCHEMA", "another")


def _other_version(path, monkeypatch):
    monkeypatch.setattr(embedded_writer, "installed_version", lambda: "3.99")


def _workspaces(path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "false")


def _elsewhere(path, monkeypatch):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE experiments SET artifact_location = 's3://bucket/x'")


@pytest.mark.parametrize("change", [_other_schema, _other_version, _workspaces, _elsewhere])
def test_what_is_not_known_is_left_to_mlflows_client(tmp_path, monkeypatch, change):
    uri = fake.new_store(tmp_path)
    with closing(writers.open_writer(uri, tmp_path)) as writer:
        assert isinstance(writer, EmbeddedWriter)
    change(tmp_path / "mlflow.db", monkeypatch)
    assert isinstance(writers.open_writer(uri, tmp_path), ClientWriter)


def test_servers_are_written_by_mlflows_client(tmp_path):
    assert isinstance(writers.open_writer("http://127.0.0.1:9", tmp_path), ClientWriter)


def test_a_small_picture_has_the_size_of_mlflows_own():
    from mlflow.tracking.multimedia import COMPRESSED_IMAGE_SIZE, compress_image_size
    from PIL import Image

    from hpsearch.tracking.mlflow_internals import _small_size

    assert SMALL == COMPRESSED_IMAGE_SIZE
    for size in ((300, 200), (200, 300), (64, 64), (999, 7), (257, 256), (640, 480)):
        assert _small_size(*size) == compress_image_size(Image.new("L", size)).size


def test_sending_to_a_file_imports_no_mlflow(tmp_path):
    fake.write_study(tmp_path / "studies" / "lr_sweep", points=1).close()
    uri = fake.new_store(tmp_path)
    code = (
        "import sys; from pathlib import Path; from hpsearch.tracking.mlflow import sync;"
        f"sync(Path({str(tmp_path / 'studies' / 'lr_sweep')!r}), {uri!r}, {str(tmp_path / 'mlartifacts')!r});"
        "assert not {'mlflow', 'sqlalchemy', 'alembic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)
