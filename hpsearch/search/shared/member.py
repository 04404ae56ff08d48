"""Trains what the driver that leads a study hands out to this one, in a thread of its own."""

import shutil
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hpsearch.base.errors import HpsearchError, StorageError
from hpsearch.base.threads import start_thread
from hpsearch.base.types import Decision, MakeSpec, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Launcher, LauncherEvent
from hpsearch.search.shared import trial_files
from hpsearch.search.shared.database import Cursor, Database
from hpsearch.search.shared.leases import Lease
from hpsearch.search.shared.trial_files import TRIALS
from hpsearch.search.shared.wire import KILL, Told, event_texts, later, spec_from, told_from, trial_of

DRIVERS = "drivers"
"""Where drivers train, each under the number of its lease, in a study's folder."""
POLL_SEC, MOST_SEC = 0.02, 0.25
"""How often a driver looks for what it is told: at first, and where nothing has happened for a while."""
SETTLE_SEC = 10.0
"""How long a driver that leaves waits until it is heard that it gave its trials back."""
ANSWER_SEC = 0.1
"""How often whoever waits for a call looks whether this part has ended."""


class _Attempt(NamedTuple):
    """One attempt of a trial, of a study that is the drivers' own or a stage of it."""

    study: str
    trial: TrialId
    number: int


class _Claim(NamedTuple):
    """A trial that is handed out to this driver, for a slot."""

    attempt: _Attempt
    slot: int
    spec: str


