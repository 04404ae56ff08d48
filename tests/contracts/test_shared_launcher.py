"""What every launcher owes the driver, of drivers that share a study through a database."""

import threading
from collections import Counter
from socket import gethostname

import pytest

from hpsearch.base.types import Decision, TrialId, TrialState
from hpsearch.launch.base import Died, Ended, Reported
from tests.contracts.test_launcher import LauncherContract, Record, spec


@pytest.fixture(scope="module")
def borrowed(postgres, tmp_path_factory):
    """Two drivers that one test after another takes, as starting them takes seconds."""
    from tests.support.postgres import PASSWORD
    from tests.support.shared_drivers import SharedDrivers

    made = []

    def take():
        if not made:
            url = postgres.create(f"contract{take.count}")
            take.count += 1
            made.append(SharedDrivers(url, tmp_path_factory.mktemp("drivers")))
        return made[0]

    def end():
        while made:
            made.pop().end()

    take.count, take.end = 0, end
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", PASSWORD)
        yield take
        end()


@pytest.mark.postgres
class TestSharedLauncher(LauncherContract):
    """Trials are handed out one by one, and nobody waits in rounds."""

    test_batch_of_two_reports_for_both = None
    test_exception_fails_every_member = None
    test_lockstep_decision_takes_effect_at_once = None
    test_lockstep_waits_for_every_answer = None
    test_lockstep_waits_for_the_answer_to_every_member = None
    test_paused_trial_goes_on_in_a_later_batch_without_old_decisions = None

    @pytest.fixture
    def push(self, borrowed):
        drivers = borrowed()
        yield drivers
        drivers.poll(0.0)
        if drivers.free() != tuple(range(drivers.slots)) or drivers.stopped:  # what a test began goes on
            borrowed.end()

    def test_a_killed_trial_dies_with_its_batch_and_its_slot_works_again(self, push):
        push.submit(1, (spec(1, epochs=10_000, epoch_sec=0.01),))
        events = []
        while not events:
            events = push.poll(0.2)
        push.kill(TrialId(1, 0))
        while not isinstance(events[-1], Died):
            events = push.poll(0.2)
        assert (events[-1].slot, events[-1].trials, events[-1].killed) == (1, (TrialId(1, 0),), TrialId(1, 0))
        push.kill(TrialId(1, 0))  # it has ended
        record = Record(push)
        push.submit(1, (spec(3),))
        record.until_ended(TrialId(3, 0))
        assert record.results[TrialId(3, 0)].state is TrialState.COMPLETE

    @pytest.mark.parametrize("slot", [0, 1])
    def test_death_of_a_worker_is_told_by_whoever_has_it(self, push, slot):
        push.submit(slot, (spec(at={2: "leave_by_os_exit"}),))
        events = []
        while not (events and isinstance(events[-1], Died)):
            events += push.poll(0.2)
        assert "ended with exit code 7" in events[-1].detail
        assert (events[-1].slot, events[-1].killed) == (slot, None)
        assert [event.message.epoch for event in events[1:-1]] == [1]
        assert slot in push.free()

    def test_a_paused_trial_goes_on_with_another_driver_from_its_files(self, push, tmp_path):
        record, folder = Record(push), str(tmp_path / "0-0-0")
        made = spec(folder=folder, function="counts_on", epochs=10_000, epoch_sec=0.01)
        push.submit(0, (made,))
        record.until_ended(made.id, answer=lambda trial, message: Decision.PAUSE if message.epoch == 3 else None)
        assert record.results[made.id].state is TrialState.PAUSED
        done = record.messages[made.id][-1].epoch
        again = Record(push)
        push.submit(1, (spec(folder=folder, function="counts_on", epochs=done + 2),))
        again.until_ended(made.id)
        first, *reports = again.messages[made.id]
        assert first.epoch == done
        assert [report.epoch for report in reports] == [done + 1, done + 2]
        assert again.results[made.id].artifacts == ("count",)
        assert (tmp_path / "0-0-0" / "count").read_text() == str(done + 2)

    def test_200_queued_trials_are_trained_once_each_by_both(self, push):
        waiting, ended, places = [spec(point, epochs=1) for point in range(200)], Counter(), Counter()
        while sum(ended.values()) < 200:
            for slot in push.free():
                if waiting:
                    places[slot] += 1
                    push.submit(slot, (waiting.pop(0),))
            for event in push.poll(0.2):
                if isinstance(event, Ended):
                    assert event.result.state is TrialState.COMPLETE
                    ended[event.trial] += 1
                else:
                    assert isinstance(event, Reported)
        assert set(ended.values()) == {1}
        assert len(places) == 2
        push.poll(0.0)
        assert push.rows("select (select count(*) from hpsearch.claims), (select count(*) from hpsearch.messages)") == [
            (0, 0)
        ]

    def test_every_slot_is_on_a_machine(self, push):
        assert {push.machine(slot) for slot in push.free()} == {gethostname()}

    def test_a_call_waits_for_a_worker_that_trains(self, push):
        push.submit(0, (spec(epochs=2, epoch_sec=0.2),))
        record = Record(push)
        while not record.messages:
            record.tick()
        answers = []
        caller = threading.Thread(target=lambda: answers.append(push.call(len, "abc")))
        caller.start()
        record.until_ended(TrialId(0, 0))
        caller.join(30)
        assert answers == [3]
