"""Damaged event files, and files that somebody left beside them."""

import shutil
from pathlib import Path

import pytest

from hpsearch.base.errors import DamageError
from hpsearch.tracking.damage import is_incomplete, kept_aside, lost_ends, mend_events, strangers
from hpsearch.tracking.events import read_study, read_trial, read_trials
from hpsearch.tracking.record import Record, uid_on_record
from tests.support.fake_study import write_study


@pytest.fixture
def folder(tmp_path):
    record = write_study(tmp_path / "studies" / "s")
    ended = sum(each.state.finished for each in read_trials(record.folder))
    record.study("best", 1.0, point=1, params={}, mean=0.5, sd=0.0, n=2)
    record.study("state", 2.0, state="COMPLETE", answer="", why="", trials=ended)
    record.close()
    return record.folder


COPIES = ["0-0-0 copy.jsonl", "0-0-0 (1).jsonl", "._0-0-0.jsonl", "0-0-0.jsonl~", "0-0-0.sync-conflict-1.jsonl"]


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_beside_an_event_file_is_passed_over_and_named_in_one_line(folder, name):
    assert strangers(folder) == []
    before = read_trials(folder)
    shutil.copy(folder / "events" / "0-0-0.jsonl", folder / "events" / name)
    (line,) = strangers(folder)
    assert repr(name) in line and str(folder / "events") in line and "\n" not in line
    assert read_trials(folder) == before


def test_many_copies_are_one_line_and_what_is_kept_aside_is_not_named(folder):
    for name in COPIES:
        (folder / "events" / name).touch()
    kept_aside(folder / "events" / "1-0-0.jsonl")
    (line,) = strangers(folder)
    assert line.count(".jsonl") == 3 and "and 2 more are no event files" in line


def test_what_is_kept_aside_never_takes_the_place_of_another(tmp_path):
    for name in ("a.jsonl.damaged", "a.jsonl.damaged_2", "a.jsonl.damaged_3"):
        (tmp_path / "a.jsonl").write_text(name)
        assert kept_aside(tmp_path / "a.jsonl").read_text() == name
    assert len(list(tmp_path.iterdir())) == 3


def changed(path, old, new):
    data = path.read_bytes()
    assert data.count(old), "there is something to change"
    path.write_bytes(data.replace(old, new, 1))


def test_a_damaged_file_of_a_trial_is_kept_aside(folder):
    path = folder / "events" / "0-0-0.jsonl"
    changed(path, b'"state":"COMPLETE"', b'"state":"PRUNED"')
    with pytest.raises(DamageError, match="is damaged: up to line"):
        read_trial(path)
    assert is_incomplete(folder)
    (line,) = mend_events(folder)
    assert line.startswith(f"{path}: is damaged") and "kept as 0-0-0.jsonl.damaged" in line
    assert not path.exists() and mend_events(folder) == []
    (said,) = lost_ends(folder)
    assert "the ends of 1 trial are lost" in said and "+study=" in said


@pytest.mark.parametrize("damage", ["no file", "no end"])
def test_ends_that_were_on_record_and_are_lost_are_said(folder, damage):
    assert lost_ends(folder) == [] and not is_incomplete(folder)
    path = folder / "events" / "1-1-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink() if damage == "no file" else path.write_bytes(b"".join(lines[:-1]))
    assert "the ends of 1 trial are lost" in lost_ends(folder)[0] and is_incomplete(folder)


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_study_without_its_own_record_is_incomplete_and_one_that_never_was_is_not(folder, lose):
    lose(folder / "events" / "study.jsonl")
    assert is_incomplete(folder) and not is_incomplete(folder / "none")


LINES = ("uid", "question", "best", "state")


@pytest.mark.parametrize("place", range(4))
def test_of_a_studys_own_file_the_lines_stay_whose_seals_follow_from_those_before(tmp_path, place):
    record = Record(tmp_path)
    record.study("open", 1.0, name="s", question="Why?")
    record.study("best", 2.0, point=1, params={}, mean=0.5, sd=0.0, n=2)
    record.study("state", 3.0, state="COMPLETE", answer="")
    record.close()
    path, known = tmp_path / "events" / "study.jsonl", read_study(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[place] = lines[place].replace(b'"event"', b'"evEnt"', 1)
    path.write_bytes(b"".join(lines))
    (said,) = mend_events(tmp_path)
    assert "kept as study.jsonl.damaged, and what is whole of it goes on" in said
    now = read_study(tmp_path)
    assert [name in now for name in LINES] == [number != place for number in range(4)]
    assert all(now[name] == known[name] for number, name in enumerate(LINES) if number != place)
    assert mend_events(tmp_path) == []


def test_a_studys_uid_is_known_as_long_as_one_trial_is(folder):
    uid = uid_on_record(folder)
    (folder / "events" / "study.jsonl").unlink()
    assert uid_on_record(folder) == uid == Record(folder).uid
    shutil.rmtree(folder / "events")
    assert uid_on_record(folder) is None and Record(folder, uid="given").uid == "given"
