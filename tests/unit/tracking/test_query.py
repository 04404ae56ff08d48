"""Studies as tables, from both sources."""

import json
import math
import os
import random
import shutil

import pandas as pd
import pytest
from filelock import FileLock

from hpsearch.base import columns
from hpsearch.base.errors import StorageError
from hpsearch.base.files import LAYERS
from hpsearch.base.types import BestPoint, Report, TrialId, TrialState
from hpsearch.tracking import query
from hpsearch.tracking.events import read_trial
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "studies" / "lr_sweep"


@pytest.fixture
def uri(tmp_path):
    return fake.new_store(tmp_path)


def _assert_same(ours, theirs):
    assert ours.name == theirs.name
    assert ours.study == theirs.study
    for part in ("trials", "curves", "steps"):
        pd.testing.assert_frame_equal(getattr(ours, part), getattr(theirs, part))


def test_both_sources_give_the_same_tables(folder, uri):
    record = fake.write_study(folder)
    fake.train(record, fake.spec(folder, 9, **{"model": "lenet", "optimizer": "adam", "model.kernel_size": 5}))
    record.close()
    (folder / "events" / "7-0-0.jsonl").unlink()  # has not started: only the record knows it
    sync(folder, uri)
    _assert_same(query.table_from_events(folder), query.table_from_mlflow(uri, "lr_sweep"))


def test_the_evaluations_at_the_end_are_read_from_both_sources(folder, uri):
    record, made = fake.write_study(folder), fake.spec(folder, 9)
    fake.start(record, made)
    fake.report(record, made, 1)
    end = ((38, {"valid/acc": 0.5, "test/loss": math.nan}), (39, {"valid/acc": 0.25}), (40, {"valid/acc": 0.75}))
    fake.report(record, made, 2, end=end)
    fake.finish(record, made)
    record.close()
    sync(folder, uri)
    ours, theirs = query.table_from_events(folder), query.table_from_mlflow(uri, "lr_sweep")
    pd.testing.assert_frame_equal(ours.ends, theirs.ends)
    assert ours.ends[["point", "step", "valid/acc"]].to_numpy().tolist() == [[9, 38, 0.5], [9, 39, 0.25], [9, 40, 0.75]]
    pd.testing.assert_frame_equal(ours.curves, theirs.curves)
    known = read_trial(folder / "events" / "9-0-0.jsonl")
    assert known.end("valid/acc") == [0.5, 0.25, 0.75] and known.end("test/loss") == []


def test_what_the_layers_did_is_read_from_both_sources(folder, uri):
    made = fake.spec(folder, 9)
    rows = [{"epoch": 1, "step": 1, "loss": 2.0, "gradient": {"a": 1.0}, "weight": {"a": 2.0}}]
    (folder / "trials" / "9-0-0").mkdir(parents=True)
    (folder / "trials" / "9-0-0" / LAYERS).write_text(json.dumps(rows))
    record = fake.write_study(folder)
    fake.start(record, made)
    fake.report(record, made, 1)
    record.state(made.id, TrialState.COMPLETE, fake.TIME, score=0.5, artifacts=(LAYERS,))
    record.close()
    sync(folder, uri)
    ours, theirs = query.table_from_events(folder), query.table_from_mlflow(uri, "lr_sweep")
    shutil.rmtree(folder)
    assert list(ours.layers) == list(theirs.layers) == [made.id]
    assert theirs.layers[made.id] == rows
    assert ours.layers[made.id] == []  # its file is gone by now
    assert TrialId(0, 0) not in theirs.layers and theirs.layers.get(TrialId(0, 0), ()) == ()


def test_the_columns_are_those_the_table_promises(folder):
    fake.write_study(folder).close()
    table = query.table_from_events(folder)
    assert list(table.trials.columns) == [
        *columns.TRIAL_COLUMNS,
        *("optimizer.lr", "epoch_sec", "train/loss", "valid/acc"),
        *("data.digest", "device", "parameters", "peak_memory_mib", "repeated_epochs"),
    ]
    assert list(table.curves.columns) == [*columns.CURVE_COLUMNS, "epoch_sec", "train/loss", "valid/acc"]
    assert list(table.steps.columns) == list(columns.STEP_COLUMNS)
    retried = table.trials[table.trials.point == 5].iloc[0]
    assert (retried.state, retried.attempts, retried.score) == ("COMPLETE", 2, 0.905)
    assert list(table.curves[table.curves.point == 5].epoch) == [0, 1, 2, 3]
    assert retried["valid/acc"] == table.curves[table.curves.point == 5]["valid/acc"].iloc[-1]
    assert 0 < retried.duration_sec <= retried.ended - retried.started
    diverged = table.curves[table.curves.point == 3]
    assert math.isnan(diverged["train/loss"].iloc[1])
    assert diverged["train/loss"].iloc[2] == math.inf
    steps = table.steps[(table.steps.point == 0) & (table.steps.seed == 1)]
    assert list(steps.step) == [1, 10, 20, 21, 30, 40, 41, 50, 60]


def test_a_metric_with_the_name_of_a_fixed_column_has_one_of_its_own(folder, uri):
    record = Record(folder)
    fake.open_study(record)
    made = fake.spec(folder, 0)
    fake.start(record, made)
    taken = dict.fromkeys((*columns.TRIAL_COLUMNS, *columns.CURVE_COLUMNS, "arm"), -1.0)
    record.message(made.id, Report(0, 5, taken, (), fake.TIME))
    fake.finish(record, made)
    record.close()
    sync(folder, uri)
    table = query.table_from_events(folder)
    assert table.trials.score[0] == 0.9
    assert table.trials.state[0] == "COMPLETE"
    assert table.curves.step[0] == 5
    assert all(table.trials[f"metrics.{name}"][0] == table.curves[f"metrics.{name}"][0] == -1.0 for name in taken)
    assert not {"metrics.valid/acc", "arm"} & set(table.trials.columns)
    _assert_same(table, query.table_from_mlflow(uri, "lr_sweep"))


