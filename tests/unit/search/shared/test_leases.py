import time

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.launch.versions import Facts, facts
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.leading import Leading, Succession
from hpsearch.search.shared.leases import Lease, Watched

SEC = 10.0


def looks(watched, *seen):
    return [watched.is_over(renewals, now) for renewals, now in seen]


def test_a_lease_is_over_once_nobody_has_renewed_it_for_its_whole_time():
    seen = [(7, now) for now in (100, 103, 106, 109, 110, 111)]
    assert looks(Watched(SEC), *seen) == [False, False, False, False, True, True]


def test_a_renewed_lease_begins_anew():
    assert looks(Watched(SEC), (7, 100), (7, 104), (8, 108), (8, 112), (8, 117), (8, 118)) == [*[False] * 5, True]


def test_time_without_a_look_does_not_count():
    """The database was away for twice the lease: everybody has as long again to renew."""
    assert looks(Watched(SEC), (7, 100), (7, 104), (7, 124), (7, 128), (7, 132), (7, 134)) == [*[False] * 5, True]


def test_a_clock_that_is_set_back_begins_anew():
    assert not any(looks(Watched(SEC), (7, 100), (7, 104), (7, 50), (7, 54), (7, 59)))
    assert looks(Watched(SEC), (7, 100), (7, 104), (7, 1000)) == [False] * 3


@pytest.fixture
def opened(database):
    made = []

    def make():
        made.append(Database(database))
        made[-1].open()
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def leases(database, opened):
    opened()
    made = [Lease(database, "s", slots=2, lease_sec=2.0, wait_sec=60.0) for _ in range(2)]
    yield made
    for each in made:
        each.close(opened().run)


def turns(opened, leases):
    return [Succession(opened(), "s", lease, 2.0) for lease in leases]


def test_one_leads_and_the_other_follows_while_that_lives(opened, leases):
    first, second = turns(opened, leases)
    led = first.look()
    assert isinstance(led, Leading)
    assert led.term == 1
    seen = [second.look() for _ in range(3)]
    assert [each.leader for each in seen] == [leases[0].id] * 3


def test_what_a_driver_writes_is_refused_once_another_one_leads(opened, leases):
    first, second = turns(opened, leases)
    led = first.look()
    led.run(lambda cursor: None)
    led.leave()
    assert isinstance(second.look(), Leading)
    led.later("delete from hpsearch.lines")
    with pytest.raises(Exception, match="another driver leads study 's'"):
        led.commit()
    third = Leading(led.database, "s", leases[1].id, 1)  # the right driver, of a term that is over
    with pytest.raises(Exception, match="another driver leads"):
        third.run(lambda cursor: None)


def test_a_study_that_has_ended_is_not_led_again_by_whoever_followed(opened, leases):
    first, second = turns(opened, leases)
    led = first.look()
    second.look()
    led.leave("somebody")
    assert second.look().told == "somebody"
    assert isinstance(turns(opened, leases)[1].look(), Leading)  # a command that begins now goes on with it


def test_a_driver_that_renews_at_the_last_moment_is_not_replaced(opened, leases):
    first, second = turns(opened, leases)
    first.look()
    found = second.look()
    opened().run(lambda cursor: cursor.execute("update hpsearch.leases set renewals = renewals + 1"))
    assert not opened().run(lambda cursor: second._lead(cursor, found))


@pytest.fixture
def stranger(opened):
    """The lease of a driver that trains with another torch."""
    opened()
    versions = {**facts("").versions, "torch": "1.0"}
    made = Lease(opened().url, "s", 2, 2.0, 60.0, Facts("process 7 on elsewhere", versions))
    yield made
    made.close(opened().run)


def test_a_driver_with_other_versions_is_refused_once_it_sees_that_the_one_that_leads_lives(opened, leases, stranger):
    first, other = turns(opened, [leases[0], stranger])
    first.look()
    found = other.look()
    assert other.unlike(found).startswith("torch ")
    opened().run(lambda cursor: cursor.execute("update hpsearch.leases set renewals = renewals + 1"))
    with pytest.raises(
        ConfigError, match=r"which leads study 's', has torch \S+ \(here 1.0\): use the same environment"
    ):
        other.look()


def test_one_with_other_versions_takes_the_place_of_one_that_is_gone(opened, stranger):
    opened()
    gone = Lease(opened().url, "s", 1, 3600.0, 60.0)  # never renewed
    turns(opened, [gone])[0].look()
    other = Succession(opened(), "s", stranger, 0.2)
    found = other.look()
    while not isinstance(found, Leading):
        time.sleep(0.05)
        found = other.look()
    assert not other.joined, "it was dead before: study.restart=true starts again"
    gone.close(opened().run)


def test_whoever_leads_after_one_that_lived_starts_nothing_again(opened, leases):
    first, second = turns(opened, leases)
    led = first.look()
    assert not first.joined
    second.look()
    led.leave()
    assert isinstance(second.look(), Leading)
    assert second.joined


def test_a_lease_knows_how_far_the_clock_of_this_machine_is_off(opened, monkeypatch):
    monkeypatch.setattr("hpsearch.search.shared.leases.time_of_day", lambda: time.time() + 3600.0)
    opened()
    lease = Lease(opened().url, "s", 1, 2.0, 60.0)
    lease.close(opened().run)
    assert lease.ahead == pytest.approx(-3600.0, abs=5.0)


def test_a_clock_that_is_set_while_a_driver_works_is_noticed(opened, monkeypatch):
    monkeypatch.setattr("hpsearch.search.shared.leases.time_of_day", time.time)
    opened()
    lease = Lease(opened().url, "s", 1, 0.2, 60.0)
    monkeypatch.setattr("hpsearch.search.shared.leases.time_of_day", lambda: time.time() + 3600.0)
    until = time.monotonic() + 30.0
    while lease.ahead > -1800.0 and time.monotonic() < until:
        time.sleep(0.02)
    lease.close(opened().run)
    assert lease.ahead == pytest.approx(-3600.0, abs=5.0)


def test_of_two_that_go_on_with_an_ended_study_in_the_same_moment_one_leads_and_the_other_follows(
    opened, leases, monkeypatch
):
    first, second = turns(opened, leases)
    first.look().leave("somebody")
    third = turns(opened, leases)[0]
    lead = second._lead
    monkeypatch.setattr(second, "_lead", lambda *seen: (third.look(), lead(*seen))[1])
    found = second.look()
    assert (found.leader, found.ended) == (leases[0].id, False)
