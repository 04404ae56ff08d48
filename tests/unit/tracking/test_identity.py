"""Studies that share a store, a name or a folder's content: runs belong to a study's uid."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.tracking.events import read_study
from hpsearch.tracking.identity import SUPERSEDES, identity_of, lineage
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.query import table_from_mlflow
from hpsearch.tracking.record import Record
from hpsearch.tracking.runs import SUPERSEDED, TRIAL, UID
from hpsearch.tracking.sent import sent_runs
from tests.support import fake_study as fake

NAME = "lr_sweep"


@pytest.fixture
def uri(tmp_path):
    return fake.new_store(tmp_path)


def write(folder, points=1, **fields):
    record = Record(folder)
    fake.open_study(record, **fields)
    for point in range(points):
        fake.train(record, fake.spec(folder, point))
    record.close()
    return folder


def runs_in(store):
    """Return uid, stem, experiment's name and folder of artifacts of every run that is not superseded."""
    with closing(sqlite3.connect(store)) as db:
        tags = {run: {} for (run,) in db.execute("SELECT run_uuid FROM runs")}
        for run, key, value in db.execute("SELECT run_uuid, key, value FROM tags"):
            tags[run][key] = value
        query = "SELECT run_uuid, experiments.name, artifact_uri FROM runs JOIN experiments USING (experiment_id)"
        rows = db.execute(f"{query} ORDER BY start_time, run_uuid").fetchall()
    kept = [row for row in rows if SUPERSEDED not in tags[row[0]]]
    return [(tags[run][UID], tags[run].get(TRIAL, "study"), name, place) for run, name, place in kept]


def stems(store):
    """Return the names of the runs that each uid has in a store."""
    found = {}
    for uid, stem, *_ in runs_in(store):
        found.setdefault(uid, []).append(stem)
    return {uid: sorted(names) for uid, names in found.items()}


def restart(folder):
    """Start a study of the same name in the place of one."""
    superseded = lineage(folder)
    folder.rename(folder.with_name(f"{folder.name}.{len(superseded)}"))
    return write(folder, **{SUPERSEDES: superseded})


def test_a_restart_supersedes_the_runs_of_its_own_folder_alone(tmp_path, uri):
    first, second = (write(tmp_path / folder / NAME) for folder in "ab")
    for folder in (first, second):
        sync(folder, uri)
    theirs = identity_of(first).uid
    for _ in range(2):  # the first restart is never sent
        restart(second)
    sync(second, uri)
    assert stems(tmp_path / "mlflow.db") == {uid: ["0-0-0", "study"] for uid in (theirs, identity_of(second).uid)}
    places = {(uid, name): Path(place).parts[-3] for uid, _, name, place in runs_in(tmp_path / "mlflow.db")}
    assert len(set(places)) == len(set(places.values())) == 2, "an experiment and a folder of artifacts each"
    before = runs_in(tmp_path / "mlflow.db")
    assert sync(second.with_name(f"{NAME}.2"), uri) == 2
    assert runs_in(tmp_path / "mlflow.db") == before, "what is sent late is superseded already"


def test_two_studies_of_one_name_are_told_apart_by_folder_and_uid(tmp_path, uri):
    first, second = (write(tmp_path / folder / NAME, points) for points, folder in enumerate("ab", 1))
    for folder in (first, second):
        sync(folder, uri)
    with pytest.raises(StorageError) as raised:
        table_from_mlflow(uri, NAME)
    assert f"2 studies in {uri} are called '{NAME}'; say which: {NAME}@" in str(raised.value)
    for folder, trials in ((first, 1), (second, 2)):
        assert f"{folder}, begun 2026-09-21" in str(raised.value) and f"UTC, {trials} trials" in str(raised.value)
        uid = identity_of(folder).uid
        assert len(table_from_mlflow(uri, f"{NAME}@{uid[:8]}").trials) == trials
        assert len(table_from_mlflow(uri, NAME, uid).trials) == trials
    with pytest.raises(StorageError, match=f"no study '{NAME}@00000000'"):
        table_from_mlflow(uri, f"{NAME}@00000000")


@pytest.mark.parametrize("sent_before", [False, True])
@pytest.mark.parametrize("first", ["original", "copy"])
def test_a_copied_folder_gets_runs_of_its_own(tmp_path, uri, sent_before, first):
    original = write(tmp_path / "a" / NAME)
    if sent_before:
        sync(original, uri)
    copy = tmp_path / "b" / NAME
    shutil.copytree(original, copy)
    folders = [original, copy] if first == "original" else [copy, original]
    for folder in (*folders, *folders):
        sync(folder, uri)
    found = stems(tmp_path / "mlflow.db")
    assert found == {identity_of(folder).uid: ["0-0-0", "study"] for folder in folders} and len(found) == 2
    assert read_study(copy)["uid"] == read_study(original)["uid"], "the record is the same"
    assert not set(sent_runs(copy).values()) & set(sent_runs(original).values())
    if sent_before:
        assert identity_of(original).uid == read_study(original)["uid"], "the copy is the other one"


