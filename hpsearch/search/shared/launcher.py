"""The workers of all drivers of a study, as the one that leads hands trials out to them."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from hpsearch.base.types import Decision, Execute, Given, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, LauncherEvent
from hpsearch.search.shared.database import Cursor
from hpsearch.search.shared.leading import Leading
from hpsearch.search.shared.leases import Watched
from hpsearch.search.shared.member import OwnWorkers
from hpsearch.search.shared.wire import KILL, Told, event_from, later, spec_text, told_text, trial_of

LOOK_SEC = 0.02
MOST_MESSAGES = 1000
"""So many are read at a time."""


@dataclass(slots=True)
class _Driver:
    """A driver that trains: who it is, the numbers of its slots here, when its lease is over, and whether it leaves."""

    holder: str
    slots: list[int]
    watched: Watched
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who trains a trial."""

    lease: int
    slot: int
    attempt: int


class SharedLauncher:
    """Hands trials out to the drivers of a study, and hears of them through the database.

    What happened is taken off the database in the transaction in which it is recorded, so that a driver that begins to
    lead finds every trial either recorded or still told of.

    Args:
        leading: what this driver writes with.
        own: the workers of this driver, which train too.
        lease_sec: the time of every lease.
        fetch: brings the files of a trial here.
        line: is told of drivers that come and go.
        check: raises what ended the part of this driver's own workers.
    """

    width = 1
    fuse: int | str = "off"
    lockstep = False
    detached = True

    def __init__(
        self,
        leading: Leading,
        own: OwnWorkers,
        lease_sec: float,
        fetch: Callable[[str], None],
        line: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.retries, self.grace_sec = own.retries, own.grace_sec
        self._leading, self._own, self._fetch, self._line, self._check = leading, own, fetch, line, check
        self._lease_sec = lease_sec
        self._drivers: dict[int, _Driver] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self._claims: dict[TrialId, _Claim] = {}
        self._read: list[int] = []
        self._events: list[LauncherEvent] = []
        self._told = 0
        self._looked_at = -lease_sec
        self._look_for_drivers()
        self._find_claims()

    def turn_to(self, leading: Leading, fetch: Callable[[str], None]) -> None:
        """Hand out the trials of a stage to the same drivers, once the last one has ended, or of a study begun again.

        Args:
            leading: writes it.
            fetch: brings the files of a trial of it here.
        """
        self._leading.commit()
        self._leading, self._fetch = leading, fetch
        self._find_claims()

    def _find_claims(self) -> None:
        self._claims.clear()
        for stem, lease, attempt, place in self._leading.run(self._held):
            self._claims[trial_of(stem)] = _Claim(lease, self._slot(lease, place), attempt)
        self._taken = {claim.slot for claim in self._claims.values()}

    @property
    def slots(self) -> int:
        """The slots of all drivers; of those that leave the ones that are taken."""
        leaving = {lease for lease, driver in self._drivers.items() if driver.leaves}
        staying = sum(len(driver.slots) for lease, driver in self._drivers.items() if lease not in leaving)
        return staying + sum(claim.lease in leaving for claim in self._claims.values())

    @property
    def kept(self) -> Collection[TrialId]:
        """The trials that drivers train, whoever leads."""
        return self._claims.keys()

    def start(self, execute: Execute) -> None:
        """Start nothing: every driver starts its own workers."""

    def widen(self, width: int) -> None:
        """Change nothing: every trial is trained by itself."""

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> Any:
        """Run a function in a worker of this driver, before trials do; see `Launcher.call`.

        Args:
            function: importable by name.
            *args: its arguments.
            within_sec: how long it may take.

        Returns:
            What it returns.
        """
        return self._own.call(function, *args, within_sec=within_sec)

    def everywhere(self, function: Callable[..., Any], *args: Any, unlike: Callable[[Any], str]) -> None:
        """Let every machine of this driver run it; see `Launcher.everywhere`.

        Args:
            function: importable by name.
            *args: its arguments.
            unlike: returns how a result differs.
        """
        self._own.everywhere(function, *args, unlike=unlike)

    def free(self) -> tuple[int, ...]:
        """Return the slots that can take a trial: the first one of every driver, then the second ones."""
        staying = [driver for driver in self._drivers.values() if not driver.leaves]
        places = [(place, slot) for driver in staying for place, slot in enumerate(driver.slots)]
        return tuple(slot for _, slot in sorted(places) if slot not in self._taken)

    def machine(self, slot: int) -> str:
        """Return the machine of the driver that has a slot."""
        lease, _ = self._places.get(slot, (None, 0))
        return "" if lease is None else self._drivers[lease].holder.rpartition(" ")[2]

    def submit(self, slot: int, specs: tuple[TrialSpec, ...]) -> None:
        """Hand a trial out, with the next `poll`: by then it is on record.

        Args:
            slot: of the driver that trains it.
            specs: one trial.

        Raises:
            RuntimeError: the slot is not free.
        """
        if slot in self._taken:
            raise RuntimeError(f"slot {slot} is not free")
        (spec,) = specs
        lease, place = self._places[slot]
        self._claims[spec.id] = _Claim(lease, slot, spec.attempt)
        self._taken.add(slot)
        self._leading.later(
            "insert into hpsearch.claims select %s, %s, id, %s, %s, %s from hpsearch.leases where id = %s "
            "on conflict do nothing",
            *(self._leading.study, spec.id.stem, spec.attempt, place, spec_text(spec), lease),
        )

    def decide(self, trial: TrialId, decision: Decision | Given) -> None:
        """Send a decision to a running trial, or what it asked for; ignored when it has ended."""
        if decision is not Decision.CONTINUE:
            self._tell(trial, decision)

    def kill(self, trial: TrialId) -> None:
        """Kill the worker of a running trial; ignored when it has ended."""
        self._tell(trial, KILL)

    def _tell(self, trial: TrialId, told: Told) -> None:
        if (claim := self._claims.get(trial)) is not None:
            self._told += 1
            self._leading.later(
                "insert into hpsearch.decisions (study, trial, lease, term, number, content) "
                "select study, trial, lease, %s, %s, %s from hpsearch.claims "
                "where study = %s and trial = %s and lease = %s on conflict do nothing",
                *(self._leading.term, self._told, told_text(told), self._leading.study, trial.stem, claim.lease),
            )

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:
        """Return what happened, waiting at most `timeout_sec` for the first event."""
        deadline = time.monotonic() + timeout_sec
        while True:
            self._check()
            self._leading.commit()
            self._read.clear()
            events = [*self._events, *self._heard()]
            self._events.clear()
            if time.monotonic() - self._looked_at > self._lease_sec / 10:
                self._look_for_drivers()
            if events or time.monotonic() >= deadline:
                return events
            time.sleep(LOOK_SEC)

    def _heard(self) -> list[LauncherEvent]:
        """Return what trials have told since, which is forgotten as it is recorded."""
        events: list[LauncherEvent] = []
        for number, stem, lease, attempt, text in self._leading.run(self._messages):
            self._read.append(number)
            self._leading.later("delete from hpsearch.messages where id = %s", number)
            trial = trial_of(stem)
            claim = self._claims.get(trial)
            if claim is None or (claim.lease, claim.attempt) != (lease, attempt):
                continue
            event = later(event_from(trial, claim.slot, text), -self._own.ahead)
            events.append(event)
            if isinstance(event, Ended | Died):
                self._fetch(stem)
                self._drop(trial)
        return events

    def _drop(self, trial: TrialId) -> None:
        """Take a trial back that trains no more, in the transaction in which that is recorded."""
        claim = self._claims.pop(trial)
        self._taken.discard(claim.slot)
        self._leading.later(
            "delete from hpsearch.claims where study = %s and trial = %s and lease = %s and attempt = %s",
            *(self._leading.study, trial.stem, claim.lease, claim.attempt),
        )

    def _messages(self, cursor: Cursor) -> list[tuple[int, str, int, int, str]]:
        cursor.execute(
            "select id, trial, lease, attempt, content from hpsearch.messages where study = %s and not id = any(%s) "
            "order by id limit %s",
            (self._leading.study, self._read, MOST_MESSAGES),
        )
        return list(cursor.fetchall())

    def _held(self, cursor: Cursor) -> list[tuple[str, int, int, int]]:
        cursor.execute(
            "select trial, lease, attempt, slot from hpsearch.claims where study = %s", (self._leading.study,)
        )
        return list(cursor.fetchall())

    def _look_for_drivers(self) -> None:
        """Note which drivers have come, and take back what was handed out to those that are gone."""
        self._looked_at = time.monotonic()
        found = self._leading.run(self._leases)
        own = next((versions for lease, _, versions, *_ in found if lease == self._leading.lease), "")
        for lease, holder, versions, slots, renewals, now in found:
            driver = self._drivers.get(lease)
            if driver is None:
                driver = self._drivers[lease] = _Driver(holder, [], Watched(self._lease_sec))
                if versions == own:  # else it refuses to take part once it sees who leads
                    self._give_places(lease, slots)
                    if lease != self._leading.lease:
                        self._line(f"{holder} trains with this one: {slots} at once")
            driver.leaves = slots == 0 or versions != own
            if lease != self._leading.lease and driver.watched.is_over(renewals, now):
                self._leading.run(partial(_end, lease=lease, renewals=renewals))
        there = {lease for lease, *_ in self._leading.run(self._leases)}
        for lease in self._drivers.keys() - there:
            self._lose(lease)

    def _slot(self, lease: int, place: int) -> int:
        """Return the number of a slot of a driver; one that leaves has given up the places that it still uses."""
        self._give_places(lease, place + 1)
        return self._drivers[lease].slots[place]

    def _give_places(self, lease: int, count: int) -> None:
        """Give a driver so many slots, by numbers that no other has."""
        slots = self._drivers[lease].slots
        numbers = (number for number in range(len(self._places) + count) if number not in self._places)
        for number in list(islice(numbers, max(0, count - len(slots)))):
            self._places[number] = (lease, len(slots))
            slots.append(number)

    def _lose(self, lease: int) -> None:
        driver = self._drivers.pop(lease)
        if not driver.slots:
            return
        for slot in driver.slots:
            del self._places[slot]
        lost = [trial for trial, claim in self._claims.items() if claim.lease == lease]
        given = f"; {len(lost)} of its trials {'is' if len(lost) == 1 else 'are'} given to others" if lost else ""
        self._line(f"{driver.holder} is gone{given}")
        for trial in lost:
            self._drop(trial)
            self._events.append(Ended(trial, TrialResult(TrialState.WAITING, f"its driver is gone ({driver.holder})")))

    def _leases(self, cursor: Cursor) -> list[tuple[int, str, str, int, int, float]]:
        cursor.execute(
            "select id, holder, versions, slots, renewals, extract(epoch from clock_timestamp())::float8 "
            "from hpsearch.leases where study = %s order by id",
            (self._leading.team,),
        )
        return list(cursor.fetchall())

    def stop(self, now: bool = False) -> None:
        """End the workers of this driver."""
        self._own.stop(now)


def _end(cursor: Cursor, lease: int, renewals: int) -> None:
    """End a lease unless it was renewed meanwhile."""
    cursor.execute("delete from hpsearch.leases where id = %s and renewals = %s", (lease, renewals))
