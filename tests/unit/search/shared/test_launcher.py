import json

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.base.types import Decision, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Ended, Reported
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.launcher import SharedLauncher
from hpsearch.search.shared.leading import Leading, Succession
from hpsearch.search.shared.leases import Lease
from hpsearch.search.shared.wire import event_texts

FIRST, SECOND = TrialId(0, 0), TrialId(1, 0)


class Local:
    retries, grace_sec = 2, 10.0

    def __init__(self):
        self.ahead = 0.0


class Team:
    """A driver that leads, another one that trains, and what the database holds of them."""

    def __init__(self, url):
        self.database = Database(url)
        self.database.open()
        self.lease, self.other = (Lease(url, "s", slots, 30.0, 60.0) for slots in (1, 2))
        self.leading = Succession(self.database, "s", self.lease, 30.0).look()
        self.fetched, self.said = [], []
        self.launcher = self.launched()

    def launched(self):
        leading = Leading(self.database, "s", self.lease.id, self.leading.term)
        return SharedLauncher(leading, Local(), 30.0, self.fetched.append, self.said.append)

    def rows(self, statement):
        return self.database.run(lambda cursor: cursor.execute(statement).fetchall())

    def do(self, statement, *values):
        self.database.run(lambda cursor: cursor.execute(statement, values))

    def tell(self, event, attempt=1, number=0):
        """Say what the other driver would."""
        ((trial, text),) = event_texts(event).items()
        values = ("s", trial.stem, self.other.id, attempt, number, text)
        columns = "study, trial, lease, attempt, number, content"
        self.do(f"insert into hpsearch.messages ({columns}) values (%s, %s, %s, %s, %s, %s)", *values)

    def hand_out(self, trial=FIRST, attempt=1):
        """Hand a trial out to the other driver."""
        slot = self.launcher.free()[1]
        self.launcher.submit(slot, (TrialSpec("s", trial, {}, {}, (), "key", "folder", attempt),))
        self.launcher.poll(0.0)
        return slot


@pytest.fixture
def team(database):
    made = Team(database)
    yield made
    for lease in (made.lease, made.other):
        lease.close(made.database.run)
    made.database.close()


def claims(team):
    return team.rows("select trial, lease, attempt, slot from hpsearch.claims order by trial")


def test_slots_are_those_of_all_drivers_the_first_of_each_first(team):
    assert team.launcher.slots == 3
    assert team.launcher.free() == (0, 1, 2)
    team.hand_out()
    assert team.launcher.free() == (0, 2)
    assert claims(team) == [("0-0-0", team.other.id, 1, 0)]


def test_a_trial_is_handed_out_with_the_next_poll_when_it_is_on_record(team):
    team.launcher.submit(0, (TrialSpec("s", FIRST, {}, {}, (), "key", "folder"),))
    assert claims(team) == []
    team.launcher.poll(0.0)
    assert claims(team) == [("0-0-0", team.lease.id, 1, 0)]


def test_what_was_told_is_forgotten_as_it_is_recorded_and_not_before(team):
    slot = team.hand_out()
    ended = Ended(FIRST, TrialResult(TrialState.COMPLETE))
    team.tell(Reported(FIRST, Report(1, 1, {"loss": 1.0})))
    team.tell(ended, number=1)
    assert team.launcher.poll(1.0) == [Reported(FIRST, Report(1, 1, {"loss": 1.0})), ended]
    assert team.fetched == ["0-0-0"]
    assert slot in team.launcher.free()
    assert len(team.rows("select 1 from hpsearch.messages")) == 2
    assert len(claims(team)) == 1
    again = team.launched()  # a driver that leads in its place hears all of it again
    assert again.kept == {FIRST}
    assert again.poll(1.0)[-1] == ended
    team.launcher.poll(0.0)
    assert team.rows("select 1 from hpsearch.messages") == []
    assert claims(team) == []


def test_what_an_earlier_attempt_tells_is_not_heard(team):
    team.hand_out(attempt=2)
    team.tell(Ended(FIRST, TrialResult(TrialState.COMPLETE)), attempt=1)
    assert team.launcher.poll(0.1) == []
    assert team.launcher.kept == {FIRST}


def test_decisions_reach_the_driver_that_trains(team):
    team.hand_out()
    for told in (Decision.CONTINUE, Decision.STOP):
        team.launcher.decide(FIRST, told)
    team.launcher.decide(SECOND, Decision.STOP)  # nobody trains it
    team.launcher.kill(FIRST)
    team.launcher.poll(0.0)
    told = team.rows("select trial, lease, content from hpsearch.decisions order by id")
    assert told == [("0-0-0", team.other.id, f'{{"told":"{word}"}}') for word in ("stop", "kill")]