def test_a_copied_project_with_a_store_of_its_own_goes_on_in_it(tmp_path):
    original, copy = tmp_path / "a", tmp_path / "b"
    original.mkdir()
    sync(write(original / "studies" / NAME), fake.new_store(original))
    before = (original / "mlflow.db").read_bytes()
    shutil.copytree(original, copy)
    record = Record(copy / "studies" / NAME)
    fake.train(record, fake.spec(record.folder, 1))
    record.close()
    sync(record.folder, f"sqlite:///{copy}/mlflow.db")
    assert stems(copy / "mlflow.db") == {read_study(record.folder)["uid"]: ["0-0-0", "1-0-0", "study"]}
    assert all(place.startswith(copy.as_uri()) for *_, place in runs_in(copy / "mlflow.db"))
    assert (original / "mlflow.db").read_bytes() == before
    assert len(list((original / "mlartifacts").rglob("config.yaml"))) == 2, "nothing is written into the old folder"
    assert len(list((copy / "mlartifacts").rglob("config.yaml"))) == 3


def test_a_moved_project_finds_its_runs_and_their_files(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    sync(write(old / "studies" / NAME), fake.new_store(old))
    old.rename(new)
    uri = f"sqlite:///{new}/mlflow.db"
    assert table_from_mlflow(uri, NAME).study["seed"] == 0, "its files are read before anything is sent"
    record = Record(new / "studies" / NAME)
    fake.train(record, fake.spec(record.folder, 1))
    record.close()
    sync(record.folder, uri)
    assert stems(new / "mlflow.db") == {read_study(record.folder)["uid"]: ["0-0-0", "1-0-0", "study"]}
    assert not old.exists()


def test_a_study_that_was_moved_or_renamed_goes_on_as_the_same(tmp_path, uri):
    folder = write(tmp_path / "a" / NAME)
    sync(folder, uri)
    moved = tmp_path / "b" / "other"
    moved.parent.mkdir()
    folder.rename(moved)
    record = Record(moved)
    fake.open_study(record)
    fake.train(record, fake.spec(moved, 1))
    record.close()
    sync(moved, uri)
    assert stems(tmp_path / "mlflow.db") == {read_study(moved)["uid"]: ["0-0-0", "1-0-0", "study"]}
    assert len(table_from_mlflow(uri, "other").trials) == 2 == len(table_from_mlflow(uri, NAME).trials)


def test_a_study_that_lost_its_own_lines_keeps_its_runs(tmp_path, uri):
    folder = write(tmp_path / NAME)
    sync(folder, uri)
    before = stems(tmp_path / "mlflow.db")
    (folder / "events" / "study.jsonl").unlink()
    record = Record(folder)
    fake.open_study(record, fake.TIME + 1000)
    record.close()
    sync(folder, uri)
    assert stems(tmp_path / "mlflow.db") == before


def test_a_study_in_the_place_of_a_removed_one_is_another(tmp_path, uri):
    folder = write(tmp_path / NAME)
    sync(folder, uri)
    shutil.rmtree(folder / "events")
    write(folder, 2)
    sync(folder, uri)
    assert sorted(map(len, stems(tmp_path / "mlflow.db").values())) == [2, 3]
    assert len(table_from_mlflow(uri, NAME).trials) == 2, "from one folder, the newest is meant"


def test_a_renamed_experiment_takes_what_follows_and_is_read_by_both_names(tmp_path, uri):
    folder = write(tmp_path / NAME)
    sync(folder, uri)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as db, db:
        db.execute("UPDATE experiments SET name = 'mine' WHERE name = ?", (NAME,))
    record = Record(folder)
    fake.train(record, fake.spec(folder, 1))
    record.close()
    sync(folder, uri)
    assert {name for _, _, name, _ in runs_in(tmp_path / "mlflow.db")} == {"mine"}
    assert len(table_from_mlflow(uri, "mine").trials) == 2 == len(table_from_mlflow(uri, NAME).trials)


def recipe(folder):
    """Write a recipe and its search."""
    write(folder / "deep", 0, recipe=["tune"])
    within = {"name": "deep", "uid": read_study(folder / "deep")["uid"]}
    write(folder / "deep.tune", within=within)
    return [folder / "deep", folder / "deep.tune"]


def test_a_copied_recipe_has_its_stages_in_its_own_experiment(tmp_path, uri):
    theirs = recipe(tmp_path / "a")
    for folder in theirs:
        sync(folder, uri)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    ours = [tmp_path / "b" / folder.name for folder in theirs]
    for folder in reversed(ours):  # the stage comes first
        sync(folder, uri)
    homes = {uid: name for uid, _, name, _ in runs_in(tmp_path / "mlflow.db")}
    assert [homes[identity_of(folder).uid] for folder in theirs] == ["deep", "deep"]
    own = f"deep@{identity_of(ours[0]).uid[:8]}"
    assert [homes[identity_of(folder).uid] for folder in ours] == [own, own]
    assert len(table_from_mlflow(uri, f"deep.tune@{identity_of(ours[0]).uid[:8]}").trials) == 1


def test_a_recipe_started_again_supersedes_its_stages(tmp_path, uri):
    folders = recipe(tmp_path / "a")
    for folder in folders:
        sync(folder, uri)
    for folder in reversed(folders):
        sync(folder, uri)
    restart(folders[0])
    sync(folders[0], uri)
    assert set(stems(tmp_path / "mlflow.db")) == {identity_of(folders[0]).uid}
