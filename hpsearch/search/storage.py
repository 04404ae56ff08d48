"""Where the search's state lives, and who owns it.

The journal is Optuna's own log format behind a backend of ours: one driver holds the study's lock, so operations are
kept in memory and appended once per driver tick, without a lock and a sync per operation.
"""

import gc
import json
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import filelock
import optuna
import psutil
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import BusyError, StorageError
from hpsearch.base.types import Objective
from hpsearch.search.quick import quicken_tpe

JOURNAL_NAME = "optuna.journal"
LOCK_SEC = 0.3  # a listing of studies holds a lock for an instant
_ASIDE = "move the study's folder aside and start again"


class Journal(BaseJournalBackend):
    """Optuna's journal in a file that this process alone writes.

    A torn last line (power cut, full disk), which would make every later load fail, is cut off.

    Args:
        path: the file; created when missing.

    Raises:
        StorageError: a line in the middle of the file is not JSON.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        data = path.read_bytes() if path.exists() else b""
        end = data.rfind(b"\n") + 1
        self._unread = _operations(path, data[:end])
        self._first_unread = 0
        self._unwritten: list[str] = []
        self._due, self._torn = False, True
        self._size = end
        self._file = path.open("ab", buffering=0)
        self._append(b"")

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the operations from a number on; those before it are forgotten."""
        del self._unread[: log_number_from - self._first_unread]
        self._first_unread = log_number_from
        return list(self._unread)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Keep operations until the next `write`."""
        self._unread.extend(logs)
        self._unwritten.extend(_ENCODER.encode(log) + "\n" for log in logs)

    def write(self) -> None:
        """Append what is kept, in one write: it outlives this process, but not yet a power cut.

        Raises:
            StorageError: the file cannot be written; what is kept stays.
        """
        if not self._unwritten:
            return
        data = "".join(self._unwritten).encode()
        try:
            self._append(data)
        except OSError as error:
            self._torn = True
            raise StorageError(f"cannot write {self._path}: {error.strerror or error}") from error
        self._size += len(data)
        self._unwritten.clear()
        self._due = True

    def _append(self, data: bytes) -> None:
        if self._torn:
            self._file.truncate(self._size)
            self._torn = False
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def flush(self) -> None:
        """Append what is kept and wait until the disk has everything."""
        self.write()
        if self._due:
            os.fsync(self._file.fileno())
            self._due = False

    def close(self) -> None:
        """Flush and close the file."""
        self.flush()
        self._file.close()


class QueueStorage(JournalStorage):
    """Optuna's journal storage, which is asked before every new trial for those that are queued.

    Optuna answers that by reading every trial of the study; here an empty queue is known to stay empty until a trial
    is queued. That holds for a storage with one writer.
    """

    def __init__(self, backend: BaseJournalBackend) -> None:
        super().__init__(backend)
        self._unqueued: set[int] = set()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial; see Optuna."""
        if template_trial is not None and template_trial.state is TrialState.WAITING:
            self._unqueued.discard(study_id)
        return super().create_new_trial(study_id, template_trial)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of a study; see Optuna."""
        queued = states == (TrialState.WAITING,)
        if queued and study_id in self._unqueued:
            return []
        trials = super().get_all_trials(study_id, deepcopy, states)
        if queued and not trials:
            self._unqueued.add(study_id)
        return trials


class Store(Protocol):
    """Where Optuna's study is kept."""

    persistent: bool

    def open(self, folder: Path) -> "OpenStore":
        """Open the store of the study in `folder`."""
        ...


@dataclass(frozen=True, slots=True)
class OpenStore:
    """An open store: Optuna's storage, and what writes it out."""

    storage: BaseStorage
    journal: Journal | None = None

    def write(self) -> None:
        """Write everything told so far, so that it outlives this process."""
        if self.journal is not None:
            self.journal.write()

    def flush(self) -> None:
        """Bring everything told so far to the disk."""
        if self.journal is not None:
            self.journal.flush()

    def close(self) -> None:
        """Flush and close."""
        if self.journal is not None:
            self.journal.close()


@dataclass(frozen=True, slots=True)
class JournalStore:
    """Embedded storage: ``optuna.journal`` in the study's folder, one driver at a time."""

    persistent = True

    def open(self, folder: Path) -> OpenStore:
        """Open or create the journal; the caller holds the study's lock."""
        with _collector_paused():
            journal = Journal(folder / JOURNAL_NAME)
            return OpenStore(QueueStorage(journal), journal)


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Storage in memory: a study that cannot be resumed."""

    persistent = False

    def open(self, folder: Path) -> OpenStore:  # noqa: ARG002 (the protocol's signature)
        """Return an empty store."""
        return OpenStore(InMemoryStorage())


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the garbage collector while much is read that stays: it would look through all of it again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _operations(path: Path, data: bytes) -> list[dict[str, Any]]:
    """Return the operations of a journal's whole lines."""
    lines = data.splitlines()
    try:
        logs = _parsed(lines)
    except ValueError as error:
        raise StorageError(f"{path} is damaged ({error}); {_ASIDE}") from None
    strange = next((log for log in logs if not isinstance(log, dict) or "op_code" not in log), None)
    if strange is not None:
        raise StorageError(f"{path} is damaged ({json.dumps(strange)[:40]} is no operation of Optuna's); {_ASIDE}")
    return logs


def _parsed(lines: Sequence[bytes]) -> list[Any]:
    """Return what lines of JSON say: parsed together, which takes a fraction of the time, or one by one if damaged."""
    try:
        logs: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        logs = []
    return logs if len(logs) == len(lines) else [json.loads(line) for line in lines]


@contextmanager
def study_lock(folder: Path, what: str) -> Iterator[None]:
    """Hold the operating system's lock of a study; it goes when this process ends, however it ends.

    Args:
        folder: the study's folder, which exists.
        what: runs in the folder, for the message.

    Yields:
        Nothing; the lock is held inside the block.

    Raises:
        BusyError: another driver holds it.
        StorageError: the folder cannot be written.
    """
    lock = filelock.FileLock(folder / "lock", timeout=LOCK_SEC)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BusyError(f"{what} is running already ({_holder(folder)}); wait for it or stop it") from None
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error.strerror}") from None
    try:
        (folder / "owner.json").write_text(json.dumps(owner()))
        yield
    finally:
        lock.release()


def owner() -> dict[str, str | int | float]:
    """Return who this process is: host, boot, process id and its start time, together unique."""
    return dict(_owner(os.getpid()))


@cache
def _owner(pid: int) -> dict[str, str | int | float]:
    return {
        "host": os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", ""),
        "boot": _boot_id(),
        "pid": pid,
        "started": psutil.Process(pid).create_time(),
    }


def _boot_id() -> str:
    """Return what tells this run of the operating system from others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time()))


def _holder(folder: Path) -> str:
    try:
        known = json.loads((folder / "owner.json").read_text())
        return f"process {known['pid']} on {known['host']}"
    except (OSError, ValueError, KeyError):
        return "in another process"


def open_study(store: OpenStore, name: str, pruner: BasePruner, objective: Objective) -> optuna.Study:
    """Load the Optuna study of this name, or create it; it has no sampler of its own yet."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    quicken_tpe()
    directions = [StudyDirection.MAXIMIZE if each.maximize else StudyDirection.MINIMIZE for each in objective.each]
    return optuna.create_study(
        storage=store.storage, study_name=name, pruner=pruner, directions=directions, load_if_exists=True
    )
