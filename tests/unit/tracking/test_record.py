"""The record of a study: what is written, and what of it is read again."""

import math
import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hpsearch.base.journal import read_lines
from hpsearch.base.types import Report, Started, TrialId, TrialState
from hpsearch.tracking.events import read_study, read_trial, read_trials
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lr_sweep"


def _path(folder, made):
    return folder / "events" / f"{made.id.stem}.jsonl"


def test_a_trial_comes_back_as_it_was_written(folder):
    record = Record(folder)
    made = fake.spec(folder, 4, 2)
    fake.train(record, made)
    record.close()
    known = read_trial(_path(folder, made))
    assert (known.id, known.key, known.params, known.overrides) == (made.id, made.key, made.params, made.overrides)
    assert known.config == made.config
    assert folder / known.folder == folder / "trials" / "4-2-0"
    assert (known.state, known.attempts, known.score) == (TrialState.COMPLETE, 1, 0.904)
    assert [report.epoch for report in known.reports] == [0, 1, 2, 3]
    assert known.reports[2].steps[1][0] == 30
    assert known.facts == {"parameters": 4810, "device": "cpu", "data.digest": "d1gest", "peak_memory_mib": 12.5}
    assert (known.started, known.ended) == (fake.TIME + 40, fake.TIME + 49.5)


def test_a_start_cuts_back_to_its_checkpoint(folder):
    record = Record(folder)
    made = fake.spec(folder, 0)
    fake.start(record, made)
    for epoch in range(5):
        fake.report(record, made, epoch)
    fake.start(record, fake.spec(folder, 0, attempt=2), epoch=2)
    assert not fake.report(record, made, 2), "an epoch before the checkpoint is there already"
    assert fake.report(record, made, 3, loss=7.0), "an epoch behind the checkpoint is void"
    record.flush()
    known = read_trial(_path(folder, made))
    assert [report.epoch for report in known.reports] == [0, 1, 2, 3]
    assert known.reports[3].metrics["train/loss"] == 7.0
    assert known.attempts == 2
    assert known.state is TrialState.RUNNING


def test_a_start_from_scratch_voids_every_report(folder):
    record = Record(folder)
    made = fake.spec(folder, 0)
    fake.start(record, made)
    fake.report(record, made, 0)
    fake.start(record, made, epoch=None)
    assert record.trial(made.id).reports == ()


def test_reports_after_the_end_are_dropped(folder):
    record = Record(folder)
    made = fake.spec(folder, 0)
    fake.train(record, made, epochs=2)
    assert not fake.report(record, made, 3)
    record.flush()
    assert not fake.report(record, made, 3)
    assert len(record.trial(made.id).reports) == 3


def test_another_process_goes_on_with_a_torn_record(folder):
    record = Record(folder)
    made = fake.spec(folder, 0)
    fake.start(record, made)
    fake.report(record, made, 0)
    record.flush()
    with _path(folder, made).open("ab") as file:
        file.write(b'{"event":"report","epoch":1,"st')
    resumed = Record(folder)
    assert not fake.report(resumed, made, 0)
    assert fake.report(resumed, made, 1)
    resumed.close()
    events, end = read_lines(_path(folder, made))
    assert [event["event"] for event in events] == ["spec", "start", "report", "report"]
    assert end == _path(folder, made).stat().st_size


def test_a_second_spec_only_counts_the_attempt(folder):
    record = Record(folder)
    record.spec(fake.spec(folder, 0), fake.TIME)
    record.flush()
    again = Record(folder)
    again.spec(fake.spec(folder, 0, attempt=3), fake.TIME + 5)
    again.message(TrialId(0, 0), Started(None, {}, fake.TIME + 6))
    again.close()
    events, _ = read_lines(folder / "events" / "0-0-0.jsonl")
    assert [event["event"] for event in events] == ["spec", "start"]
    assert read_trials(folder)[0].attempts == 3


def test_lines_wait_for_the_flush_which_says_what_changed(folder):
    told = []
    record = Record(folder, told.append)
    made = fake.spec(folder, 0)
    fake.start(record, made)
    assert not _path(folder, made).exists()
    record.flush()
    assert told == [["study", "0-0-0"]]
    record.flush()
    fake.report(record, made, 0)
    record.flush()
    assert told[1:] == [["0-0-0"]]


def test_a_final_state_waits_for_the_disk(folder, monkeypatch):
    record = Record(folder)
    one, two = fake.spec(folder, 0), fake.spec(folder, 1)
    for made in (one, two):
        fake.start(record, made)
    record.flush()
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    fake.report(record, one, 0)
    fake.finish(record, two)
    record.flush()
    assert len(synced) == 1


