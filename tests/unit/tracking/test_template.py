"""A store that is copied from a template is the one that MLflow builds."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hpsearch.base.owners import this_process
from hpsearch.tracking import store, template
from hpsearch.tracking.mlflow_internals import build_schema, sqlite_uri

ROOT = Path(__file__).parents[3]
MAKE = "from pathlib import Path; from hpsearch.tracking import store; store.create_store({uri!r}, Path({folder!r}))"
HEADERS = ("encoding", "page_size", "journal_mode", "user_version", "application_id", "auto_vacuum")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The content of a template, built once."""
    file = tmp_path_factory.mktemp("packed") / "x.gz"
    template._build(file)
    return file.read_bytes()


@pytest.fixture
def kept(packed):
    """A template that is there."""
    file = template.template_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(packed)
    return file


@pytest.fixture
def builds(monkeypatch):
    """The stores that MLflow built."""
    built = []

    def build(uri, artifacts):
        built.append(uri)
        build_schema(uri, artifacts)

    monkeypatch.setattr(template, "build_schema", build)
    return built


def make(folder):
    """Create a store in a folder, which has its artifacts too, and return its file."""
    folder.mkdir(exist_ok=True)
    store.create_store(sqlite_uri(folder / "mlflow.db"), folder / "mlartifacts")
    return folder / "mlflow.db"


def everything(path):
    """Return all that a store holds; times of writing as whether they are of the last minute.

    MLflow writes the constraints of a table in another order each time.
    """
    with closing(sqlite3.connect(path)) as db:
        headers = {name: db.execute(f"PRAGMA {name}").fetchall() for name in HEADERS}
        rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
        objects = [(*row, sorted(re.split(r",?\s*\n\s*", sql or ""))) for *row, sql in rows]
        names = [name for kind, name, *_ in objects if kind == "table"]
        tables = {name: [tuple(map(_recent, row)) for row in db.execute(f'SELECT * FROM "{name}"')] for name in names}
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return headers, objects, tables


def _recent(value):
    now = 1000 * time.time()
    return "just now" if isinstance(value, int) and now - 60_000 < value <= now + 1 else value


def test_it_equals_what_mlflow_builds_wherever_its_artifacts_are(tmp_path, kept):
    ours, theirs = make(tmp_path / "a b#%ü'"), tmp_path / "theirs.db"
    build_schema(sqlite_uri(theirs), (ours.parent / "mlartifacts" / "Default").as_uri())
    assert everything(ours) == everything(theirs)


def test_it_is_built_once_and_only_the_store_is_left(tmp_path, cache, builds):
    first, second = everything(make(tmp_path / "a")), everything(make(tmp_path / "b"))
    assert len(builds) == 1
    assert first[:2] == second[:2] and first[2]["alembic_version"] == second[2]["alembic_version"]
    assert [path.name for path in (cache / "hpsearch").iterdir()] == [template.template_file().name]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize(
    "spoil",
    [lambda old: old[:-100], lambda old: old[:5000] + b"?" + old[5001:], lambda old: b"", lambda old: b"SQLite"],
)
def test_a_damaged_one_is_built_again(tmp_path, kept, monkeypatch, spoil):
    whole = kept.read_bytes()
    kept.write_bytes(spoil(whole))

    def build(file):
        file.write_bytes(whole)
        return template._unpacked(file)

    monkeypatch.setattr(template, "_build", build)
    store.check_store(sqlite_uri(make(tmp_path / "a")))
    assert kept.read_bytes() == whole


def test_another_version_has_another_one(kept, monkeypatch):
    monkeypatch.setattr(template, "installed_version", lambda: "3.99.0")
    assert template.template_file() not in (kept, None)
    monkeypatch.undo()
    monkeypatch.setattr(template, "schema_head", lambda: "abc")
    assert template.template_file() not in (kept, None)


def _no_home(monkeypatch, cache):
    monkeypatch.setattr(template, "cache_folder", lambda: None)


def _a_file_in_the_way(monkeypatch, cache):
    cache.write_text("")


@pytest.mark.parametrize("hinder", [_no_home, _a_file_in_the_way])
def test_without_a_folder_for_it_mlflow_builds_the_store(tmp_path, cache, monkeypatch, builds, hinder):
    hinder(monkeypatch, cache)
    path = make(tmp_path / "a")
    assert [uri.split("/")[-2:-1] for uri in builds] == [["a"]]
    store.check_store(sqlite_uri(path))
    assert cache.exists() == (hinder is _a_file_in_the_way)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_in_a_home_that_is_read_only_mlflow_builds_the_store(tmp_path, cache, builds):
    cache.mkdir(mode=0o500)
    store.check_store(sqlite_uri(make(tmp_path / "a")))
    assert len(builds) == 1


def test_a_file_that_a_kill_left_is_removed(tmp_path, cache, monkeypatch, packed):
    monkeypatch.setattr(
        template, "build_schema", lambda uri, artifacts: sqlite3.connect(uri[len("sqlite:///") :]).close()
    )
    file = template.template_file()
    file.parent.mkdir(parents=True)
    file.with_name(f"{file.name}.{replace(this_process(), started=1)}.new").write_bytes(packed[:1000])
    template._template()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.slow
def test_processes_at_once_and_one_that_is_killed_leave_whole_stores(tmp_path, cache):
    def start(name):
        (tmp_path / name).mkdir()
        code = MAKE.format(uri=sqlite_uri(tmp_path / name / "mlflow.db"), folder=str(tmp_path / name))
        return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)

    killed = start("killed")
    while not (cache / "hpsearch").exists() and killed.poll() is None:
        time.sleep(0.01)
    time.sleep(0.5)
    started = [start("a"), start("b")]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert [process.wait() for process in started] == [0, 0]
    for name in ("a", "b"):
        store.check_store(sqlite_uri(tmp_path / name / "mlflow.db"))
    assert template._unpacked(template.template_file()) is not None
    store.check_store(sqlite_uri(tmp_path / "killed" / "mlflow.db"))
