"""A study is brought back to what its record says, and nothing of it is trained."""

import pytest

from hpsearch.base.errors import BusyError, StorageError
from hpsearch.search.storage import JournalStore
from hpsearch.study import repair as module
from hpsearch.study.folder import folder_lock, read_yaml
from hpsearch.study.repair import repair
from tests.support.fake_study import write_study


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "rebuild_report", lambda name: f"studies/{name}/report.html")
    write_study(tmp_path / "studies" / "s").close()
    JournalStore().open(tmp_path / "studies" / "s").close()
    return tmp_path / "studies" / "s"


def test_what_is_damaged_is_kept_aside_and_what_is_made_of_the_record_is_made_again(folder):
    (folder / "optuna.journal").write_bytes(b'{"op_code": 0}\n{"name": 1}\n')
    path = folder / "events" / "0-0-0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"epoch":2', b'"epoch":3', 1))
    said = repair(folder)
    assert [line.partition(" ")[0] for line in said] == [
        f"{path}:",
        str(folder / "study.yaml"),
        str(folder / "optuna.journal"),
        "the",
    ]
    assert (folder / "events" / "0-0-0.jsonl.damaged").exists() and (folder / "optuna.journal.damaged").exists()
    assert read_yaml(folder / "study.yaml")["space"] == {"optimizer.lr": "tag(log, interval(1e-3, 10))"}
    assert [line.partition(" ")[0] for line in repair(folder)] == ["the"], "nothing is left to do but what is faked"


def test_a_study_that_runs_is_left_alone_and_one_without_a_record_cannot_be_mended(folder):
    with folder_lock(folder), pytest.raises(BusyError, match="is running already"):
        repair(folder)
    with pytest.raises(StorageError, match="has no event files"):
        repair(folder.with_name("none"))
    assert not folder.with_name("none").exists()
