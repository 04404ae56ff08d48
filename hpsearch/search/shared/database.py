"""A connection to PostgreSQL: opened with one-line errors, and opened again when it is lost."""

import math
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.passwords import shown_address, without_password
from hpsearch.base.words import duration
from hpsearch.search.shared.schema import prepare

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
Cursor: TypeAlias = "psycopg.Cursor[tuple[Any, ...]]"
RETRY_SEC = 0.5
_EXAMPLE = "postgresql://HOST:5432/DATABASE"
_ELSEWHERE = "the password belongs in the environment (PGPASSWORD) or in ~/.pgpass"
_SHOWN = 300
_OPTIONS: dict[str, Any] = {
    "application_name": "hpsearch",
    "autocommit": True,
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "prepare_threshold": None,
}
"""A server that is gone without a word is noticed within half a minute. Nothing is prepared: behind a pooler that hands
out connections by the transaction, statements would be looked for where they are not."""


def check_url(url: str | None) -> str:
    """Return the address of a database.

    Args:
        url: as ``postgresql://HOST:PORT/DATABASE?user=USER``, with any parameters of libpq behind the question mark.

    Raises:
        ConfigError: there is none, it is no address of PostgreSQL, it holds a password, or psycopg is not installed.
    """
    if not url:
        raise ConfigError(f"storage.url = null: storage=postgres needs the address of a database, as {_EXAMPLE}")
    shown = shown_address(url)
    if not re.match(r"postgres(ql)?://", url):
        raise ConfigError(f"storage.url = {shown}: must be an address as {_EXAMPLE}")
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise ConfigError(
            "storage = postgres: needs psycopg, which is not installed: pip install 'hpsearch[postgres]'"
        ) from None
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigError(f"storage.url = {shown}: {_one_line(error)}") from None
    if parts.keys() & {"password", "sslpassword"}:
        raise ConfigError(f"storage.url = {shown}: holds a password, which would be written down; {_ELSEWHERE}")
    return url


class Database:
    """A connection of one thread.

    Args:
        url: a checked address.
        line: is told that the connection is lost, and that it is back.
        wait_sec: how long a lost one is waited for.
        idle_sec: how long a transaction may lie still before the server ends it: one of a frozen driver would hold its
            locks for as long as that.
    """

    def __init__(
        self,
        url: str,
        line: Callable[[str], None] = lambda _: None,
        wait_sec: float = 600.0,
        idle_sec: float = 30.0,
    ) -> None:
        self.url, self.wait_sec, self.idle_sec = url, wait_sec, idle_sec
        self._line = line
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def open(self) -> None:
        """Connect for the first time, and create the tables unless they are there.

        Raises:
            StorageError: nobody answers, the user or the password is refused, it may not be written, or the tables are
                of another format.
        """
        import psycopg

        try:
            with self._connected().transaction(), self._connected().cursor() as cursor:
                prepare(cursor)
        except psycopg.Error as error:
            self.close()
            raise StorageError(f"{self.url}: {_one_line(error)}{_hint(error)}") from None
        except StorageError as error:
            self.close()
            raise StorageError(f"{self.url}: {error}") from None

    def run(self, work: Callable[[Cursor], T], snapshot: bool = False) -> T:
        """Do work in a transaction, and once more wherever the connection is lost meanwhile.

        Args:
            work: is given a cursor; what it does twice, because nobody heard that it was committed, changes nothing.
            snapshot: whether all of it sees the database as it was when it began.

        Returns:
            What it returns.

        Raises:
            StorageError: the connection stays lost for too long, or the database refuses the work.
        """
        import psycopg

        since: float | None = None
        while True:
            try:
                with self._connected().transaction(), self._connected().cursor() as cursor:
                    if snapshot:
                        cursor.execute("set transaction isolation level repeatable read")
                    result = work(cursor)
                if since is not None:
                    self._line(f"the database is back after {duration(time.monotonic() - since)}")
                return result
            except psycopg.Error as error:
                if not self._passes(error):
                    raise StorageError(f"{self.url}: {_one_line(error)}{_hint(error)}") from None
                self.close()
                if since is None:
                    since = time.monotonic()
                    within = f"it is waited for up to {duration(self.wait_sec)} (storage.wait_sec)"
                    self._line(f"the database cannot be used ({_one_line(error)}): {within}")
                if time.monotonic() - since > self.wait_sec:
                    raise StorageError(
                        f"{self.url} could not be used for {duration(self.wait_sec)} (storage.wait_sec): "
                        f"{_one_line(error)}; the same command goes on once it can"
                    ) from None
                time.sleep(RETRY_SEC)

    def _passes(self, error: "psycopg.Error") -> bool:
        """Return whether the same work may be done later: nobody answers, or no room, or not to be written for now."""
        import psycopg

        lost = self._connection is None or self._connection.closed
        later = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
        return lost or isinstance(error, later)

    def close(self) -> None:
        """Let go of the connection; the next work opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> "psycopg.Connection[tuple[Any, ...]]":
        if self._connection is None:
            import psycopg

            connection = psycopg.connect(self.url, **_OPTIONS)
            idle = f"{math.ceil(1000 * self.idle_sec)}ms"
            connection.execute("select set_config('idle_in_transaction_session_timeout', %s, false)", (idle,))
            self._connection = connection
        return self._connection


def _one_line(error: Exception) -> str:
    """Return what PostgreSQL says, without the addresses that it tried before."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    said = next((line for line in lines if "FATAL" in line or "failed:" in line.lower()), lines[0])
    return without_password(said)[:_SHOWN]


def _hint(error: Exception) -> str:
    said = str(error)
    if "no password supplied" in said:
        return f"; {_ELSEWHERE}"
    if "permission denied for database" in said:
        return "; the first driver makes the tables: grant create on the database to its user, for once"
    if "permission denied" in said:
        return "; grant usage on schema hpsearch, and all on all tables in it, to this user"
    return "; PGPASSWORD or ~/.pgpass holds another one" if "password authentication failed" in said else ""
