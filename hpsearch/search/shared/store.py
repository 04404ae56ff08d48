"""Where a study is kept that several drivers work on: `storage=postgres`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend

from hpsearch.base.errors import ConfigError, StorageError, check_float
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


class _ReadJournal(BaseJournalBackend):
    """Optuna's journal of a study in a database, for whoever looks at it while it runs."""

    def __init__(self, database: Database, study: str) -> None:
        self._database, self._study = database, study
        self._logs: list[dict[str, Any]] = []
        self._bytes = 0

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the operations from a number on."""
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
        """Refuse to write: the driver that leads the study alone does."""
        raise StorageError(f"study '{self._study}' is written by its drivers alone")


@contextmanager
def readable(url: str, study: str) -> Iterator[BaseStorage]:
    """Open what Optuna knows of a study in a database, to be read while its drivers search.

    Args:
        url: of the database.
        study: its name; of a search whose ranges were widened there is a study of Optuna's for each of them.

    Yields:
        Optuna's storage.

    Raises:
        StorageError: the database has no study of this name.
    """
    database = Database(check_url(url))
    try:
        database.open()
        if not database.run(lambda cursor: _is_there(cursor, study)):
            raise StorageError(f"no study '{study}' in {url}")
        yield JournalStorage(_ReadJournal(database, study))
    finally:
        database.close()


def _is_there(cursor: Cursor, study: str) -> bool:
    cursor.execute("select 1 from hpsearch.lines where study = %s limit 1", (study,))
    return cursor.fetchone() is not None