def test_nonfinite_values_survive(folder):
    record = Record(folder)
    made = fake.spec(folder, 0)
    fake.start(record, made)
    fake.report(record, made, 1, loss=math.inf)
    record.message(made.id, Report(2, 40, {"train/loss": math.nan}, ((40, -math.inf),), fake.TIME))
    fake.finish(record, made, TrialState.INFEASIBLE)
    record.close()
    known = read_trial(_path(folder, made))
    assert known.reports[0].metrics["train/loss"] == math.inf
    assert math.isnan(known.reports[1].metrics["train/loss"])
    assert known.reports[1].steps == ((40, -math.inf),)
    assert math.isnan(known.score)


def test_ends_that_are_written_reach_the_disk_with_the_next_sync_up_to_a_point(folder, monkeypatch):
    record = Record(folder)
    made = [fake.spec(folder, point) for point in range(4)]
    for each in made:
        fake.start(record, each)
    record.flush()
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    for each in made[:3]:
        fake.finish(record, each)
    record.write()
    assert not synced
    files = [_path(folder, each).stat().st_ino for each in made]
    record.sync(below=1)
    assert synced == files[:1]
    record.sync()
    record.sync()
    assert sorted(synced) == sorted(files[:3])
    assert [read_trial(_path(folder, each)).state.finished for each in made] == [True, True, True, False]


def test_a_trial_that_has_ended_is_read_again_and_not_kept(folder):
    record = Record(folder)
    made = fake.spec(folder, 0)
    fake.train(record, made)
    record.flush()
    assert record.trial(made.id) == read_trial(_path(folder, made))
    assert not record._folds


def test_only_the_files_of_trials_that_run_are_held_open(folder):
    def held():
        paths = [Path(file.path) for file in psutil.Process().open_files()]
        return sorted(path.stem for path in paths if path.is_relative_to(folder))

    record = Record(folder)
    made = [fake.spec(folder, point) for point in range(3)]
    for each in made:
        fake.start(record, each)
        fake.report(record, each, 1)
        record.write()
    assert held() == ["0-0-0", "1-0-0", "2-0-0", "study"]
    record.state(made[0].id, TrialState.PAUSED, fake.TIME, reason="paused after epoch 1")
    fake.finish(record, made[1])
    record.write()
    assert held() == ["2-0-0", "study"]
    fake.start(record, made[0], epoch=1)
    fake.report(record, made[0], 2)
    record.write()
    assert held() == ["0-0-0", "2-0-0", "study"]
    record.close()
    assert held() == []
    assert [len(read_trial(_path(folder, each)).reports) for each in made] == [2, 1, 1]


def test_a_trial_that_asked_for_more_is_specified_again_once(folder):
    record, made = Record(folder), replace(fake.spec(folder, 1), params={})
    record.spec(made, 1.0)
    asked = replace(made, params={"args.lr": 0.1}, key="another", config={**made.config, "args": {"lr": 0.1}})
    record.respecify(asked)
    record.respecify(asked)
    record.close()
    known = record.trial(made.id)
    assert (known.params, known.key, known.config, known.queued) == (asked.params, "another", asked.config, 1.0)
    assert _path(folder, made).read_text().count('"event":"spec"') == 2


def test_what_trials_suggested_is_the_space(folder):
    record = Record(folder)
    record.study("open", 1.0, name="s", space={})
    record.study("suggested", 2.0, space={"args.lr": "interval(0.0, 1.0)"})
    record.study("open", 3.0, name="s", space={})
    record.close()
    study = read_study(folder)
    assert study["space"] == study["suggested"] == {"args.lr": "interval(0.0, 1.0)"}


def test_of_many_running_trials_not_all_files_are_held_open(tmp_path, monkeypatch):
    monkeypatch.setattr("hpsearch.tracking.record.MOST_OPEN", 2)
    record = Record(tmp_path)
    for epoch in (1, 2):
        for point in range(5):
            if epoch == 1:
                fake.start(record, fake.spec(tmp_path, point, 0))
            record.message(TrialId(point, 0), Report(epoch, 10 * epoch, {"valid/acc": 0.5}, (), fake.TIME + epoch))
            record.write()
    assert sum(journal._held is not None for journal in record._journals.values()) <= 2
    record.close()
    assert [len(each.reports) for each in read_trials(tmp_path)] == [2] * 5
