"""Lines that survive power cuts and full disks."""

import errno
import gc
import json
import math
import os
import threading
import zlib

import pytest

from hpsearch.base.errors import DamageError, StorageError
from hpsearch.base.journal import Journal, _threads, check_seal, read_lines, sync_all


def test_lines_come_back_as_they_were_written(tmp_path):
    journal = Journal(tmp_path / "deep" / "a.jsonl")
    events = [{"n": 0, "text": "Zürich\n\ud800"}, {"value": [math.inf, -math.inf, 1e-320]}]
    for event in events:
        journal.append(event)
    journal.flush()
    assert read_lines(tmp_path / "deep" / "a.jsonl")[0] == events


def test_nan_survives(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    journal.append({"value": math.nan})
    journal.flush()
    assert math.isnan(read_lines(tmp_path / "a.jsonl")[0][0]["value"])


@pytest.mark.parametrize("tail", [b'{"n": 2, "te', b"\x00" * 100, b"\x00" * 40 + b"\n", b'{"n": 2}', b"[1]\n"])
def test_a_torn_tail_is_ignored_by_readers_and_cut_off_by_the_next_append(tmp_path, tail):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":1}\n' + tail)
    assert read_lines(path) == ([{"n": 0}, {"n": 1}], 16)
    journal = Journal(path)
    journal.append({"n": 5})
    journal.flush()
    assert path.read_bytes() == b'{"n":0}\n{"n":1}\n{"n":5}\n'


@pytest.mark.parametrize("tail", [b"\x00" * 20 + b"\n\x00\n", b'{"n":2\n{"n":3}', b'{"n":2\n[1]\n\xff\n'])
def test_several_torn_lines_at_the_end_are_a_torn_tail(tmp_path, tail):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":1}\n' + tail)
    assert read_lines(path) == ([{"n": 0}, {"n": 1}], 16)
    assert read_lines(path, 16) == ([], 16)


@pytest.mark.parametrize("bad", [b'{"n":x}\n', b"\x00" * 8, b"\xff\n", b"\n", b"[1]\n"])
def test_damage_before_the_end_is_an_error_and_keeps_the_lines_behind_it(tmp_path, bad):
    path = tmp_path / "a.jsonl"
    data = b'{"n":0}\n{"n":1}\n' + bad + b'{"n":2}\n{"n":3}\n{"n"'
    path.write_bytes(data)
    for read in (read_lines, Journal, lambda path: read_lines(path, 8)):
        with pytest.raises(StorageError, match=r"a\.jsonl: line 3 is damaged .*restore the file, or mend"):
            read(path)
    assert read_lines(path, end=16) == ([{"n": 0}, {"n": 1}], 16)
    assert path.read_bytes() == data


def test_lines_can_be_read_from_an_offset_to_an_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":1}\n{"n":2}\n')
    assert read_lines(path, 8) == ([{"n": 1}, {"n": 2}], 24)
    assert read_lines(path, end=16) == ([{"n": 0}, {"n": 1}], 16)
    assert read_lines(path, 24) == ([], 24)
    assert read_lines(tmp_path / "none.jsonl", 3) == ([], 3)


def test_a_full_disk_neither_loses_nor_doubles_lines(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    journal = Journal(path)
    journal.append({"n": 0})
    journal.flush()
    for n in (1, 2):
        journal.append({"n": n})
    with monkeypatch.context() as patch, pytest.raises(StorageError, match=r"a\.jsonl: No space left"):
        patch.setattr(Journal, "_write", _half_then_full)
        journal.flush()
    journal.append({"n": 3})
    journal.flush()
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [0, 1, 2, 3]


def _half_then_full(journal, data):
    with journal.path.open("ab") as file:
        file.write(data[: len(data) // 2 + 3])
    raise OSError(errno.ENOSPC, "No space left on device")


def test_one_write_per_flush_and_fsync_only_when_asked(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal = Journal(tmp_path / "a.jsonl")
    for n in range(3):
        journal.append({"n": n})
    journal.flush()
    assert not synced
    journal.append({"n": 3}, durable=True)
    journal.append({"n": 4})
    journal.flush()
    journal.flush()
    journal.append({"n": 5})
    journal.flush(fsync=True)
    assert len(synced) == 2


def test_several_files_wait_for_the_disk_together(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    journals = [Journal(tmp_path / f"{n}.jsonl") for n in range(20)]
    for journal in journals:
        journal.append({"n": 0}, durable=True)
        journal.write()
        assert journal.due
    sync_all(journals)
    assert sorted(synced) == sorted(journal.path.stat().st_ino for journal in journals)
    assert not any(journal.due for journal in journals)


def test_a_disk_that_takes_nothing_is_one_clear_line(tmp_path, monkeypatch):
    def fails(_file):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    journals = [Journal(tmp_path / f"{n}.jsonl") for n in range(2)]
    for journal in journals:
        journal.append({"n": 0})
        journal.write()
    with pytest.raises(StorageError, match=r"cannot write .*0\.jsonl: Input/output error"):
        sync_all(journals)


def test_one_that_is_held_open_writes_the_same_and_lets_go(tmp_path):
    held, other = Journal(tmp_path / "held.jsonl", hold=True), Journal(tmp_path / "other.jsonl")
    for journal in (held, other):
        for number in range(3):
            journal.append({"n": number})
            journal.flush(fsync=number == 1)
    descriptor = held._held
    os.fstat(descriptor)
    held.close()
    held.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)
    held.append({"n": 3})
    held.flush()
    other.append({"n": 3})
    other.flush()
    held.close()
    assert held.path.read_bytes() == other.path.read_bytes()


def sealed(path):
    journal = Journal(path)
    for n in range(3):
        journal.append({"n": n}, sealed=n != 1)
    journal.write()
    return path.read_bytes()


def test_a_seal_is_the_checksum_of_all_before_it_and_no_field_of_the_line(tmp_path):
    path = tmp_path / "a.jsonl"
    data = sealed(path)
    for line in (0, 2):
        before, _, seal = b"".join(data.splitlines(keepends=True)[: line + 1]).rpartition(b',"seal":"')
        assert int(seal[:8], 16) == zlib.crc32(before)
    assert read_lines(path) == ([{"n": 0}, {"n": 1}, {"n": 2}], len(data))
    journal = Journal(path)
    journal.append({"n": 3}, sealed=True)
    journal.write()
    assert read_lines(path)[0][3:] == [{"n": 3}], "the checksum goes on in another process"


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_sealed_file_with_another_byte_or_without_a_line_is_damaged(tmp_path, line):
    path = tmp_path / "a.jsonl"
    lines = sealed(path).splitlines(keepends=True)
    changed = lines[line].replace(b'"n":%d' % line, b'"n":7')
    for damaged in (
        [*lines[:line], changed, *lines[line + 1 :]],
        [*lines[:line], *lines[line + 1 :]][: 3 - (line == 2)],
    ):
        path.write_bytes(b"".join(damaged))
        if damaged == lines[:2]:
            assert read_lines(path)[0] == [{"n": 0}, {"n": 1}], "cut at a line: a shorter record"
            continue
        for read in (read_lines, Journal):
            with pytest.raises(DamageError, match=r"a\.jsonl: is damaged: up to line \d it is not what was written"):
                read(path)


def test_lines_that_are_garbled_before_a_seal_are_damage_to_whoever_reads_no_more_than_the_end(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = sealed(path).splitlines(keepends=True)
    damaged = b"".join([b"garbled\n", b"\xff[\n", *lines[1:]])
    with pytest.raises(DamageError, match=r"a\.jsonl: is damaged: up to line 4"):
        check_seal(damaged, path)


def test_a_text_that_looks_like_a_seal_is_none(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    journal.append({"n": 0, "text": ',"seal":"01234567"}', "table": {"n": 1, "seal": "01234567"}})
    journal.write()
    assert read_lines(tmp_path / "a.jsonl")[0][0]["n"] == 0


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("what", ["appended to", "cut", "replaced", "removed", "moved"])
def test_a_file_that_somebody_else_touched_is_written_no_more(tmp_path, what, hold):
    folder = tmp_path / "there"
    path = folder / "a.jsonl"
    journal = Journal(path, hold=hold)
    journal.append({"n": 0})
    journal.write()
    data = path.read_bytes()
    match what:
        case "appended to":
            path.write_bytes(data + data)
        case "cut":
            path.write_bytes(data[:-3])
        case "replaced":
            path.with_name("b").write_bytes(data * hold)
            path.with_name("b").replace(path)
        case "removed":
            path.unlink()
        case "moved":
            folder.rename(tmp_path / "elsewhere")
    left = path.read_bytes() if path.exists() else None
    journal.append({"n": 1})
    with pytest.raises(StorageError, match=r"a\.jsonl: (was|somebody).*; this command writes no more"):
        journal.write()
    assert (path.read_bytes() if path.exists() else None) == left and folder.exists() == (what != "moved")
    journal.close()


def test_waiting_for_the_disk_starts_no_thread_but_the_first_time(tmp_path, monkeypatch):
    journals = [Journal(tmp_path / f"{name}.jsonl") for name in "abc"]
    for again in range(2):
        for journal in journals:
            journal.append({"n": again})
            journal.flush()
        sync_all(journals)
        monkeypatch.setattr(threading.Thread, "start", lambda self: pytest.fail("a thread that may find no memory"))


def test_threads_of_which_one_cannot_start_leave_none_waiting(monkeypatch):
    start, begun = threading.Thread.start, []

    def fourth_fails(thread):
        if len(begun) == 3:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fourth_fails)
    with pytest.raises(RuntimeError, match="new thread"):
        _threads(-1)
    gc.collect()  # the pool goes, and its threads with it unless they wait for one another
    for thread in begun:
        thread.join(10)
        assert not thread.is_alive()
