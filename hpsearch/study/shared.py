"""One search by several drivers, through a database: one leads, the others train for it, any of them goes on."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from hpsearch.base.errors import BusyError, ConfigError, StorageError
from hpsearch.base.observer import Observer
from hpsearch.base.types import BestPoint, TrialSpec, TrialState, TrialTable
from hpsearch.base.words import count
from hpsearch.config.build import build
from hpsearch.config.compose import Composition
from hpsearch.search.driver import SearchOutcome
from hpsearch.search.interrupts import interrupts
from hpsearch.search.shared.copied import FolderCopy, bring, described
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.launcher import SharedLauncher
from hpsearch.search.shared.leading import Leading, Standing, Succession
from hpsearch.search.shared.leases import Lease, holder
from hpsearch.search.shared.member import Member
from hpsearch.search.shared.store import CopiedStore, PostgresStore
from hpsearch.study.folder import check_same, description, folder_lock
from hpsearch.study.origins import Origins
from hpsearch.study.outcome import StudyOutcome, outcome_of
from hpsearch.study.plan import Search, plan_search
from hpsearch.study.search import changes_since, conclude, driver_of, open_fields, run_one_search
from hpsearch.study.session import StudySession
from hpsearch.study.specs import make_spec
from hpsearch.tracking.events import read_study
from hpsearch.tracking.query import table_from_events
from hpsearch.trial.resume import arrived

LOOK_SEC = 0.5
"""How often a driver that does not lead looks whether it should."""
_OF_BEST = ("point", "params", "mean", "sd", "n")
_ALONE = {"paused": 0, "fuse": "off"}
"""Options of the launcher: what waits goes on with another driver, so that nothing of it may stay in a worker."""


def search_of(composition: Composition, observer: Observer) -> StudyOutcome:
    """Run a search to its end, alone or with other drivers, as its storage says."""
    store = check_store(composition)
    if store is None:
        return run_one_search(composition, observer)[0]
    return run_shared_search(composition, observer, store)[0]


def check_store(composition: Composition) -> PostgresStore | None:
    """Return the database that a study is kept in; None for one that lies in its folder alone.

    Args:
        composition: what is to be done.

    Raises:
        ConfigError: it is a recipe, trained in rounds, or grows.
    """
    config = composition.config
    store = build("storage", config["storage"], config["plugins"])
    if not isinstance(store, PostgresStore):
        return None
    store.database()
    if config["stages"]:
        raise ConfigError(
            f"storage = postgres: study '{composition.study_name}' has stages, and only a search can be shared; run it "
            "with storage=journal"
        )
    if config["launcher"].get("lockstep"):
        raise ConfigError("launcher.lockstep = true: drivers of several machines cannot work in rounds; use false")
    if config["study"]["grow"] is not None:
        raise ConfigError("study.grow: a study that several drivers share keeps its space; use storage=journal")
    return store


@dataclass(frozen=True, slots=True)
class _Team:
    """What this driver has of a study that several work on."""

    database: Database
    store: PostgresStore
    lease: Lease
    member: Member
    succession: Succession


def run_shared_search(
    composition: Composition, observer: Observer, store: PostgresStore
) -> tuple[StudyOutcome, TrialTable]:
    """Run one search together with other drivers, from wherever it stands to its end.

    Args:
        composition: its configuration.
        observer: shows progress.
        store: where it is kept.

    Returns:
        The result, and the trials that it is read from.
    """
    began = time.monotonic()
    search = plan_search(composition)
    origins = Origins()
    with (
        closing(Database(store.database(), observer.line, store.wait_sec)) as database,
        StudySession(composition, observer, options=_ALONE) as session,
    ):
        _refuse_inline(session)
        database.open()
        for key in composition.fixed:
            observer.line(f"{key} is fixed on the command line and not searched")
        checked = session.check(search.representatives())
        origins.data.learn(checked.states)
        team = session.enter(_working(database, store, session, origins))
        found = _turn(team, session, search)
        if isinstance(found, Leading):
            session.enter(_leading(found, session))
            return _lead(found, team, search, session, origins, began)
        return _follow(found, team, session, began)


def _refuse_inline(session: StudySession) -> None:
    if not session.workers.launcher.detached:
        raise ConfigError(
            "storage = postgres: launcher=inline trains in the driver, which must hear of the others meanwhile; use "
            "launcher=processes"
        )


@contextmanager
def _working(database: Database, store: PostgresStore, session: StudySession, origins: Origins) -> Iterator[_Team]:
    """Take part in a study inside the block, with the workers of a session."""
    name, launcher, url = session.folder.name, session.workers.launcher, store.database()
    lease = Lease(url, name, launcher.slots, store.lease_sec, store.wait_sec)
    make, check = partial(make_spec, session.composition, session.folder), partial(_check_origins, origins)
    own = Database(url, wait_sec=store.wait_sec)
    member = Member(own, name, lease, launcher, make, session.folder, check=check, arrived=arrived)
    try:
        yield _Team(database, store, lease, member, Succession(database, name, lease, store.lease_sec))
    finally:
        member.stop()
        lease.close(database.run)


def _check_origins(origins: Origins, spec: TrialSpec) -> None:
    """Refuse a trial of other code, or on other data, than what stands here."""
    for what, there, here in (
        ("code", spec.code, origins.code.of(spec.config).digest),
        ("data", spec.data, origins.data.of(spec.config).digest),
    ):
        if there and here and there != here:
            raise ConfigError(
                f"trial {spec.study}/{spec.id} is to be trained with other {what} ({there}) than what stands here "
                f"({here}): give every driver the same {what}"
            )


@contextmanager
def _leading(leading: Leading, session: StudySession) -> Iterator[None]:
    """Lead a study inside the block; another driver goes on with one that has not come to its end."""
    try:
        yield
    finally:
        leading.leave(session.told or None)


def _turn(team: _Team, session: StudySession, search: Search) -> Leading | Standing:
    """Train for the driver that leads until it is this one's turn, the study has ended, or this one is to stop."""
    said = ""
    with interrupts(session.observer.line) as asked:
        while True:
            found = team.succession.look()
            if isinstance(found, Leading) or found.ended:
                if team.succession.joined:
                    session.go_on()
                return found
            if found.holder != said and found.begun and not team.succession.unlike(found):
                there = described(team.database, session.folder.name)
                check_same(session.folder.name, there, description(session.composition, search.space.to_dict()))
                said = found.holder
                session.observer.line(f"{said} leads study '{session.folder.name}': this one trains for it")
            _check(team)
            if asked.count:
                launcher = session.workers.launcher
                team.member.leave(launcher.grace_sec)
                return found
            time.sleep(min(LOOK_SEC, team.store.lease_sec / 6))


