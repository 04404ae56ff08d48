"""The journal backend against Optuna's own, torn lines, and the study's lock."""

import errno
import json
import os

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from hpsearch.base.errors import StorageError
from hpsearch.base.journal import Journal
from hpsearch.base.types import Objective
from hpsearch.search.storage import DriverJournal, JournalStore, MemoryStore, open_study

SPACE = {
    "x": optuna.distributions.FloatDistribution(0, 1),
    "kind": optuna.distributions.CategoricalDistribution(["a", "b"]),
}


def opened(store, sampler):
    study = open_study(store, "s", optuna.pruners.NopPruner(), Objective("valid/acc"))
    study.sampler = sampler
    return study


def run_points(study, n):
    for _ in range(n):
        trial = study.ask(SPACE)
        trial.report(trial.params["x"], step=1)
        trial.set_user_attr("state", "COMPLETE")
        study.tell(trial, trial.params["x"])


def test_what_it_writes_is_read_alike_by_optunas_own_backend(tmp_path):
    store = JournalStore().open(tmp_path)
    study = opened(store, optuna.samplers.RandomSampler(seed=1))
    run_points(study, 5)
    store.close()
    other = optuna.load_study(
        study_name="s", storage=JournalStorage(JournalFileBackend(str(tmp_path / "optuna.journal")))
    )
    assert [t.params for t in other.trials] == [t.params for t in study.trials]
    assert [t.value for t in other.trials] == [t.value for t in study.trials]
    assert [t.intermediate_values for t in other.trials] == [t.intermediate_values for t in study.trials]


def test_reopened_it_goes_on_with_the_next_number(tmp_path):
    for expected in (3, 6):
        store = JournalStore().open(tmp_path)
        study = opened(store, optuna.samplers.RandomSampler())
        run_points(study, 3)
        store.close()
        assert [t.number for t in study.trials] == list(range(expected))


def test_nothing_reaches_the_file_before_a_flush_and_everything_after(tmp_path):
    store = JournalStore().open(tmp_path)
    study = opened(store, optuna.samplers.RandomSampler())
    run_points(study, 2)
    path = tmp_path / "optuna.journal"
    assert not path.exists()
    store.flush()
    lines = path.read_text().splitlines()
    assert len([json.loads(line) for line in lines]) > 8
    store.flush()
    assert path.read_text().splitlines() == lines
    store.close()


def test_a_torn_last_line_is_cut_off_and_later_loads_succeed(tmp_path):
    store = JournalStore().open(tmp_path)
    study = opened(store, optuna.samplers.RandomSampler())
    run_points(study, 2)
    store.close()
    path = tmp_path / "optuna.journal"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 4, "study')
    for total in (3, 4):
        store = JournalStore().open(tmp_path)
        study = opened(store, optuna.samplers.RandomSampler())
        run_points(study, 1)
        store.close()
        assert len(study.trials) == total
    assert path.read_bytes().startswith(whole)


def test_a_damaged_line_in_the_middle_is_refused_in_one_line(tmp_path):
    (tmp_path / "optuna.journal").write_bytes(b'{"op_code": 0\n{"op_code": 1}\n')
    with pytest.raises(StorageError, match=r"optuna\.journal: line 1 is damaged"):
        JournalStore().open(tmp_path)


def test_a_line_that_is_no_operation_is_refused_in_one_line(tmp_path):
    (tmp_path / "optuna.journal").write_bytes(b'{"op_code": 0}\n{"name": 1}\n')
    with pytest.raises(StorageError, match=r'optuna\.journal is damaged \({"name": 1} is no operation'):
        DriverJournal(tmp_path / "optuna.journal")


def test_memory_keeps_nothing(tmp_path):
    run_points(opened(MemoryStore().open(tmp_path), optuna.samplers.RandomSampler()), 2)
    again = opened(MemoryStore().open(tmp_path), optuna.samplers.RandomSampler())
    assert again.trials == []
    assert list(tmp_path.iterdir()) == []


def test_written_operations_are_in_the_file_and_only_a_flush_waits_for_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    store = JournalStore().open(tmp_path)
    run_points(opened(store, optuna.samplers.RandomSampler()), 2)
    store.write()
    assert len((tmp_path / "optuna.journal").read_text().splitlines()) > 8
    assert not synced
    store.flush()
    store.flush()
    assert len(synced) == 1
    store.close()


def test_a_full_disk_neither_loses_nor_doubles_operations(tmp_path, monkeypatch):
    store = JournalStore().open(tmp_path)
    study = opened(store, optuna.samplers.RandomSampler())
    run_points(study, 2)
    path = tmp_path / "optuna.journal"

    def half(journal, data):
        with journal.path.open("ab") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match=r"optuna\.journal: No space left"):
        patch.setattr(Journal, "_write", half)
        store.flush()
    run_points(study, 1)
    store.close()
    assert all(json.loads(line) for line in path.read_text().splitlines())
    store = JournalStore().open(tmp_path)
    again = opened(store, optuna.samplers.RandomSampler())
    assert [t.params for t in again.trials] == [t.params for t in study.trials]
    assert len(again.trials) == 3
    store.close()


def test_queued_points_are_found_whenever_they_are_queued(tmp_path):
    store = JournalStore().open(tmp_path)
    study = opened(store, optuna.samplers.RandomSampler())
    run_points(study, 2)
    for x in (0.25, 0.75):
        study.enqueue_trial({"x": x})
    run_points(study, 3)
    study.enqueue_trial({"x": 0.5})
    store.close()
    store = JournalStore().open(tmp_path)
    again = opened(store, optuna.samplers.RandomSampler())
    run_points(again, 2)
    assert [again.trials[number].params["x"] for number in (2, 3, 5)] == [0.25, 0.75, 0.5]
    assert [trial.state.is_finished() for trial in again.trials] == [True] * 7
    store.close()
