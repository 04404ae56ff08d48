"""A record that is looked at while it is written: each line once, and the same as a reader of the whole file sees."""

import json
import shutil

import pytest

from hpsearch.base.types import Report, Started, TrialId, TrialSpec, TrialState
from hpsearch.tracking import glance as module
from hpsearch.tracking.events import STUDY, read_trial
from hpsearch.tracking.glance import StudyGlance
from hpsearch.tracking.record import Record

TRIAL = TrialId(3, 1)


def spec(folder, trial, attempt=1):
    config = {"trainer": {"epochs": 4}}
    return TrialSpec("s", trial, config, {"a": 1}, ("a=1",), "k", str(folder / "trials"), attempt=attempt)


def life(folder, trial=TRIAL, **where):
    """Write a trial that is cut off, goes on from epoch 1, fails, is given another chance and completes."""
    record = Record(folder)
    for attempt, first, state in ((1, None, None), (2, 1, TrialState.FAILED), (3, None, TrialState.COMPLETE)):
        record.spec(spec(folder, trial, attempt), 1.0)
        record.message(trial, Started(first, {}, 10.0 * attempt), **where)
        for epoch in range((first or 0) + 1, 4):
            record.message(trial, Report(epoch, epoch, {"valid/acc": 0.1 * epoch}, (), 10.0 * attempt + epoch))
        if state is TrialState.FAILED:
            record.state(trial, state, 29.0, reason="it broke")
            record.again(trial, 29.5)
        elif state:
            record.state(trial, state, 39.0, score=0.3)
    record.close()
    return folder / "events" / f"{trial.stem}.jsonl"


def test_at_every_byte_of_a_life_it_sees_what_a_reader_of_the_whole_file_sees(tmp_path, monkeypatch):
    data = life(tmp_path / "whole", worker=2, node="far").read_bytes()
    shutil.copytree(tmp_path / "whole", tmp_path / "s")
    path, seen = tmp_path / "s" / "events" / f"{TRIAL.stem}.jsonl", set()
    monkeypatch.setattr(module, "_ROUND", 1)
    path.write_bytes(b"")
    glance = StudyGlance(tmp_path / "s")
    ends = [n + 1 for n, byte in enumerate(data) if byte == 10]
    for end in sorted({*ends, *(end - 1 for end in ends), *(end - 30 for end in ends)}):
        with path.open("r+b") as file:
            file.write(data[:end])
        glance.look()
        whole = read_trial(path)
        found = glance.trials[TRIAL.stem]
        assert not glance.unreadable
        assert found.state is (whole.state if whole else TrialState.WAITING)
        seen.add(found.state)
        if found.state is TrialState.RUNNING:
            (running,) = glance.running(now=100.0)
            last = whole.reports[-1] if whole.reports and whole.reports[-1].time >= whole.heard else None
            assert running.heard_sec == 100.0 - whole.heard and running.attempt == whole.attempts
            assert (running.worker, running.node, running.epochs) == (2, "far", 4)
            assert running.epoch == (last.epoch if last else found.start["epoch"] or 0)
            assert running.metrics == (last.metrics if last else {})
        elif found.state is TrialState.FAILED:
            assert found.reason == "it broke"
    assert seen == {TrialState.WAITING, TrialState.RUNNING, TrialState.FAILED, TrialState.COMPLETE}


def test_each_byte_is_read_once_and_trials_that_have_ended_are_not_asked_again(tmp_path, monkeypatch):
    folder = tmp_path / "s"
    for point in range(5):
        life(folder, TrialId(point, 0))
    record = Record(folder)
    record.spec(spec(folder, TrialId(9, 0)), 1.0)
    record.message(TrialId(9, 0), Started(None, {}, 1.0))
    record.flush()
    glance = StudyGlance(folder)
    glance.look()
    asked, begins = [], []
    stat, opened = module.stat, module.opened
    monkeypatch.setattr(module, "stat", lambda path: asked.append(path.name) or stat(path))

    def watched(path, *args):
        begins.append((path.name, glance.trials["9-0-0"].tail.offset))
        return opened(path, *args)

    monkeypatch.setattr(module, "opened", watched)
    size = (folder / "events/9-0-0.jsonl").stat().st_size
    glance.look()
    assert sorted(asked) == ["9-0-0.jsonl", f"{STUDY}.jsonl"] and not begins
    record.message(TrialId(9, 0), Report(1, 1, {}, (), 2.0))
    record.flush()
    glance.look()
    assert begins == [("9-0-0.jsonl", size)]
    asked.clear()
    record.study("open", 3.0, name="s")
    record.flush()
    glance.look()
    assert len(asked) == 7, "a new driver may train what had ended"


def test_a_file_that_is_replaced_cut_or_removed_is_read_anew(tmp_path):
    path = life(tmp_path / "s")
    lines = path.read_bytes().splitlines(keepends=True)
    glance = StudyGlance(tmp_path / "s")
    for whole, attempt in ((6, 2), (2, 1)):
        path.write_bytes(b"".join(lines[:whole]))
        glance.look()
        assert [each.attempt for each in glance.running(99.0)] == [attempt]
    other = life(tmp_path / "other")
    other.replace(path)
    glance.look()
    assert glance.trials[TRIAL.stem].state is TrialState.COMPLETE
    path.unlink()
    glance.look()
    assert not glance.trials


def test_damage_is_named_and_forgotten_once_it_is_mended(tmp_path):
    path = life(tmp_path / "s")
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b'"epoch":1', b'"epoch":7', 1))
    glance = StudyGlance(tmp_path / "s")
    for _ in range(2):
        glance.look()
        assert "is damaged" in glance.unreadable[TRIAL.stem] and not list(glance.readable)
    path.write_bytes(sound)
    glance.look()
    assert not glance.unreadable and [each.state for each in glance.readable] == [TrialState.COMPLETE]


def test_a_trial_that_had_ended_and_goes_on_has_its_specification_again(tmp_path):
    path = life(tmp_path / "s")
    glance = StudyGlance(tmp_path / "s")
    glance.look()
    record = Record(tmp_path / "s")
    record.study("open", 40.0, name="s")
    record.again(TRIAL, 41.0)
    record.message(TRIAL, Started(None, {}, 42.0))
    record.flush()
    glance.look()
    assert glance.running(50.0)[0].params == {"a": 1} and path.exists()


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_is_unsent_is_counted_by_the_notes_of_the_newest_store(tmp_path, kept):
    path = life(tmp_path / "s")
    own = path.with_name(f"{STUDY}.jsonl")
    notes = [{"name": f.stem, "run": "r", "offset": f.stat().st_size, "epoch": 1, "step": 1} for f in (path, own)]
    (tmp_path / "s/tracking").mkdir()
    glance = StudyGlance(tmp_path / "s")
    glance.look()
    assert glance.unsent() == 2
    file = tmp_path / "s/tracking/abc.jsonl"
    file.write_text("".join(json.dumps(note) + "\n" for note in notes[:kept]))
    assert glance.unsent() == 2 - kept
    with own.open("a") as more:
        more.write('{"event":"system","time":1.0,"metrics":{}}\n')
    glance.look()
    assert glance.unsent() == (2, 1, 1)[kept]
