"""Leases: who works on a study, for as long as it says so again and again."""

import json
import os
import socket
import threading
from collections.abc import Callable

from hpsearch.base.clock import time_of_day
from hpsearch.base.errors import StorageError
from hpsearch.base.threads import start_thread
from hpsearch.launch.versions import Facts, facts
from hpsearch.search.shared.database import Cursor, Database

RENEWALS = 4
"""A lease is renewed so often within its time."""
QUICK_SEC = 0.1
"""An answer of the database within this time says well enough what its clock shows."""
LOOKS = 3
"""How often the database's clock is read at the start, of which the quickest answer counts."""


class Watched:
    """Says when the lease of another driver is over: when this one has seen for its whole time that nobody renews it.

    Only what was seen counts. After a restart of the database, or a time without a connection to it, all leases look
    old; their time begins anew with the first look after that, and whoever lives renews its own by then.

    Args:
        lease_sec: the time of a lease.

    Attributes:
        renewed: whether it was seen that somebody renewed it.
    """

    def __init__(self, lease_sec: float) -> None:
        self._lease_sec = lease_sec
        self.renewed = False
        self._renewals: int | None = None
        self._since = self._looked = 0.0

    def is_over(self, renewals: int, now: float) -> bool:
        """Return whether the lease is over.

        Args:
            renewals: how often it was renewed.
            now: seconds, of the database's clock.
        """
        was_away = not 0 <= now - self._looked <= self._lease_sec / 2
        self.renewed = self.renewed or renewals > (renewals if self._renewals is None else self._renewals)
        if renewals != self._renewals or was_away:
            self._renewals, self._since = renewals, now
        self._looked = now
        return now - self._since >= self._lease_sec


class Lease:
    """The lease of this driver, renewed by a thread with a connection of its own.

    Args:
        url: of the database.
        study: its name.
        slots: trials that this driver trains at once.
        lease_sec: its time.
        wait_sec: how long a lost connection is waited for.
        about: who this driver is, and what it trains with; None: as it is.

    Attributes:
        id: its number.
        about: the same.
        ahead: seconds by which the database's clock is ahead of that of this machine.
        lost: whether another driver has ended it: what this one trains was given to others.
    """

    def __init__(
        self, url: str, study: str, slots: int, lease_sec: float, wait_sec: float, about: Facts | None = None
    ) -> None:
        self._database, self._study = Database(url, wait_sec=wait_sec, idle_sec=lease_sec), study
        self._lease_sec = lease_sec
        self.about = about or facts(holder())
        self._over = threading.Event()
        self.lost = False
        self._database.open()
        self.id = self._database.run(lambda cursor: _taken(cursor, study, slots, self.about))
        self._answer_sec, self.ahead = min(self._database.run(_look_at_clock) for _ in range(LOOKS))
        self._thread = start_thread(self._renew, name="lease")

    def _renew(self) -> None:
        try:
            while not self._over.wait(self._lease_sec / RENEWALS):
                if not self._database.run(self._renewed):
                    self.lost = True
                    return
                answer_sec, ahead = self._database.run(_look_at_clock)
                if answer_sec <= max(2 * self._answer_sec, QUICK_SEC):
                    self.ahead = ahead
        except StorageError:  # whoever works with the database says so
            self.lost = True

    def _renewed(self, cursor: Cursor) -> bool:
        cursor.execute("update hpsearch.leases set renewals = renewals + 1 where id = %s", (self.id,))
        return bool(cursor.rowcount == 1)

    def close(self, run: Callable[[Callable[[Cursor], None]], None]) -> None:
        """Give the lease up, with whatever was handed out under it.

        Args:
            run: does work in the database.
        """
        self._over.set()
        self._thread.join(self._lease_sec)
        run(lambda cursor: _given_up(cursor, self.id))
        self._database.close()


def _taken(cursor: Cursor, study: str, slots: int, about: Facts) -> int:
    cursor.execute("insert into hpsearch.studies (name) values (%s) on conflict do nothing", (study,))
    cursor.execute(
        "insert into hpsearch.leases (study, holder, slots, versions) values (%s, %s, %s, %s) returning id",
        (study, about.node, slots, json.dumps(about.versions)),
    )
    (number,) = cursor.fetchone() or (0,)
    return int(number)


def _look_at_clock(cursor: Cursor) -> tuple[float, float]:
    """Return how long the database took to say what its clock shows, and how far that is ahead of this machine's."""
    began = time_of_day()
    cursor.execute("select extract(epoch from clock_timestamp())::float8")
    (now,) = cursor.fetchone() or (began,)
    ended = time_of_day()
    return ended - began, now - (began + ended) / 2


def _given_up(cursor: Cursor, lease: int) -> None:
    cursor.execute("delete from hpsearch.leases where id = %s", (lease,))


def holder() -> str:
    """Return who this driver is, for people to read."""
    return f"process {os.getpid()} on {socket.gethostname()}"