class Member:
    """Trains trials that are handed out under this driver's lease.

    Each trains in a folder of this driver alone, so that one that was given to another driver meanwhile shares no file
    with it; its files go to the database before its end is told.

    Args:
        database: of this thread.
        study: its name.
        lease: of this driver.
        launcher: with workers that have started; nobody else uses it until this is stopped.
        specs: of a study, that one or a stage of it: (point, params, seed, fold) -> TrialSpec.
        folder: of the study here.
        check: returns a trial with what is known of it here alone; one that cannot be trained here it refuses.
        arrived: is told of the folder of a trial whose files were brought here.

    Attributes:
        trained: attempts that have ended here.
        handed: whether any was handed out to this driver: one that leads lives, or did.
        error: what ended it.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        lease: Lease,
        launcher: Launcher,
        specs: Callable[[str], MakeSpec],
        folder: Path,
        check: Callable[[TrialSpec], TrialSpec] = lambda spec: spec,
        arrived: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self._database, self._study, self._lease = database, study, lease
        self._launcher, self._specs = launcher, specs
        self._check, self._arrived = check, arrived
        self._own = folder / DRIVERS / str(lease.id)
        self._remove_left(database, folder / DRIVERS)
        self._running: dict[TrialId, _Attempt] = {}
        self._taken: set[_Attempt] = set()
        self._revoked: set[TrialId] = set()
        self._pausing: set[TrialId] = set()
        self._asked_to_leave: set[TrialId] = set()
        self._early: dict[TrialId, list[Told]] = {}
        self._outbox: list[tuple[_Attempt, str]] = []
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._obeyed = self._sent = self.trained = 0
        self._leaves, self._stops = threading.Event(), threading.Event()
        self.error: HpsearchError | None = None
        self._wait_sec, self.handed = POLL_SEC, False
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

    @property
    def ahead(self) -> float:
        """Seconds by which the database's clock is ahead of that of this machine."""
        return self._lease.ahead

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> Any:
        """Run a function in a worker of this driver, once one is free; see `Launcher.call`.

        Args:
            function: importable by name.
            *args: its arguments.
            within_sec: how long it may take.

        Returns:
            What it returns.

        Raises:
            StorageError: this driver takes part no more.
        """
        answer: Future[Any] = Future()
        self._calls.append((answer, partial(self._launcher.call, function, *args, within_sec=within_sec)))
        while not wait((answer,), ANSWER_SEC).done:
            if not self._thread.is_alive():
                raise StorageError(f"this driver takes part no more: {self.error or 'the others took it for gone'}")
        return answer.result()

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
        self._wait_sec = min(1.5 * self._wait_sec, MOST_SEC)
        self._answer()
        claims, told = self._database.run(self._read)
        self._end_revoked({claim.attempt for claim in claims})
        for claim in claims:
            if claim.attempt not in self._taken:
                self._wait_sec = POLL_SEC
                self._take(claim)
        for number, trial, what in told:
            self._obeyed = number
            self._obey(trial, what)
        if self._leaves.is_set():
            self._ask_to_leave()
        for event in self._launcher.poll(self._wait_sec):
            self._wait_sec = POLL_SEC
            self._note(event)
        if self._outbox:
            self._database.run(self._tell)
            self._sent += len(self._outbox)
            self._outbox.clear()
        return len(claims)

    def _answer(self) -> None:
        """Do what is called for, once a worker is free."""
        while self._calls and self._launcher.free():
            answer, ask = self._calls.popleft()
            try:
                answer.set_result(ask())
            except BaseException as error:  # it is raised where it was called for
                answer.set_exception(error)

    def _read(self, cursor: Cursor) -> tuple[list[_Claim], list[tuple[int, TrialId, Told]]]:
        cursor.execute(
            "select study, trial, attempt, slot, spec from hpsearch.claims where lease = %s order by trial",
            (self._lease.id,),
        )
        claims = [
            _Claim(_Attempt(study, trial_of(stem), number), slot, spec)
            for study, stem, number, slot, spec in cursor.fetchall()
        ]
        cursor.execute(
            "select id, trial, content from hpsearch.decisions where lease = %s and id > %s order by id",
            (self._lease.id, self._obeyed),
        )
        return claims, [(number, trial_of(stem), told_from(text)) for number, stem, text in cursor.fetchall()]

    def _end_revoked(self, claimed: set[_Attempt]) -> None:
        """Kill what was given to another driver."""
        self._taken &= claimed
        for trial in self._early.keys() - {attempt.trial for attempt in claimed}:
            del self._early[trial]
        for trial, attempt in self._running.items():
            if attempt not in claimed and trial not in self._revoked:
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

    def _take(self, claim: _Claim) -> None:
        """Start what was handed out once its slot is free; give it back where this driver leaves."""
        attempt, slot, text = claim
        self.handed = True
        trial = attempt.trial
        if self._leaves.is_set():
            self._taken.add(attempt)
            self._outbox += [(attempt, told) for told in event_texts(Ended(trial, _given_back())).values()]
        elif slot in self._launcher.free() and trial not in self._running:
            spec = self._check(spec_from(trial.stem, text, self._specs(attempt.study)))
            under = f"{TRIALS}/{trial.stem}"
            self._database.run(lambda cursor: trial_files.fetch(cursor, attempt.study, under, self._own))
            self._arrived(self._own / under)
            self._taken.add(attempt)
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
        for trial, text in event_texts(later(self._left(event), self._lease.ahead)).items():
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
                self._keep_files(attempt)
            elif trial in self._revoked:
                continue
            self._outbox.append((attempt, text))

    def _left(self, event: LauncherEvent) -> LauncherEvent:
        """Return an event as it is told: a trial that paused because this driver leaves waits for another one."""
        paused = isinstance(event, Ended) and event.result.state is TrialState.PAUSED
        if not (isinstance(event, Ended) and paused and event.trial in self._asked_to_leave - self._pausing):
            return event
        return Ended(event.trial, replace(_given_back(), facts=event.result.facts))

    def _keep_files(self, attempt: _Attempt) -> None:
        under = f"{TRIALS}/{attempt.trial.stem}"

        def keep(cursor: Cursor) -> None:
            if self._has(cursor, attempt):
                trial_files.store(cursor, attempt.study, under, self._own)

        self._database.run(keep)
        shutil.rmtree(self._own / under, ignore_errors=True)

    def _has(self, cursor: Cursor, attempt: _Attempt) -> bool:
        """Return whether an attempt is this driver's, and stays so until the end of the transaction."""
        cursor.execute(
            "select 1 from hpsearch.claims where study = %s and trial = %s and attempt = %s and lease = %s for share",
            (attempt.study, attempt.trial.stem, attempt.number, self._lease.id),
        )
        return cursor.fetchone() is not None

    def _tell(self, cursor: Cursor) -> None:
        """Send what is in the outbox; of an attempt that is another driver's nothing."""
        cursor.executemany(
            "insert into hpsearch.messages (study, trial, lease, attempt, number, content) "
            "select study, trial, lease, attempt, %s, %s from hpsearch.claims "
            "where study = %s and trial = %s and attempt = %s and lease = %s for share on conflict do nothing",
            [
                (self._sent + place, text, attempt.study, attempt.trial.stem, attempt.number, self._lease.id)
                for place, (attempt, text) in enumerate(self._outbox)
            ],
        )


def _given_back() -> TrialResult:
    return TrialResult(TrialState.WAITING, "its driver left")


class OwnWorkers:
    """The workers of this driver, as the one that leads uses them beside the member that trains with them.

    Args:
        member: which trains.
        launcher: of the workers.
    """

    def __init__(self, member: Member, launcher: Launcher) -> None:
        self.retries, self.grace_sec = launcher.retries, launcher.grace_sec
        self._member, self._launcher = member, launcher
        self.call, self.everywhere = member.call, launcher.everywhere

    @property
    def ahead(self) -> float:
        """Seconds by which the database's clock is ahead of that of this machine."""
        return self._member.ahead

    def stop(self, now: bool = False) -> None:
        """Take part no more, and end the workers."""
        self._member.stop()
        self._launcher.stop(now)
