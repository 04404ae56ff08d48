"""The tracker's thread, and what is added to a run afterwards."""

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.tracking.events import STUDY
from hpsearch.tracking.mlflow import MlflowTracker, add_to_run, run_of, sync
from hpsearch.tracking.sent import sent_runs
from hpsearch.tracking.store import connect
from tests.support.fake_study import new_store, write_study

AWAY = "http://127.0.0.1:9"


def test_one_that_was_never_opened_has_nothing_to_send():
    tracker = MlflowTracker(AWAY)
    assert tracker.close(0.0) and tracker.problem() is None


def test_the_hint_leaves_out_the_usual_store_and_hides_a_password(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert MlflowTracker().hint() == "python -m hpsearch ui"
    other = MlflowTracker("postgresql://user:secret@host/db").hint()
    assert other == "python -m hpsearch ui tracker.uri=postgresql://user:***@host/db"


def test_a_server_that_is_away_is_told_when_it_is_flushed_and_closed(tmp_path):
    tracker = MlflowTracker(AWAY, str(tmp_path / "artifacts"), send_every_sec=0.01, timeout_sec=1.0)
    tracker.open(write_study(tmp_path / "study").folder)
    tracker.changed({STUDY})
    assert not tracker.flush(0.01)
    assert not tracker.close(0.0)
    with pytest.raises(
        StorageError, match=r"12 of 12 event files of study are not sent: MLflow at http://127\.0\.0\.1:9"
    ):
        sync(tmp_path / "study", AWAY, str(tmp_path / "artifacts"))


def test_numbers_words_and_files_are_added_to_a_run_that_was_sent(tmp_path):
    folder, uri = write_study(tmp_path / "study").folder, new_store(tmp_path)
    assert run_of(folder, "0-0-0", uri) is None
    sync(folder, uri, str(tmp_path / "mlartifacts"))
    run = run_of(folder, "0-0-0", uri)
    assert run == sent_runs(folder)["0-0-0"]
    (tmp_path / "found.txt").write_text("found", encoding="utf-8")
    values = {"loss": 0.5, "broken": float("nan")}
    add_to_run(uri, run, values, {"curvature": "saddle"}, [tmp_path / "found.txt"])
    client = connect(uri, tmp_path / "mlartifacts")
    data = client.get_run(run).data
    assert data.metrics["curvature/loss"] == 0.5 and "curvature/broken" not in data.metrics
    assert data.tags["curvature"] == "saddle"
    assert "found.txt" in {each.path for each in client.list_artifacts(run)}


def test_a_run_that_does_not_exist_is_one_line(tmp_path):
    with pytest.raises(StorageError, match="MLflow at sqlite:"):
        add_to_run(new_store(tmp_path), "0" * 32, {"loss": 0.5}, {}, [])