def test_the_trials_of_a_driver_that_is_gone_wait_for_another_one(team):
    team.hand_out()
    team.do("delete from hpsearch.leases where id = %s", team.other.id)
    team.launcher._looked_at = -1e9
    (event,) = team.launcher.poll(1.0)
    assert (event.trial, event.result.state) == (FIRST, TrialState.WAITING)
    assert event.result.reason.startswith("its driver is gone (process ")
    assert team.launcher.slots == 1
    assert team.launcher.free() == (0,)
    assert "1 of its trials is given to others" in team.said[-1]


def test_nothing_is_handed_to_a_driver_that_leaves_and_what_it_has_is_kept(team):
    team.hand_out()
    team.do("update hpsearch.leases set slots = 0 where id = %s", team.other.id)
    team.launcher._looked_at = -1e9
    team.launcher.poll(0.0)
    assert team.launcher.free() == (0,)
    assert team.launcher.slots == 2
    again = team.launched()
    assert again.kept == {FIRST}
    assert again.free() == (0,)
    assert again.slots == 2


def test_a_trial_that_went_on_under_another_number_is_claimed_once(team):
    team.hand_out()
    team.tell(Ended(FIRST, TrialResult(TrialState.PAUSED)))
    team.launcher.poll(1.0)
    team.hand_out(attempt=2)
    assert claims(team) == [("0-0-0", team.other.id, 2, 0)]


def test_a_report_is_heard_once_while_its_trial_goes_on(team):
    team.hand_out()
    team.tell(Reported(FIRST, Report(1, 1, {"loss": 1.0})))
    assert len(team.launcher.poll(1.0)) == 1
    assert team.launcher.poll(0.0) == []
    assert team.rows("select 1 from hpsearch.messages") == []
    assert len(claims(team)) == 1


def test_a_driver_with_other_versions_is_handed_nothing(team):
    team.do("update hpsearch.leases set versions = '{}' where id = %s", team.other.id)
    launcher = team.launched()
    assert (launcher.slots, launcher.free()) == (1, (0,))
    team.do("delete from hpsearch.leases where id = %s", team.other.id)
    launcher._looked_at = -1e9
    launcher.poll(0.0)
    assert "gone" not in " ".join(team.said[1:])


def test_trials_of_a_stage_are_handed_out_to_the_drivers_of_its_recipe(team):
    team.hand_out()
    team.tell(Ended(FIRST, TrialResult(TrialState.COMPLETE)))
    assert len(team.launcher.poll(1.0)) == 1
    stage = team.leading.of_stage("s.fine", ["study.seeds=2"], {"x": "choice(1, 2)"})
    team.launcher.turn_to(stage, team.fetched.append)
    assert claims(team) == []
    assert team.launcher.free() == (0, 1, 2)
    team.hand_out()
    assert team.rows("select study, trial, lease from hpsearch.claims") == [("s.fine", "0-0-0", team.other.id)]
    ((text,),) = team.rows("select stage from hpsearch.studies where name = 's.fine'")
    assert json.loads(text) == {"words": ["study.seeds=2"], "space": {"x": "choice(1, 2)"}}
    again = team.launched()
    assert not again.kept
    again.turn_to(team.leading.of("s.fine"), team.fetched.append)
    assert again.kept == {FIRST}
    team.do("update hpsearch.studies set leader = null where name = 's'")
    with pytest.raises(StorageError, match="another driver leads study 's'"):
        stage.run(lambda cursor: None)


def test_times_of_a_machine_whose_clock_is_wrong_are_those_of_the_one_that_leads(team):
    """What was told by the database's clock, an hour before this machine's, is recorded by this machine's."""
    team.launcher._own.ahead = -3600.0
    team.hand_out()
    team.tell(Reported(FIRST, Started(None, {}, 10_000.0)))
    team.tell(Reported(FIRST, Report(1, 1, {"loss": 1.0}, time=10_001.0)), number=1)
    team.tell(Ended(FIRST, TrialResult(TrialState.COMPLETE)), number=2)
    told = team.launcher.poll(1.0)
    assert [event.message.time for event in told[:2]] == [13_600.0, 13_601.0]
    assert told[2].result.time == 0.0, "it has none"
