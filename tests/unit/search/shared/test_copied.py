import json

import pytest
from optuna.storages import JournalStorage

from hpsearch.base.copies import leader_of
from hpsearch.base.errors import StorageError
from hpsearch.base.files import DATABASE
from hpsearch.base.types import Objective
from hpsearch.search.dashboard import reading_storage
from hpsearch.search.shared import trial_files
from hpsearch.search.shared.copied import FolderCopy, bring, kept_studies
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.leading import Succession
from hpsearch.search.shared.leases import Lease
from hpsearch.search.shared.store import CopiedStore
from hpsearch.search.storage import JournalStore, open_study
from hpsearch.tracking.events import read_study
from hpsearch.tracking.record import Record


@pytest.fixture
def leading(database):
    opened = Database(database)
    opened.open()
    lease = Lease(database, "s", slots=1, lease_sec=30.0, wait_sec=60.0)
    yield Succession(opened, "s", lease, 30.0).look()
    lease.close(opened.run)
    opened.close()


def recorded(folder, copy, *names):
    """A record of so many best points, each written and brought to the database."""
    record = Record(folder, lambda changed: copy.push(f"events/{name}.jsonl" for name in changed))
    for point, name in enumerate(names):
        record.study("best", 1.0 + point, point=point, params={"x": name}, mean=0.0, sd=0.0, n=1)
        record.flush()
    record.close()


def test_a_folder_elsewhere_is_brought_to_what_another_one_wrote(leading, tmp_path):
    here, there = tmp_path / "here" / "s", tmp_path / "there" / "s"
    copy = FolderCopy(leading, here)
    here.mkdir(parents=True)
    copy.pull()
    recorded(here, copy, "one", "two")
    store = CopiedStore(copy).open(here)
    open_study(store, "s", None, Objective("loss"))
    store.close()
    there.mkdir(parents=True)
    other = FolderCopy(leading, there)
    other.pull()
    for name in ("events/study.jsonl", "optuna.journal"):
        assert (there / name).read_bytes() == (here / name).read_bytes()
    recorded(there, other, "three")  # a second pull would be needed before another one writes
    assert read_study(there)["best"]["params"] == {"x": "three"}
    copy.pull()
    assert (here / "events/study.jsonl").read_bytes() == (there / "events/study.jsonl").read_bytes()


def test_what_was_written_here_and_not_there_is_gone(leading, tmp_path):
    copy = FolderCopy(leading, tmp_path)
    copy.pull()
    recorded(tmp_path, copy, "one")
    held = (tmp_path / "events/study.jsonl").read_bytes()
    with (tmp_path / "events/study.jsonl").open("ab") as file:
        file.write(b"{}\n")
    (tmp_path / "events/7-0-0.jsonl").write_text("{}\n")
    FolderCopy(leading, tmp_path).pull()
    assert (tmp_path / "events/study.jsonl").read_bytes() == held
    assert not (tmp_path / "events/7-0-0.jsonl").exists()


