"""The tracking store's address and its creation."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hpsearch.base.cache import cache_folder
from hpsearch.base.errors import StorageError
from hpsearch.base.owners import this_process
from hpsearch.tracking import store
from hpsearch.tracking.client_writer import ClientWriter
from hpsearch.tracking.embedded_writer import EmbeddedWriter
from hpsearch.tracking.home import Home
from tests.support.fake_study import home, new_store


def test_the_default_is_a_file_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store.store_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"
    assert store.store_uri("sqlite:///sub/my.db") == f"sqlite:///{tmp_path}/sub/my.db"
    assert store.store_uri("sqlite:////abs/my.db") == "sqlite:////abs/my.db"
    assert store.artifact_root(None, store.store_uri(None)) == tmp_path / "mlartifacts"


@pytest.mark.parametrize("uri", ["http://localhost:5000", "https://x", "postgresql+psycopg://u:p@h/db"])
def test_servers_are_taken_as_they_are(uri):
    assert store.store_uri(uri) == uri


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "/tmp/mlflow.db", "sqlite://", "sqlite:///:memory:"])
def test_stores_that_lose_data_are_refused(uri):
    with pytest.raises(StorageError, match=r"tracker\.uri"):
        store.store_uri(uri)


def test_the_schema_is_found_without_importing_mlflow():
    from mlflow.store.db.utils import _get_latest_schema_revision

    assert store.schema_head() == _get_latest_schema_revision()


def _other_version(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'abc123'")
    connection.close()


def _without_version(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE alembic_version")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_other_version, "another version of MLflow (schema abc123"),
        (_without_version, "was not finished; move it away"),
        (lambda path: path.write_text("no database at all, but longer than a header" * 9), "is no MLflow store"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_clear_line(tmp_path, spoil, words):
    uri = new_store(tmp_path)
    store.check_store(uri)
    spoil(tmp_path / "mlflow.db")
    with pytest.raises(StorageError) as raised:
        store.check_store(uri)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_locked_store_is_only_away(tmp_path):
    uri = new_store(tmp_path)
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            store._schema(tmp_path / "mlflow.db")
        store.check_store(uri)
    finally:
        other.close()


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(StorageError, match="cannot be written or does not exist"):
        store.check_store(f"sqlite:///{tmp_path}/none/mlflow.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="cannot be written"):
        store.check_store(f"sqlite:///{tmp_path}/mlflow.db")


def test_names_and_folders_may_hold_any_character(tmp_path):
    folder = tmp_path / "a b#c%20 ü'"
    folder.mkdir()
    uri = new_store(folder)
    client = store.connect(uri, folder / "mlartifacts")
    run = client.create_run(ClientWriter(uri, folder / "mlartifacts").enter(home("lr sweep #1")).id)
    client.log_text(run.info.run_id, "hello", "note.txt")
    assert client.list_artifacts(run.info.run_id)[0].path == "note.txt"
    assert [path.read_text() for path in folder.rglob("note.txt")] == ["hello"]


@pytest.mark.parametrize("make", [ClientWriter, lambda uri, folder: EmbeddedWriter(store.sqlite_path(uri), folder)])
def test_an_experiment_is_found_by_its_studies_whatever_it_is_called(tmp_path, make):
    uri = new_store(tmp_path)
    client, writer = store.connect(uri, tmp_path / "mlartifacts"), make(uri, tmp_path / "mlartifacts")
    first = writer.enter(home("lr_sweep"))
    client.rename_experiment(first.id, "of mine")
    assert writer.enter(home("lr_sweep")).id == first.id
    other = writer.enter(home("lr_sweep", "f" * 32))
    assert other.id != first.id and client.get_experiment(other.id).name == "lr_sweep"
    client.rename_experiment(other.id, "another")
    client.rename_experiment(first.id, "lr_sweep")
    elsewhere = Home("lr_sweep", {"c" * 32: "host:/elsewhere/lr_sweep"}, "c" * 32)
    assert client.get_experiment(writer.enter(elsewhere).id).name == f"lr_sweep@{'c' * 8}"
    assert writer.enter(home("lr_sweep", "d" * 32)).id == first.id, "a study of this name from the same folder"
    client.delete_experiment(first.id)
    assert writer.enter(home("lr_sweep")).deleted
    writer.revive()
    assert client.get_experiment(first.id).lifecycle_stage == "active"
    assert client.get_experiment(first.id).artifact_location == (tmp_path / "mlartifacts" / "lr_sweep").as_uri()


def test_an_experiment_that_another_process_makes_meanwhile_is_taken(tmp_path, monkeypatch):
    uri = new_store(tmp_path)
    writer = ClientWriter(uri, tmp_path)
    made = writer.enter(home("lr_sweep"))
    look, answers = writer._experiments, iter([[]])
    monkeypatch.setattr(writer, "_experiments", lambda home: next(answers, None) or look(home))
    assert writer.enter(home("lr_sweep")).id == made.id


CUT = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN")
db.execute("UPDATE t SET x = 'new'")
os.kill(os.getpid(), 9)
"""


