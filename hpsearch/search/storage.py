"""Where the search's state lives.

The journal is Optuna's own log format behind a backend of ours: one driver holds the study's lock, so operations are
kept in memory and appended once per driver tick, without a lock and a sync per operation.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection

from hpsearch.base.borrowed import still_quiet
from hpsearch.base.errors import DamageError, HpsearchError, StorageError, first_line
from hpsearch.base.files import DATABASE
from hpsearch.base.formats import FORMAT, TAG, untagged
from hpsearch.base.journal import Journal
from hpsearch.base.memory import collector_paused
from hpsearch.base.types import Objective
from hpsearch.search.loggers import SPEAK
from hpsearch.search.optuna_internals import QueueStorage, share_distributions
from hpsearch.search.optuna_tpe import quicken_tpe
from hpsearch.tracking.damage import kept_aside

JOURNAL_NAME = "optuna.journal"
UID = "uid"
"""User attribute of an Optuna study: that of the study whose record it belongs to."""
_ASIDE = "run the study's command again, which tells the search from the event files"


class DriverJournal(BaseJournalBackend):
    """Optuna's journal in a file that this process alone writes.

    Args:
        path: the file; created when missing.

    Raises:
        DamageError: a line before the end of the file is no operation of Optuna's.
    """

    def __init__(self, path: Path) -> None:
        self._lines = Journal(path, hold=True)
        self._unread = self._lines.events
        self._first_unread = 0
        strange = next((log for log in self._unread if "op_code" not in log), None)
        if strange is not None:
            raise DamageError(f"{path} is damaged ({json.dumps(strange)[:40]} is no operation of Optuna's); {_ASIDE}")

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the operations from a number on; those before it are forgotten."""
        del self._unread[: log_number_from - self._first_unread]
        self._first_unread = log_number_from
        return list(self._unread)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Keep operations until the next `write`."""
        self._unread.extend(logs)
        for log in logs:
            self._lines.append(log, durable=True, sealed=True)

    def write(self) -> None:
        """Append what is kept, in one write: it outlives this process, but not yet a power cut."""
        self._lines.write()

    def flush(self) -> None:
        """Append what is kept and wait until the disk has everything."""
        self._lines.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()


class Store(Protocol):
    """Where Optuna's study is kept."""

    persistent: bool

    def open(self, folder: Path) -> "OpenStore":
        """Open the store of the study in `folder`."""
        ...


@dataclass(frozen=True, slots=True)
class OpenStore:
    """An open store: Optuna's storage, and what writes it out.

    Attributes:
        storage: Optuna's.
        journal: what writes it; None where it is in memory.
        guard: called before anything is written; raises where the folder is not this process's any more.
    """

    storage: BaseStorage
    journal: DriverJournal | None = None
    guard: Callable[[], None] = lambda: None

    def write(self) -> None:
        """Write everything told so far, so that it outlives this process."""
        if self.journal is not None:
            self.guard()
            self.journal.write()

    def flush(self) -> None:
        """Bring everything told so far to the disk."""
        if self.journal is not None:
            self.guard()
            self.journal.flush()

    def close(self) -> None:
        """Bring everything to the disk; nothing is held open."""
        if self.journal is not None:
            try:
                self.flush()
            finally:
                self.journal.close()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close it at the end of the block; an error that leaves the block is told, not one of closing after it.

        Yields:
            Nothing.
        """
        try:
            yield
        except BaseException:
            with suppress(HpsearchError):
                self.close()
            raise
        self.close()


@dataclass(frozen=True, slots=True)
class JournalStore:
    """Embedded storage: ``optuna.journal`` in the study's folder, one driver at a time."""

    persistent = True

    def open(self, folder: Path) -> OpenStore:
        """Open or create the journal; the caller holds the study's lock.

        Args:
            folder: of the study.

        Returns:
            The store.

        Raises:
            StorageError: the folder is a copy of one in a database, where the study goes on.
        """
        if (folder / DATABASE).exists():
            raise StorageError(
                f"study '{folder.name}' is kept in PostgreSQL, and {folder} is a copy: go on with storage=postgres and "
                f"the storage.url in {folder / DATABASE}"
            )
        return opened_journal(folder / JOURNAL_NAME, DriverJournal)


def opened_journal(path: Path, opened: Callable[[Path], DriverJournal]) -> OpenStore:
    """Return the store of a journal.

    Args:
        path: of the journal.
        opened: opens it or creates it.

    Raises:
        DamageError: what stands in it are no operations that follow each other.
    """
    with collector_paused():
        share_distributions()
        journal = opened(path)
        try:
            storage = QueueStorage(journal)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError) as error:
            raise DamageError(f"{path} is damaged ({first_line(error)} in an operation); {_ASIDE}") from error
        for study in storage.get_all_studies():
            untagged(study.user_attrs, "search", path)
        return OpenStore(storage, journal)


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Storage in memory: a study that cannot be resumed."""

    persistent = False

    def open(self, folder: Path) -> OpenStore:  # noqa: ARG002 (the protocol's signature)
        """Return an empty store."""
        return OpenStore(InMemoryStorage())


def open_own(store: Store, folder: Path, uid: str, line: Callable[[str], None]) -> OpenStore:
    """Open the store of a study; a journal that is damaged, or of another study, is kept aside for a new one.

    Args:
        store: how it is kept.
        folder: of the study, whose lock is held.
        uid: of the study.
        line: told of a journal that is kept aside.

    Returns:
        The store, with the points of this study or none.
    """
    try:
        opened = store.open(folder)
        if all(study.user_attrs.get(UID, uid) == uid for study in opened.storage.get_all_studies()):
            return opened
        opened.close()
        why = f"{folder / JOURNAL_NAME} is of another study"
    except DamageError as error:
        why = str(error).partition("; ")[0]
    line(f"{why}; kept as {kept_aside(folder / JOURNAL_NAME).name}, and told again from the event files")
    return store.open(folder)


def open_study(
    store: OpenStore, name: str, pruner: BasePruner, objective: Objective, uid: str | None = None
) -> optuna.Study:
    """Load the Optuna study of this name, or create it; it has no sampler of its own yet.

    Args:
        store: where it is.
        name: of the study.
        pruner: of the study.
        objective: says what is better.
        uid: of the study that it belongs to, which a new one keeps.

    Returns:
        The study; one of a newer format raises a StorageError.
    """
    still_quiet(SPEAK)
    quicken_tpe()
    directions = [StudyDirection.MAXIMIZE if each.maximize else StudyDirection.MINIMIZE for each in objective.each]
    study = optuna.create_study(
        storage=store.storage, study_name=name, pruner=pruner, directions=directions, load_if_exists=True
    )
    kept = study.user_attrs
    untagged(kept, "search", f"Optuna's study '{name}'")
    if TAG not in kept:
        study.set_user_attr(TAG, FORMAT)
    if uid is not None and UID not in kept:
        study.set_user_attr(UID, uid)
    return study