def test_another_study_of_this_name_is_refused_and_left_alone(leading, tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    copy = FolderCopy(leading, mine)
    copy.pull()
    recorded(mine, copy, "one")
    record = Record(other)
    record.flush()
    record.close()
    before = (other / "events/study.jsonl").read_bytes()
    with pytest.raises(StorageError, match="is another study than the one of this name in the database"):
        FolderCopy(leading, other).pull()
    with pytest.raises(StorageError, match="is another study than the one of this name in the database"):
        bring(leading.database, "s", other)
    assert (other / "events/study.jsonl").read_bytes() == before
    assert not (other / DATABASE).exists()


def test_a_file_that_was_cut_is_kept_anew(leading, tmp_path):
    copy = FolderCopy(leading, tmp_path)
    path = tmp_path / "events/1-0-0.jsonl"
    path.parent.mkdir()
    for text in ("one\ntwo\n", "one\n", "one\nthree\nfour\n"):
        path.write_text(text)
        copy.push(["events/1-0-0.jsonl"])
        rows = leading.run(
            lambda cursor: cursor.execute("select content from hpsearch.lines order by start").fetchall()
        )
        assert b"".join(content for (content,) in rows) == text.encode()


def test_files_of_a_trial_come_back_with_their_times_and_without_others(leading, tmp_path, monkeypatch):
    monkeypatch.setattr(trial_files, "PART_BYTES", 10)
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "trials/0-0-0/media").mkdir(parents=True)
    for name, text in {"last.pt": "x" * 25, "media/a.png": "", "old.txt": "old"}.items():
        (here / "trials/0-0-0" / name).write_text(text)
    put = lambda: leading.run(lambda cursor: trial_files.store(cursor, "s", "trials/0-0-0", here))  # noqa: E731
    put()
    (here / "trials/0-0-0/old.txt").unlink()
    (here / "trials/0-0-0/last.pt").write_text("y" * 21)
    put()
    (there / "trials/0-0-0").mkdir(parents=True)
    (there / "trials/0-0-0/stranger.txt").write_text("")
    leading.run(lambda cursor: trial_files.fetch(cursor, "s", "trials/0-0-0", there))
    found = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert found == {"trials/0-0-0/last.pt", "trials/0-0-0/media/a.png"}
    for name in found:
        assert (there / name).read_bytes() == (here / name).read_bytes()
        assert (there / name).stat().st_mtime_ns == (here / name).stat().st_mtime_ns


def test_a_copy_is_not_searched_by_itself_and_the_dashboard_reads_the_database(leading, tmp_path):
    copy = FolderCopy(leading, tmp_path / "s")
    (tmp_path / "s").mkdir()
    copy.pull()
    store = CopiedStore(copy).open(tmp_path / "s")
    study = open_study(store, "s", None, Objective("loss"))
    study.ask()
    store.flush()
    with pytest.raises(StorageError, match="is kept in PostgreSQL"):
        JournalStore().open(tmp_path / "s")
    seen = reading_storage(tmp_path / "s")
    assert isinstance(seen, JournalStorage)
    (shown,) = seen.get_all_studies()
    assert [trial.state.name for trial in seen.get_all_trials(shown._study_id)] == ["RUNNING"]
    study.ask()
    store.flush()
    assert len(seen.get_all_trials(shown._study_id)) == 2
    with pytest.raises(StorageError, match="written by its drivers alone"):
        seen.set_study_user_attr(shown._study_id, "note", "mine")
    seen._backend._database.close()
    store.close()
    assert json.loads((tmp_path / "s" / DATABASE).read_text())["url"].startswith("postgresql://")


def test_a_study_is_brought_with_those_of_its_stages_and_no_other(leading, tmp_path):
    stage = leading.of_stage("s.fine", [], {})
    leading.run(lambda cursor: cursor.execute("insert into hpsearch.studies (name) values ('s.other')"))
    for place, each in enumerate((leading, stage, leading.of("s.other"))):
        (tmp_path / str(place)).mkdir()
        copy = FolderCopy(each, tmp_path / str(place))
        assert not copy.is_kept
        copy.pull()
        recorded(tmp_path / str(place), copy, "one")
        assert copy.is_kept
    assert leading.run(lambda cursor: kept_studies(cursor, "s")) == ["s", "s.fine"]
    bring(leading.database, "s.fine", tmp_path / "there", "process 7 on elsewhere")
    assert (tmp_path / "there/events/study.jsonl").read_bytes() == (tmp_path / "1/events/study.jsonl").read_bytes()
    assert leader_of(tmp_path / "there") == ("elsewhere", 7)
    assert leader_of(tmp_path / "1") is None


def test_files_that_are_replaced_meanwhile_are_brought_as_they_were(leading, database, tmp_path, monkeypatch):
    def put(text):
        path = tmp_path / "trials/0-0-0/last.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        other = Database(database)
        other.run(lambda cursor: trial_files.store(cursor, "s", "trials/0-0-0", tmp_path))
        other.close()

    def replaced_first(cursor, *args):
        put("newer")
        return get(cursor, *args)

    get = trial_files.get
    put("older")
    monkeypatch.setattr(trial_files, "get", replaced_first)
    bring(leading.database, "s", tmp_path / "there")
    assert (tmp_path / "there/trials/0-0-0/last.pt").read_text() == "older"