def left_over(path):
    """A database whose writer was killed after it had changed the file, with what else a kill leaves beside it."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("old" * 500,)] * 100)
    subprocess.run([sys.executable, "-c", CUT, path])
    for name in (".lock", f".{replace(this_process(), started=1)}.new", f".{this_process()}.new"):
        Path(f"{path}{name}").touch()
    return Path(f"{path}-journal")


def test_what_kills_left_beside_a_store_goes_and_its_journal_is_rolled_back(tmp_path):
    path = tmp_path / "mlflow.db"
    journal = left_over(path)
    assert journal.stat().st_size > 0 and b"new" in path.read_bytes()
    store.create_store(store.store_uri(f"sqlite:///{path}"), tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mlflow.db", f"mlflow.db.{this_process()}.new"]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT DISTINCT x FROM t").fetchall() == [("old" * 500,)]


def test_a_journal_that_holds_nothing_goes_and_the_one_of_a_writer_stays(tmp_path):
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE t (x)")
        db.execute("PRAGMA user_version = 7")
        journal = Path(f"{path}-journal")
        journal.touch()
        store.tidy(path)
        assert not journal.exists() and db.execute("PRAGMA user_version").fetchone() == (7,)
        db.execute("BEGIN")
        db.execute("INSERT INTO t VALUES (1)")
        assert journal.exists()
        store.tidy(path)
        assert journal.exists()
        db.execute("COMMIT")
        assert db.execute("SELECT count(*) FROM t").fetchone() == (1,)


@pytest.mark.slow
def test_processes_that_create_a_store_together_all_succeed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from hpsearch.tracking import store;"
        f"uri = store.store_uri('sqlite:///{tmp_path}/mlflow.db');"
        "from hpsearch.tracking.client_writer import ClientWriter; from tests.support.fake_study import home;"
        f"ClientWriter(uri, Path({str(tmp_path)!r})).enter(home('shared'))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [process.communicate()[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db"]


def test_a_path_that_is_too_long_for_sqlite_is_said_before_anything_starts(tmp_path):
    """Both sides of the limit, as SQLite has it."""
    folder = tmp_path
    while len(os.fsencode(folder)) < 400:
        folder /= "d" * 60
    folder.mkdir(parents=True)
    rest = store._LONGEST - len(os.fsencode(folder)) - 1
    good, long = folder / ("x" * rest), folder / ("x" * (rest + 1))
    sqlite3.connect(good).execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(long).execute("CREATE TABLE t (x)")
    store.check_store(store.sqlite_uri(good.with_name("y" * rest)))
    with pytest.raises(StorageError, match=r"has 505 bytes, and SQLite takes 504: .* or tracker=none$"):
        store.check_store(store.sqlite_uri(long))


def test_mlflow_gets_a_home_where_the_user_has_none(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    with store.settings():
        assert os.environ["HOME"] == "/home/me"
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert cache_folder() is None or "XDG_CACHE_HOME" in os.environ
    with store.settings():
        assert Path.home() == Path("/nonexistent")
    assert "HOME" not in os.environ


NAMES = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
NO_ANSWER = "HTTPSConnectionPool(host='h', port=5000): Max retries exceeded with url: /api (Caused by "
SAID = {
    "no name": ("failed with error code 401 != 200.", None, f"the server asks for a name and password: set {NAMES}"),
    "refused": ("failed with error code 401 != 200.", "admin", f"the server refuses the name or password of {NAMES}"),
    "certificate": (
        f"{NO_ANSWER}SSLError('[SSL] certificate verify failed: self-signed certificate (_ssl.c:1006)'))",
        "admin",
        "the server's certificate is not trusted (self-signed certificate): MLFLOW_TRACKING_SERVER_CERT_PATH names its "
        "file, or that of who signed it",
    ),
    "nobody": (f"{NO_ANSWER}NewConnectionError('refused'))", "admin", "the server does not answer"),
}


@pytest.mark.parametrize("kind", SAID)
def test_why_a_server_takes_nothing_is_a_line(monkeypatch, kind):
    said, name, line = SAID[kind]
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    if name:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
    assert store.one_line(RuntimeError(said)) == line
