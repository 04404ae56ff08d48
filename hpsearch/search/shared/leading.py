"""Who leads a study, and what only that driver writes."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.launch.versions import Facts
from hpsearch.search.shared.database import Cursor, Database
from hpsearch.search.shared.leases import Lease, Watched


@dataclass(frozen=True, slots=True)
class Standing:
    """How a study stands in the database.

    Attributes:
        term: how often a driver began to lead.
        leader: the lease of the one that does; None where none does, or its lease is gone.
        renewals: of that lease.
        holder: who has it.
        versions: of what trains there, as JSON.
        begun: whether the one that leads has written down what the study is.
        ended: whether the search is over and reported.
        told: by whom, and where.
        now: seconds, of the database's clock.
    """

    term: int
    leader: int | None
    renewals: int
    holder: str
    versions: str
    begun: bool
    ended: bool
    told: str
    now: float


def standing(cursor: Cursor, study: str) -> Standing:
    """Return how a study stands."""
    cursor.execute(
        "select s.term, l.id, coalesce(l.renewals, 0), coalesce(l.holder, ''), coalesce(l.versions, '{}'), "
        "s.begun = s.term, s.ended, s.told, "
        "extract(epoch from clock_timestamp())::float8 "
        "from hpsearch.studies s left join hpsearch.leases l on l.id = s.leader where s.name = %s",
        (study,),
    )
    row = cursor.fetchone()
    if row is None:
        raise StorageError(f"study '{study}' was removed from the database")
    return Standing(*row)


class Succession:
    """Waits for its turn to lead a study.

    Args:
        database: of this thread.
        study: its name.
        lease: of this driver.
        lease_sec: the time of every lease.

    Attributes:
        joined: whether this driver leads after another one that was seen alive.
    """

    def __init__(self, database: Database, study: str, lease: Lease, lease_sec: float) -> None:
        self._database, self._study, self._lease = database, study, lease
        self._lease_sec = lease_sec
        self._watched: dict[int, Watched] = {}
        self._followed = self.joined = False
        self._first: float = math.inf

    def look(self) -> "Standing | Leading":
        """Return how the study stands, or the lead, where nobody has it or the lease of whoever had it is over.

        A study that has come to its end under a driver that this one followed is not led again. Where a driver leads
        that lives and trains with other versions than this one, that is a ConfigError.
        """
        while (found := self._seen()) is None:  # another driver was faster: what was seen before is over
            pass
        return found

    def _seen(self) -> "Standing | Leading | None":
        """Return what `look` does; None where another driver took the lead in the same moment."""
        found = self._database.run(lambda cursor: standing(cursor, self._study))
        self._first = min(self._first, found.term)
        if found.ended and self._followed:
            return found
        if found.leader is not None:
            self._followed = True
            watched = self._watched.setdefault(found.leader, Watched(self._lease_sec))
            if not watched.is_over(found.renewals, found.now):
                if watched.renewed and (unlike := self.unlike(found)):
                    raise ConfigError(
                        f"{found.holder}, which leads study '{self._study}', has {unlike}: use the same environment on "
                        "every machine, or results differ"
                    )
                return found
        if self._database.run(lambda cursor: self._lead(cursor, found)):
            was_there = any(watched.renewed for watched in self._watched.values())
            self.joined = was_there or found.term > self._first or (found.leader is None and self._followed)
            return Leading(self._database, self._study, self._lease.id, found.term + 1)
        return None

    def unlike(self, found: Standing) -> str:
        """Return what whoever leads trains with of another version, as a text; empty where nothing is."""
        return self._lease.about.unlike(Facts(found.holder, json.loads(found.versions)))

    def _lead(self, cursor: Cursor, found: Standing) -> bool:
        """Take the place of the one that was seen, unless another driver was faster, or it has renewed its lease."""
        cursor.execute("select term, leader from hpsearch.studies where name = %s for update", (self._study,))
        if cursor.fetchone() == (found.term + 1, self._lease.id):
            return True  # taken just now, when the connection was lost
        if found.leader is not None:
            cursor.execute(
                "delete from hpsearch.leases where id = %s and renewals = %s", (found.leader, found.renewals)
            )
            if cursor.rowcount == 0:
                return False
        cursor.execute(
            "update hpsearch.studies set term = term + 1, leader = %s, ended = false, told = '' "
            "where name = %s and term = %s",
            (self._lease.id, self._study, found.term),
        )
        return bool(cursor.rowcount == 1)


class Leading:
    """Writes for the driver that leads a study, in transactions that are refused once another one does.

    Args:
        database: of the thread that writes.
        team: the study that drivers have joined.
        lease: of this driver.
        term: the fencing number.
        study: what is written: that study, or a stage of it, which is a study of its own.

    Attributes:
        database: the same.
        team: the same.
        lease: the same.
        term: the same.
        study: its name.
    """

    def __init__(self, database: Database, team: str, lease: int, term: int, study: str = "") -> None:
        self.database, self.team, self.lease, self.term = database, team, lease, term
        self.study = study or team
        self._due: list[tuple[str, tuple[Any, ...]]] = []

    def of_stage(self, study: str, words: Sequence[str], space: Mapping[str, str]) -> "Leading":
        """Begin a stage, and say to the other drivers what it is.

        Args:
            study: name of its study.
            words: that its recipe gives it.
            space: expressions by flat name.

        Returns:
            What writes it.
        """
        text = json.dumps({"words": list(words), "space": dict(space)})
        self.run(
            lambda cursor: cursor.execute(
                "insert into hpsearch.studies (name, stage) values (%s, %s) "
                "on conflict (name) do update set stage = excluded.stage",
                (study, text),
            )
        )
        return self.of(study)

    def of(self, study: str) -> "Leading":
        """Return what writes another study, one of a stage."""
        return Leading(self.database, self.team, self.lease, self.term, study)

    def later(self, statement: str, *values: Any) -> None:
        """Execute a statement with the next commit: one that changes nothing when it is executed again."""
        self._due.append((statement, values))

    def commit(self) -> None:
        """Execute everything that is due, together or not at all."""
        if self._due:
            due = list(self._due)
            self.run(lambda cursor: _execute(cursor, due))
            del self._due[: len(due)]

    def run(self, work: Callable[[Cursor], Any], snapshot: bool = False) -> Any:
        """Do work in a transaction of the driver that leads.

        Args:
            work: see `Database.run`.
            snapshot: see there.

        Returns:
            What it returns; a StorageError where another driver leads.
        """

        def fenced(cursor: Cursor) -> Any:
            cursor.execute(
                "select leader = %s and term = %s from hpsearch.studies where name = %s for share",
                (self.lease, self.term, self.team),
            )
            if cursor.fetchone() != (True,):
                raise StorageError(
                    f"another driver leads study '{self.team}' since this one did not answer: nothing more is written "
                    "here; run the same command again to work with it"
                )
            return work(cursor)

        return self.database.run(fenced, snapshot)

    def leave(self, told: str | None = None) -> None:
        """Let another driver lead.

        Args:
            told: by whom and where the study is reported that has come to its end; None: it has not.
        """
        self._due.clear()
        self.database.run(
            lambda cursor: cursor.execute(
                "update hpsearch.studies set leader = null, ended = %s, told = %s where name = %s and term = %s",
                (told is not None, told or "", self.team, self.term),
            )
        )


def _execute(cursor: Cursor, due: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
    """Execute statements in order; no answer is waited for among those that are alike."""
    for statement, same in groupby(due, key=itemgetter(0)):
        cursor.executemany(statement, [values for _, values in same])


def stage_text(cursor: Cursor, study: str) -> str:
    """Return what a stage is, as `Leading.of_stage` wrote it; empty where a study is none."""
    cursor.execute("select stage from hpsearch.studies where name = %s", (study,))
    (text,) = cursor.fetchone() or ("",)
    return str(text)
