"""Studies as tables: an ablation is that of its arms, and the runs of trials are those sent by now."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.study.existing import rebuild_report
from hpsearch.study.tables import (
    ablation_tables,
    compared_table,
    is_ablation,
    known_as,
    table_of,
    trials_of,
    with_runs,
)
from hpsearch.tracking.events import read_study
from hpsearch.tracking.identity import identity_of
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(folder, name, points=0, **fields):
    """Write a study of so many points, each with another rate."""
    written = Record(folder / "studies" / name)
    fake.open_study(written, **fields)
    for point in range(points):
        fake.train(written, fake.spec(written.folder, point, 0, **{"optimizer.lr": 0.1 * (point + 1)}))
    written.close()
    return written


def ablation(folder, nuisance, *stages):
    recipe = record(folder, "ab", recipe=["tune", "arms"])
    config = {"ablation": {"factors": ["optimizer.lr"], "nuisance": nuisance}}
    within = {"name": "ab", "uid": read_study(recipe.folder)["uid"]}
    for points, stage in enumerate(stages, 2):
        record(folder, f"ab.{stage}", points, config=config, space={"optimizer.lr": "choice(0.1, 0.2)"}, within=within)


def test_a_search_is_its_own_table(folder):
    record(folder, "s", 2)
    for table in (table_of("s"), trials_of("s"), compared_table("s")):
        assert (table.name, len(table.trials)) == ("s", 2) and not is_ablation(table.study)


def test_an_ablation_is_that_of_its_arms(folder):
    ablation(folder, "retuned", "tune", "arms")
    arms, tuning = ablation_tables("ab")
    assert (arms.name, len(arms.trials), tuning.name, len(tuning.trials)) == ("ab.arms", 3, "ab.tune", 2)
    assert set(arms.trials["arm"]) == set(arms.curves["arm"]) and "optimizer.lr" in arms.curves
    assert trials_of("ab").name == "ab.arms" and compared_table("ab").name == "ab"


def test_what_is_held_has_no_search_before_its_arms(folder):
    ablation(folder, "held", "arms")
    assert ablation_tables("ab")[1] is None


def test_an_ablation_without_arms_says_how_to_go_on(folder):
    ablation(folder, "retuned", "tune")
    with pytest.raises(StorageError, match=r"study 'ab' has no arms yet .*; go on with: python -m hpsearch"):
        ablation_tables("ab")
    with pytest.raises(StorageError, match="no study 'ac'"):
        ablation_tables("ac")


def test_a_recipe_has_nothing_to_compare(folder):
    recipe = record(folder, "r", recipe=["coarse"])
    recipe.study("stage", fake.TIME, name="coarse")
    recipe.close()
    with pytest.raises(ConfigError, match=r"'r' is a recipe: name searches of its stages \(among r\.coarse\)"):
        compared_table("r")


def test_runs_that_were_sent_since_a_table_was_read_are_filled_in(folder):
    uri = fake.new_store(folder)
    written = record(folder, "s", 2)
    early = table_of("s")
    assert early.trials["run_id"].isna().all()
    sync(written.folder, uri, str(folder / "mlartifacts"))
    late = table_of("s")
    assert with_runs(early).trials.equals(late.trials) and late.trials["run_id"].notna().all()


def rename(folder, name):
    with closing(sqlite3.connect(folder / "mlflow.db")) as db, db:
        db.execute("UPDATE experiments SET name = ? WHERE experiment_id > 0", (name,))


@pytest.mark.parametrize("called", ["mine", "My study (final), 学 #2"])
def test_a_study_is_found_by_the_name_that_a_person_gave_its_experiment(folder, called):
    sync(record(folder, "s", 2).folder, fake.new_store(folder))
    rename(folder, called)
    assert known_as(called) == known_as("s") == "s"
    assert table_of(called).samples is not None, "its record is read, not the store"
    page = rebuild_report(called)
    assert page == folder / "studies" / "s" / "report.html"
    (folder / "studies" / "s").rename(folder / "studies" / "moved")
    assert known_as(called) == known_as("s") == "moved"
    uid = identity_of(folder / "studies" / "moved").uid
    shutil.rmtree(folder / "studies")
    own = "mine" if called == "mine" else f"s@{uid[:8]}"
    assert known_as(called) == own and len(table_of(called).trials) == 2
    assert rebuild_report(called) == folder / "studies" / own / "report.html"


def test_the_stages_of_a_recipe_follow_the_name_of_its_experiment(folder):
    ablation(folder, "retuned", "tune", "arms")
    uri = fake.new_store(folder)
    for name in ("ab", "ab.tune", "ab.arms"):
        sync(folder / "studies" / name, uri)
    rename(folder, "My ablation!")
    assert known_as("My ablation!.tune") == "ab.tune" and trials_of("My ablation!").name == "ab.arms"
    shutil.rmtree(folder / "studies")
    assert [len(table.trials) for table in ablation_tables("My ablation!")] == [3, 2]


@pytest.mark.parametrize("name", ["../s", "no such study", "/s", ""])
def test_what_nothing_is_called_is_refused_and_nothing_is_created(folder, name):
    with pytest.raises(ConfigError, match="is no name of a study"):
        rebuild_report(name)
    sync(record(folder, "s", 1).folder, fake.new_store(folder))
    with pytest.raises(StorageError, match=r"no study '.*' in sqlite.* \(there are: s\)"):
        rebuild_report(name)
    assert [path.name for path in (folder / "studies").iterdir()] == ["s"]