def _check(team: _Team) -> None:
    """Raise what ended this driver's part.

    Raises:
        StorageError: the others took it for gone.
    """
    if team.member.error is not None:
        raise team.member.error
    if team.lease.lost:
        raise StorageError(
            f"this driver was not heard of for {team.store.lease_sec:g} s (storage.lease_sec), and its trials were "
            "given to others; run the same command again to work with them"
        )


def _lead(
    leading: Leading, team: _Team, search: Search, session: StudySession, origins: Origins, began: float
) -> tuple[StudyOutcome, TrialTable]:
    """Ask, tell and report, as the only driver of an embedded study does."""
    copy = FolderCopy(leading, session.folder)
    session.home = copy
    session.claim(search.space.to_dict())
    local = session.workers.launcher
    session.workers.launcher = SharedLauncher(
        leading, local, team.store.lease_sec, copy.fetch_trial, session.observer.line, partial(_check, team)
    )
    store = CopiedStore(copy)
    changes = changes_since(search, store, session, origins, checked=True)
    session.open(search.space.to_dict(), **open_fields(search))
    with driver_of(search, store, session, origins=origins, changes=changes) as driver:
        todo = driver.resume()
        outcome = driver.run()
    team.member.stop()
    session.workers.stop()
    shown, table = conclude(session, outcome, began, trained=todo)
    if not outcome.interrupted:
        session.told = f"{holder()}, {shown.report}"
    return shown, table


def _follow(found: Standing, team: _Team, session: StudySession, began: float) -> tuple[StudyOutcome, TrialTable]:
    """Say how a study stands that another driver leads, or has led to its end."""
    from hpsearch.reports.summary.numbers import summarize

    team.member.stop()
    with suppress(BusyError), folder_lock(session.folder):  # another driver that works in this folder keeps it
        bring(team.database, session.folder.name, session.folder)
    study = read_study(session.folder)
    if not study and not found.ended:
        raise KeyboardInterrupt  # before anything of it was recorded
    table = table_from_events(session.folder)
    known = study.get("best")
    best = BestPoint(**{each: known[each] for each in _OF_BEST}, metric=session.objective.metric) if known else None
    counts = Counter(map(TrialState, table.trials["state"]))
    outcome = SearchOutcome(not found.ended, counts, best, study.get("state", {}).get("why", ""))
    trained = f"{count(team.member.trained, 'trial')} trained here"
    note = f"{trained}; reported by {found.told}" if found.ended else f"{trained}; the other drivers go on"
    shown = outcome_of(
        session, table, summarize(table), outcome, began, trained=team.member.trained > 0, report=None, notes=(note,)
    )
    session.observer.conclude(shown)
    return shown, table
