"""What every tracker promises; a new one inherits `TrackerContract`."""

import time

import pytest

from hpsearch.base.types import TrialState
from hpsearch.tracking.base import NoTracker, Tracker
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.mlflow import MlflowTracker
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


class TrackerContract:
    """A driver's calls, in the order it makes them."""

    @pytest.fixture
    def tracker(self, tmp_path) -> Tracker:
        raise NotImplementedError

    def test_a_study_is_copied(self, tracker, tmp_path):
        record = fake.write_study(tmp_path / "study", points=1, changed=tracker.changed)
        tracker.open(tmp_path / "study")
        fake.train(record, fake.spec(tmp_path / "study", 8))
        record.close()
        assert tracker.flush(60)
        assert tracker.problem() is None
        assert tracker.close(60)

    def test_it_may_be_opened_before_the_record(self, tracker, tmp_path):
        tracker.open(tmp_path / "study")
        fake.write_study(tmp_path / "study", points=1, changed=tracker.changed).close()
        assert tracker.flush(60)
        assert tracker.close(60)

    def test_opening_does_not_keep_the_driver_waiting(self, tracker, tmp_path):
        fake.write_study(tmp_path / "study", points=5).close()
        before = time.thread_time()
        tracker.open(tmp_path / "study")
        assert time.thread_time() - before < 1.0, "processor time of the driver's own thread"
        tracker.close(60)

    def test_closing_is_safe_at_any_time(self, tracker, tmp_path):
        assert tracker.close(1)
        tracker.open(tmp_path / "study")
        assert tracker.close(10)
        assert tracker.close(1)

    def test_the_record_is_the_same_with_and_without_it(self, tracker, tmp_path):
        tracker.open(tmp_path / "study")
        fake.write_study(tmp_path / "study", points=1, changed=tracker.changed).close()
        tracker.close(60)
        fake.write_study(tmp_path / "alone" / "study", points=1).close()
        assert read_trials(tmp_path / "study") == read_trials(tmp_path / "alone" / "study")

    def test_the_hint_is_a_command_or_nothing(self, tracker):
        hint = tracker.hint()
        assert hint is None or hint.startswith("python -m hpsearch ui")


class TestNoTracker(TrackerContract):
    @pytest.fixture
    def tracker(self):
        return NoTracker()

    def test_it_leaves_nothing(self, tracker, tmp_path):
        tracker.open(tmp_path)
        tracker.changed(["study"])
        tracker.close(1)
        assert list(tmp_path.iterdir()) == []


class TestMlflowTracker(TrackerContract):
    @pytest.fixture
    def tracker(self, tmp_path):
        return MlflowTracker(fake.new_store(tmp_path), str(tmp_path / "mlartifacts"), send_every_sec=0.1)

    def test_the_last_state_has_arrived_when_it_is_closed(self, tracker, tmp_path):
        record = Record(tmp_path / "study", tracker.changed)
        fake.open_study(record)
        tracker.open(tmp_path / "study")
        fake.train(record, fake.spec(tmp_path / "study", 0))
        record.close()
        assert tracker.close(60)
        from hpsearch.tracking.query import table_from_mlflow

        assert list(table_from_mlflow(tracker.uri, "study").trials.state) == [TrialState.COMPLETE]
