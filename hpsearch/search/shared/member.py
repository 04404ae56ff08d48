"""Trains what the driver that leads a study hands out to this one, in a thread of its own."""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hpsearch.base.errors import HpsearchError
from hpsearch.base.threads import start_thread
from hpsearch.base.types import Decision, MakeSpec, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Launcher, LauncherEvent
from hpsearch.search.shared import trial_files
from hpsearch.search.shared.database import Cursor, Database
from hpsearch.search.shared.leases import Lease
from hpsearch.search.shared.trial_files import TRIALS
from hpsearch.search.shared.wire import KILL, Told, event_texts, spec_from, told_from, trial_of

DRIVERS = "drivers"
"""Where drivers train, each under the number of its lease, in a study's folder."""
POLL_SEC = 0.02
SETTLE_SEC = 10.0
"""How long a driver that leaves waits until it is heard that it gave its trials back."""


class Member:
    """Trains trials that are handed out under this driver's lease.

    Each trains in a folder of this driver alone, so that one that was given to another driver meanwhile shares no file
    with it; its files go to the database before its end is told.

    Args:
        database: of this thread.
        study: its name.
        lease: of this driver.
        launcher: with workers that have started; nobody else uses it until this is stopped.
        make_spec: (point, params, seed, fold) -> TrialSpec.
        folder: of the study here.
        check: refuses a trial that cannot be trained here.
        arrived: is told of the folder of a trial whose files were brought here.

    Attributes:
        trained: attempts that have ended here.
        error: what ended it.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        lease: Lease,
        launcher: Launcher,
        make_spec: MakeSpec,
        folder: Path,
        check: Callable[[TrialSpec], None] = lambda _: None,
        arrived: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self._database, self._study, self._lease = database, study, lease
        self._launcher, self._make_spec = launcher, make_spec
        self._check, self._arrived = check, arrived
        self._own = folder / DRIVERS / str(lease.id)
        self._remove_left(database, folder / DRIVERS)
        self._running: dict[TrialId, int] = {}
        self._taken: set[tuple[TrialId, int]] = set()
        self._revoked: set[TrialId] = set()
        self._pausing: set[TrialId] = set()
        self._asked_to_leave: set[TrialId] = set()
        self._early: dict[TrialId, list[Told]] = {}
        self._outbox: list[tuple[TrialId, int, str]] = []
        self._obeyed = self._sent = self.trained = 0
        self._leaves, self._stops = threading.Event(), threading.Event()
        self.error: HpsearchError | None = None
        self._thread = start_thread(self._run, name="member")

    def _remove_left(self, database: Database, folder: Path) -> None:
        """Remove the folders of drivers that were killed."""
        there = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
        live = {str(lease) for lease in database.run(self._leases)} if there else set()
        for name in there.keys() - live:
            shutil.rmtree(there[name], ignore_errors=True)

    def _leases(self, cursor: Cursor) -> list[int]:
        cursor.execute("select id from hpsearch.leases where study = %s", (self._study,))
        return [lease for (lease,) in cursor.fetchall()]

    def leave(self, within_sec: float) -> None:
        """Let every trial pause at the end of its epoch, and give all of them back.

        Args:
            within_sec: how long that may take; what trains then is left to whoever stops the workers.
        """
        self._leaves.set()
        self._thread.join(within_sec + SETTLE_SEC)
        self.stop()

    def stop(self) -> None:
        """Take part no more; what trains is left to whoever stops the workers."""
        self._stops.set()
        self._thread.join(SETTLE_SEC)
        self._database.close()
        shutil.rmtree(self._own, ignore_errors=True)
        with suppress(OSError):  # other drivers may train in this folder too
            self._own.parent.rmdir()

    def _run(self) -> None:
        try:
            while not self._stops.is_set() and not self._lease.lost:
                claims = self._step()
                if self._leaves.is_set() and not (claims or self._running):
                    return
        except HpsearchError as error:
            self.error = error

    def _step(self) -> int:
        """Take what is new, obey, and tell what happened; return how many trials are handed out to this driver."""
        claims, told = self._database.run(self._read)
        self._end_revoked({(trial, attempt) for trial, attempt, _, _ in claims})
        for trial, attempt, slot, text in claims:
            if (trial, attempt) not in self._taken:
                self._take(trial, attempt, slot, text)
        for number, trial, what in told:
            self._obeyed = number
            self._obey(trial, what)
        if self._leaves.is_set():
            self._ask_to_leave()
        for event in self._launcher.poll(POLL_SEC):
            self._note(event)
        if self._outbox:
            self._database.run(self._tell)
            self._sent += len(self._outbox)
            self._outbox.clear()
        return len(claims)

    def _read(self, cursor: Cursor) -> tuple[list[tuple[TrialId, int, int, str]], list[tuple[int, TrialId, Told]]]:
        cursor.execute(
            "select trial, attempt, slot, spec from hpsearch.claims where lease = %s order by trial", (self._lease.id,)
        )
        claims = [(trial_of(stem), attempt, slot, text) for stem, attempt, slot, text in cursor.fetchall()]
        cursor.execute(
            "select id, trial, content from hpsearch.decisions where lease = %s and id > %s order by id",
            (self._lease.id, self._obeyed),
        )
        return claims, [(number, trial_of(stem), told_from(text)) for number, stem, text in cursor.fetchall()]

    def _end_revoked(self, claimed: set[tuple[TrialId, int]]) -> None:
        """Kill what was given to another driver."""
        self._taken &= claimed
        for trial in self._early.keys() - {trial for trial, _ in claimed}:
            del self._early[trial]
        for trial, attempt in self._running.items():
            if (trial, attempt) not in claimed and trial not in self._revoked:
                self._revoked.add(trial)
                self._launcher.kill(trial)

    def _obey(self, trial: TrialId, told: Told) -> None:
        """Do what a trial is told; one that waits for its slot is told once it has begun."""
        if trial not in self._running:
            self._early.setdefault(trial, []).append(told)
            return
        if told == KILL:
            self._launcher.kill(trial)
        elif not isinstance(told, str) or isinstance(told, Decision):
            if told is Decision.PAUSE:
                self._pausing.add(trial)
            self._launcher.decide(trial, told)

    def _take(self, trial: TrialId, attempt: int, slot: int, text: str) -> None:
        """Start what was handed out once its slot is free; give it back where this driver leaves."""
        if self._leaves.is_set():
            self._taken.add((trial, attempt))
            self._outbox += _texts(Ended(trial, _given_back()), attempt)
        elif slot in self._launcher.free():
            spec = spec_from(trial.stem, text, self._make_spec)
            self._check(spec)
            under = f"{TRIALS}/{trial.stem}"
            self._database.run(lambda cursor: trial_files.fetch(cursor, self._study, under, self._own))
            self._arrived(self._own / under)
            self._taken.add((trial, attempt))
            self._running[trial] = attempt
            self._launcher.submit(slot, (replace(spec, folder=str(self._own / under)),))
            for told in self._early.pop(trial, ()):
                self._obey(trial, told)

    def _ask_to_leave(self) -> None:
        self._database.run(self._take_no_more)
        for trial in self._running.keys() - self._asked_to_leave:
            self._asked_to_leave.add(trial)
            self._launcher.decide(trial, Decision.LEAVE)

    def _take_no_more(self, cursor: Cursor) -> None:
        cursor.execute("update hpsearch.leases set slots = 0 where id = %s and slots > 0", (self._lease.id,))

    def _note(self, event: LauncherEvent) -> None:
        """Put what happened into the outbox; the files of a trial that has ended are kept first."""
        ends = isinstance(event, Ended | Died)
        for trial, text in event_texts(self._left(event)).items():
            attempt = self._running.get(trial)
            if attempt is None:
                continue
            if ends:
                del self._running[trial]
                self._pausing.discard(trial)
                self._asked_to_leave.discard(trial)
                self.trained += 1
                if trial in self._revoked:
                    self._revoked.discard(trial)
                    continue
                self._keep_files(trial, attempt)
            elif trial in self._revoked:
                continue
            self._outbox.append((trial, attempt, text))

    def _left(self, event: LauncherEvent) -> LauncherEvent:
        """Return an event as it is told: a trial that paused because this driver leaves waits for another one."""
        paused = isinstance(event, Ended) and event.result.state is TrialState.PAUSED
        if not (isinstance(event, Ended) and paused and event.trial in self._asked_to_leave - self._pausing):
            return event
        return Ended(event.trial, replace(_given_back(), facts=event.result.facts))

    def _keep_files(self, trial: TrialId, attempt: int) -> None:
        under = f"{TRIALS}/{trial.stem}"

        def keep(cursor: Cursor) -> None:
            if self._has(cursor, trial, attempt):
                trial_files.store(cursor, self._study, under, self._own)

        self._database.run(keep)
        shutil.rmtree(self._own / under, ignore_errors=True)

    def _has(self, cursor: Cursor, trial: TrialId, attempt: int) -> bool:
        """Return whether an attempt is this driver's, and stays so until the end of the transaction."""
        cursor.execute(
            "select 1 from hpsearch.claims where study = %s and trial = %s and attempt = %s and lease = %s for share",
            (self._study, trial.stem, attempt, self._lease.id),
        )
        return cursor.fetchone() is not None

    def _tell(self, cursor: Cursor) -> None:
        """Send what is in the outbox; of an attempt that is another driver's nothing."""
        for place, (trial, attempt, text) in enumerate(self._outbox):
            if self._has(cursor, trial, attempt):
                cursor.execute(
                    "insert into hpsearch.messages (study, trial, lease, attempt, number, content) "
                    "values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
                    (self._study, trial.stem, self._lease.id, attempt, self._sent + place, text),
                )


def _given_back() -> TrialResult:
    return TrialResult(TrialState.WAITING, "its driver left")


def _texts(event: LauncherEvent, attempt: int) -> list[tuple[TrialId, int, str]]:
    return [(trial, attempt, text) for trial, text in event_texts(event).items()]