def test_a_study_started_again_is_read_without_the_old_one(folder, uri):
    fake.write_study(folder).close()
    sync(folder, uri)
    folder.rename(folder.with_name("old"))
    record = Record(folder)
    fake.open_study(record, fake.TIME + 1000, restart=True)
    fake.train(record, fake.spec(folder, 0))
    record.close()
    sync(folder, uri)
    assert len(query.table_from_mlflow(uri, "lr_sweep").trials) == 1


def test_an_empty_study_has_empty_tables(folder):
    record = Record(folder)
    fake.open_study(record)
    record.close()
    table = query.table_from_events(folder)
    assert len(table.trials) == len(table.curves) == len(table.steps) == 0
    assert list(table.trials.columns) == list(columns.TRIAL_COLUMNS)


def test_missing_studies_are_one_clear_line(folder, uri, tmp_path):
    with pytest.raises(StorageError, match="no study in"):
        query.table_from_events(folder)
    with pytest.raises(StorageError, match="no study 'none' in sqlite"):
        query.table_from_mlflow(uri, "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="no tracking store at"):
        query.table_from_mlflow(f"sqlite:///{tmp_path}/empty/mlflow.db", "lr_sweep")
    assert not list((tmp_path / "empty").iterdir()), "asking creates nothing"


def test_a_trial_is_found_by_its_run(folder, uri):
    fake.write_study(folder).close()
    sync(folder, uri)
    table = query.table_from_events(folder)
    run = table.trials[table.trials.point == 5].run_id.iloc[0]
    study, found = query.find_run(uri, run)
    known = read_trial(folder / "events" / "5-0-0.jsonl")
    assert study == "lr_sweep"
    assert found == known


def test_other_runs_are_no_trials(folder, uri):
    fake.write_study(folder).close()
    sync(folder, uri)
    with pytest.raises(StorageError, match="no run 'f00'"):
        query.find_run(uri, "f00")
    client = query._client(uri)
    parent = client.search_runs([client.get_experiment_by_name("lr_sweep").experiment_id], "tags.sampler = 'Grid'")[0]
    with pytest.raises(StorageError, match="is not the run of a trial"):
        query.find_run(uri, parent.info.run_id)


def test_studies_are_listed_the_newest_first(folder):
    fake.write_study(folder).close()
    for file in (folder / "events").iterdir():
        os.utime(file, (fake.TIME, fake.TIME))
    record = Record(folder.with_name("single"))
    fake.open_study(record, name="single", question=None)
    record.close()
    newest, older = query.studies(folder.parent)
    assert (newest.name, newest.state, newest.question, newest.best) == ("single", "INTERRUPTED", "", None)
    assert (older.name, older.state) == ("lr_sweep", "COMPLETE")
    assert older.counts == {
        TrialState.COMPLETE: 7,
        TrialState.INFEASIBLE: 1,
        TrialState.FAILED: 1,
        TrialState.PAUSED: 1,
        TrialState.WAITING: 1,
    }
    assert older.best == BestPoint(1, {"optimizer.lr": 0.62}, 0.901, 0.0, 2)
    assert older.created == fake.TIME
    assert query.studies(folder) == []


def test_a_study_runs_while_its_lock_is_held(folder):
    record = Record(folder)
    fake.open_study(record)
    record.close()
    assert query.studies(folder.parent)[0].state == "INTERRUPTED"
    assert not (folder / "lock").exists(), "asking creates nothing"
    (folder / "lock").touch()
    with FileLock(folder / "lock"):
        assert query.studies(folder.parent)[0].state == "RUNNING"
    assert query.studies(folder.parent)[0].state == "INTERRUPTED"


def test_a_study_that_was_moved_aside_goes_by_the_name_of_its_folder(folder):
    fake.write_study(folder).close()
    aside = folder.rename(folder.with_name("lr_sweep.20261120T200031"))
    assert [summary.name for summary in query.studies(folder.parent)] == [aside.name]
    table = query.table_from_events(aside)
    assert table.name == table.study["name"] == aside.name


def test_a_damaged_study_is_listed_with_the_others(folder):
    fake.write_study(folder).close()
    aside = folder.rename(folder.with_name("aside"))
    fake.write_study(folder).close()
    path = aside / "events" / "study.jsonl"
    path.write_bytes(b"\0" + path.read_bytes())
    states = {summary.name: summary.state for summary in query.studies(folder.parent)}
    assert states == {"aside": "DAMAGED", "lr_sweep": "COMPLETE"}
    with pytest.raises(StorageError, match="line 1 is damaged"):
        query.table_from_events(aside)


def test_a_study_with_a_damaged_trial_is_listed_with_its_others(folder):
    fake.write_study(folder).close()
    path = folder / "events/0-0-0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"epoch":2', b'"epoch":3', 1))
    (summary,) = query.studies(folder.parent)
    assert (summary.state, summary.counts[TrialState.COMPLETE]) == ("DAMAGED", 6)
    assert summary.changed == max(path.stat().st_mtime for path in (folder / "events").iterdir())


@pytest.mark.parametrize("ask", [query.table_from_mlflow, query.find_run])
def test_a_server_that_does_not_answer_is_one_clear_line(ask):
    generator = random.getstate()
    with pytest.raises(StorageError, match=r"^MLflow at http://127\.0\.0\.1:9: the server does not answer$"):
        ask("http://127.0.0.1:9", "lr_sweep")
    assert random.getstate() == generator, "trials draw from it too"
