"""Several drivers on one study, through a database: one leads, the others train for it, any of them goes on."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hpsearch.base.errors import BusyError, ConfigError, StorageError
from hpsearch.base.observer import Observer
from hpsearch.base.types import MakeSpec, TrialSpec
from hpsearch.config.build import build
from hpsearch.config.compose import Composition
from hpsearch.config.record import check_no_lookup, check_words
from hpsearch.search.interrupts import interrupts
from hpsearch.search.shared.copied import FolderCopy, bring, described, is_kept, refuse_another, uid_of
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.launcher import SharedLauncher
from hpsearch.search.shared.leading import Leading, Standing, Succession, stage_text, standing
from hpsearch.search.shared.leases import Lease
from hpsearch.search.shared.member import Member, OwnWorkers
from hpsearch.search.shared.store import PostgresStore
from hpsearch.study.folder import check_same, description, folder_lock, folder_of
from hpsearch.study.origins import Origins
from hpsearch.study.session import StudySession
from hpsearch.study.specs import make_spec
from hpsearch.trial.resume import arrived

LOOK_SEC = 0.5
"""How often a driver that does not lead looks whether it should."""
_ALONE = {"paused": 0, "fuse": "off"}
"""Options of the launcher: what waits goes on with another driver, so that nothing of it may stay in a worker."""


def shared_store(composition: Composition) -> PostgresStore | None:
    """Return the database that a study is kept in; None for one that lies in its folder alone.

    Args:
        composition: what is to be done.

    Raises:
        ConfigError: it is trained in rounds.
    """
    config = composition.config
    store = build("storage", config["storage"], config["plugins"])
    if not isinstance(store, PostgresStore):
        return None
    store.database()
    if config["launcher"].get("lockstep"):
        raise ConfigError("launcher.lockstep = true: drivers of several machines cannot work in rounds; use false")
    return store


@dataclass(frozen=True, slots=True)
class Team:
    """What this driver has of a study that several work on.

    Attributes:
        database: of the study.
        store: how it is used.
        session: of this command.
        lease: of this driver.
        member: trains what is handed out to it.
        succession: waits for its turn.
        origins: code and data, as they are here.
    """

    database: Database
    store: PostgresStore
    session: StudySession
    lease: Lease
    member: Member
    succession: Succession
    origins: Origins

    def check(self) -> None:
        """Raise what ended this driver's part.

        Raises:
            StorageError: the others took it for gone.
        """
        if self.member.error is not None:
            raise self.member.error
        if self.lease.lost:
            raise StorageError(
                f"this driver was not heard of for {self.store.lease_sec:g} s (storage.lease_sec), and its trials were "
                "given to others; run the same command again to work with them"
            )

    def lead(self, leading: Leading) -> tuple[FolderCopy, SharedLauncher]:
        """Begin to lead.

        Args:
            leading: writes the study.

        Returns:
            The copy of the study's folder, and the workers of all drivers.
        """
        session = self.session
        session.enter(_left(leading, session))
        copy, local = FolderCopy(leading, session.folder), session.workers.launcher
        launcher = SharedLauncher(
            *(leading, OwnWorkers(self.member, local), self.store.lease_sec, copy.fetch_trial),
            *(session.observer.line, self.check),
        )
        session.home, session.workers.launcher = copy, launcher
        return copy, launcher

    def bring(self, *studies: str) -> None:
        """Bring the folders of studies to what the database holds, once this driver takes part no more.

        Args:
            *studies: their names; of one that is not kept nothing is brought.
        """
        self.member.stop()
        leader = self.database.run(partial(standing, study=self.session.folder.name)).holder
        for name in studies:
            folder = folder_of(name)
            if self.database.run(partial(is_kept, study=name)):
                with suppress(BusyError), folder_lock(folder):  # another driver that works in this folder keeps it
                    bring(self.database, name, folder, leader)


@contextmanager
def joined(
    composition: Composition,
    observer: Observer,
    store: PostgresStore,
    space: Mapping[str, str],
    check: Callable[[StudySession, Origins], None],
) -> Iterator[tuple[Team, Leading | Standing]]:
    """Take part in a study until it is this driver's turn to lead, the study has ended, or this driver is to stop.

    Args:
        composition: of the study.
        observer: shows progress.
        store: where it is kept.
        space: expressions by flat name.
        check: lets the workers of this driver build what is to be trained, and learns its data.

    Yields:
        This driver's part, and its lead or how the study stands; it takes part inside the block.

    Raises:
        ConfigError: its workers are none of their own.
    """
    origins = Origins()
    with (
        closing(Database(store.database(), observer.line, store.wait_sec, store.lease_sec)) as database,
        StudySession(composition, observer, options=_ALONE) as session,
    ):
        if not session.workers.launcher.detached:
            raise ConfigError(
                "storage = postgres: launcher=inline trains in the driver, which must hear of the others meanwhile; "
                "use launcher=processes"
            )
        database.open()
        check(session, origins)
        team = session.enter(_working(database, store, session, origins))
        yield team, _turn(team, space)


@contextmanager
def _working(database: Database, store: PostgresStore, session: StudySession, origins: Origins) -> Iterator[Team]:
    """Take part in a study inside the block, with the workers of a session."""
    name, launcher, url = session.folder.name, session.workers.launcher, store.database()
    own = Database(url, wait_sec=store.wait_sec, idle_sec=store.lease_sec)
    with closing(own):
        own.open()
        specs, check = _Specs(session, own), partial(_with_origins, origins)
        lease = Lease(url, name, launcher.slots, store.lease_sec, store.wait_sec)
        member = Member(own, name, lease, launcher, specs, session.folder, check=check, arrived=arrived)
        succession = Succession(database, name, lease, store.lease_sec)
        try:
            yield Team(database, store, session, lease, member, succession, origins)
        finally:
            member.stop()
            lease.close(database.run)


class _Specs:
    """Makes the trials of a study, and those of its stages, from the configuration of this driver.

    Args:
        session: of this command.
        database: of the thread that trains.
    """

    def __init__(self, session: StudySession, database: Database) -> None:
        self._composition, self._folder, self._database = session.composition, session.folder, database
        self._known: dict[tuple[str, str], MakeSpec] = {}

    def __call__(self, study: str) -> MakeSpec:
        """Return what makes the trials of a study."""
        if study == self._folder.name:
            return partial(make_spec, self._composition, self._folder)
        text = self._database.run(partial(stage_text, study=study))
        if (study, text) not in self._known:
            self._known = {(study, text): self._of_stage(self._folder.with_name(study), text)}
        return self._known[study, text]

    def _of_stage(self, folder: Path, text: str) -> MakeSpec:
        stage = json.loads(text)
        check_words(stage["words"], self._composition.config["plugins"])
        check_no_lookup(stage["space"], "space")
        return partial(make_spec, self._composition.of_stage(stage["words"], stage["space"]), folder)


def _with_origins(origins: Origins, spec: TrialSpec) -> TrialSpec:
    """Return a trial with the targets of its code here; one of other code, or on other data, is refused."""
    code, data = origins.code.of(spec.config), origins.data.of(spec.config)
    for what, there, here in (
        ("code", spec.code, code.digest),
        ("data", spec.files, data.of_files.digest),
        ("data", spec.data if data.samples else "", data.digest),
    ):
        if there and here and there != here:
            raise ConfigError(
                f"trial {spec.study}/{spec.id} is to be trained with other {what} ({there}) than what stands here "
                f"({here}): give every driver the same {what}"
            )
    return replace(spec, targets=code.targets)


@contextmanager
def _left(leading: Leading, session: StudySession) -> Iterator[None]:
    """Lead a study inside the block; another driver goes on with one that has not come to its end."""
    try:
        yield
    finally:
        leading.leave(session.told or None)


def _turn(team: Team, space: Mapping[str, str]) -> Leading | Standing:
    """Train for the driver that leads until it is this one's turn, the study has ended, or this one is to stop."""
    said, session = "", team.session
    with interrupts(session.observer.line) as asked:
        while True:
            found = team.succession.look()
            if isinstance(found, Leading) or found.ended:
                if team.succession.joined or team.member.handed:
                    session.go_on()
                return found
            if found.holder != said and found.begun and not team.succession.unlike(found):
                there = described(team.database, session.folder.name)
                check_same(session.folder.name, there, description(session.composition, space))
                if uid := team.database.run(partial(uid_of, study=session.folder.name)):
                    refuse_another(session.folder, uid)
                said = found.holder
                session.observer.line(f"{said} leads study '{session.folder.name}': this one trains for it")
            team.check()
            if asked.count:
                launcher = session.workers.launcher
                team.member.leave(launcher.grace_sec)
                return found
            time.sleep(min(LOOK_SEC, team.store.lease_sec / 6))
