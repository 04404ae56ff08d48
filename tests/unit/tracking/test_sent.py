"""What of a record has been sent."""

import pytest

from hpsearch.tracking import sent
from hpsearch.tracking.events import STUDY
from hpsearch.tracking.runs import SENT, Trail
from hpsearch.tracking.sent import Sent, sent_file, sent_runs
from hpsearch.tracking.writer import FoundRun
from tests.support.fake_study import write_study

URI = "http://127.0.0.1:9"


def offset(folder, name):
    return (folder / "events" / f"{name}.jsonl").stat().st_size


def test_what_was_sent_is_known_to_the_next_one_and_the_rest_is_pending(tmp_path):
    folder = write_study(tmp_path / "study").folder
    first = Sent(folder, URI)
    assert first.pending() == {STUDY, *(path.stem for path in (folder / "events").glob("*-*-*.jsonl"))}
    first.save("0-0-0", Trail(offset=offset(folder, "0-0-0"), run="run", epoch=2, step=9))
    again = Sent(folder, URI)
    assert again.run("0-0-0") == "run" and again.run("1-0-0") is None
    assert again.pending() == first.pending() and "0-0-0" not in again.pending()
    trail = again.trail("0-0-0", again.run("0-0-0"))
    assert (trail.offset, trail.run) == (offset(folder, "0-0-0"), "run") and trail.step >= 9
    assert sent_runs(folder) == {"0-0-0": "run"}


def test_what_the_store_does_not_have_is_forgotten_and_what_was_deleted_is_not(tmp_path):
    folder = write_study(tmp_path / "study").folder
    known = Sent(folder, URI)
    for point, run in enumerate(("kept", "gone", "older", "bare", "deleted")):
        known.save(f"{point}-0-0", Trail(run=run, offset=7))
    there = {
        "0-0-0": FoundRun("kept", "FINISHED", 0, False, {SENT: "7"}),
        "1-0-0": FoundRun("another", "FINISHED", 0, False, {SENT: "7"}),
        "2-0-0": FoundRun("older", "RUNNING", 0, False, {SENT: "5"}),
        "3-0-0": FoundRun("bare", "FINISHED", 0, False, {SENT: "7"}, has_files=False),
        "4-0-0": FoundRun("deleted", "FINISHED", 0, True, {}),
    }
    known.keep(there)
    assert sent_runs(folder) == {"0-0-0": "kept", "4-0-0": "deleted"}
    assert [Sent(folder, URI).run(f"{point}-0-0") for point in range(5)] == ["kept", None, None, None, "deleted"]


def test_a_long_file_is_written_anew_with_the_last_line_of_each(tmp_path, monkeypatch):
    folder = write_study(tmp_path / "study").folder
    monkeypatch.setattr(sent, "KEPT_LINES", 3)
    known = Sent(folder, URI)
    for step in range(9):
        known.save("0-0-0", Trail(run="run", step=step))
    Sent(folder, URI)
    lines = sent_file(folder, URI).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 and '"step":8' in lines[0]


def test_a_damaged_file_is_started_again(tmp_path):
    folder = write_study(tmp_path / "study").folder
    Sent(folder, URI).save("0-0-0", Trail(run="run"))
    file = sent_file(folder, URI)
    file.write_bytes(b"no line\n" + file.read_bytes())
    assert Sent(folder, URI).run("0-0-0") is None and not file.exists()
    assert sent_file(folder, "http://127.0.0.1:10") != file


def test_what_was_saved_in_a_block_that_failed_is_not_noted_nor_is_it_by_the_next_block(tmp_path):
    folder = write_study(tmp_path / "study").folder
    known = Sent(folder, URI)
    with pytest.raises(ConnectionError), known.together():
        known.save("0-0-0", Trail(run="lost", offset=7))
        raise ConnectionError
    assert known.run("0-0-0") is None
    with known.together():
        known.save("1-0-0", Trail(run="run", offset=7))
    assert sent_runs(folder) == {"1-0-0": "run"} and "0-0-0" in known.pending()
    known.save("2-0-0", Trail(run="alone", offset=7))
    assert sent_runs(folder) == {"1-0-0": "run", "2-0-0": "alone"}, "behind the block it is noted at once"
