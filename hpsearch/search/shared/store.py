"""Where a study is kept that several drivers work on: `storage=postgres`."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from hpsearch.base.errors import ConfigError, StorageError, check_float
from hpsearch.base.files import DATABASE
from hpsearch.base.intake import json_file
from hpsearch.base.journal import SEAL, whole_lines
from hpsearch.search.shared.copied import FolderCopy
from hpsearch.search.shared.database import Cursor, Database, check_url
from hpsearch.search.storage import JOURNAL_NAME, DriverJournal, OpenStore, opened_journal


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """A database that several drivers, on several machines, share.

    Args:
        url: ``postgresql://HOST:PORT/DATABASE``; the user comes from ``PGUSER`` where it is not in it, the password
            from ``PGPASSWORD`` or ``~/.pgpass`` alone.
        lease_sec: a driver that the others have not heard of for so long is gone, and its trials are given to others.
        wait_sec: how long a lost connection is waited for.
    """

    url: str | None = None
    lease_sec: float = 30.0
    wait_sec: float = 600.0

    persistent = True

    def __post_init__(self) -> None:
        check_float("storage.lease_sec", self.lease_sec, "[1, inf)")
        check_float("storage.wait_sec", self.wait_sec, "[0, inf)")

    def database(self) -> str:
        """Return its address, checked."""
        return check_url(self.url)

    def open(self, folder: Path) -> OpenStore:
        """Refuse to be opened by a command that works on the folder alone.

        Args:
            folder: of the study.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"storage = postgres: study '{folder.name}' can be searched with it, with trials that workers train; not "
            "grown, and not asked and told from outside"
        )


class CopiedStore:
    """Optuna's journal of a study whose folder is a copy; whatever is written goes to the database too.

    Args:
        copy: of the folder, brought to what the database holds.
    """

    persistent = True

    def __init__(self, copy: FolderCopy) -> None:
        self._copy = copy

    def open(self, folder: Path) -> OpenStore:
        """Open or create the journal; the caller holds the study's lock."""
        return opened_journal(folder / JOURNAL_NAME, lambda path: _CopiedJournal(path, self._copy))


class _CopiedJournal(DriverJournal):
    def __init__(self, path: Path, copy: FolderCopy) -> None:
        super().__init__(path)
        self._copy = copy

    def write(self) -> None:
        super().write()
        self._copy.push((JOURNAL_NAME,))

    def flush(self) -> None:
        super().flush()
        self._copy.push((JOURNAL_NAME,))


class ReadDatabase(BaseJournalBackend):
    """Optuna's journal of a study in a database, for whoever looks at it while its drivers search.

    Args:
        database: which this one alone uses, from one thread at a time.
        study: its name; of a search whose ranges were widened Optuna has a study for each of them.

    Raises:
        StorageError: the database does not answer, or has no study of this name.
    """

    def __init__(self, database: Database, study: str) -> None:
        self._database, self._study = database, study
        self._logs: list[dict[str, Any]] = []
        self._bytes = 0
        self._lock = threading.Lock()
        database.open()
        if not database.run(self._new):
            database.close()
            raise StorageError(f"no study '{study}' in {database.url}, or nothing was asked of it yet")

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the operations from a number on."""
        with self._lock:
            for content in self._database.run(self._new):
                events, length = whole_lines(content)
                self._bytes += length
                self._logs += [{name: value for name, value in event.items() if name != SEAL} for event in events]
            return self._logs[log_number_from:]

    def _new(self, cursor: Cursor) -> list[bytes]:
        cursor.execute(
            "select content from hpsearch.lines where study = %s and file = %s and start >= %s order by start",
            (self._study, JOURNAL_NAME, self._bytes),
        )
        return [content for (content,) in cursor.fetchall()]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:  # noqa: ARG002 (Optuna's signature)
        """Refuse.

        Raises:
            StorageError: always.
        """
        raise StorageError(f"study '{self._study}' is written by its drivers alone")


def database_of(folder: Path) -> Database | None:
    """Return the database that a study's folder is a copy of; None where it is none."""
    path = folder / DATABASE
    if not path.is_file():
        return None
    try:
        url = json_file(path)["url"]
    except (ValueError, LookupError, TypeError):
        raise StorageError(f"{path}: does not say which database; remove it, and run the study's command") from None
    return Database(check_url(str(url)))
