"""MLflow as a copy of a study's event files, made by a background thread."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from hpsearch.base.errors import StorageError
from hpsearch.base.passwords import without_password
from hpsearch.base.threads import start_thread
from hpsearch.tracking import runs, store
from hpsearch.tracking.apart import Load, SenderApart
from hpsearch.tracking.identity import sent_file
from hpsearch.tracking.names import AFTERWARDS
from hpsearch.tracking.runs import Metric
from hpsearch.tracking.sender import Sender
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.theirs import untouched
from hpsearch.tracking.writer import Writer
from hpsearch.tracking.writers import open_writer

LONGEST_WAIT_SEC = 60.0
LAST_FILE_SEC = 0.5
"""How long what is being sent may go on when time is up."""


class MlflowTracker:
    """Sends a study's event files to MLflow from a thread of its own; see `base.Tracker`.

    While the store is away, the thread tries again after longer and longer times; nothing is lost, and what is left
    when the driver ends is sent by the next one or by `sync`.

    Args:
        uri: tracking store; null for `sqlite:///mlflow.db` in the working folder.
        artifacts: folder of the artifacts of an embedded store; null for `mlartifacts` beside its file.
        send_every_sec: how often new events are sent.
        timeout_sec: of one request to a server.
        artifact_mib: larger files of a trial stay in its folder.
        wait: whether a command waits until everything is sent, rather than leave the rest to `sync`.
    """

    def __init__(
        self,
        uri: str | None = None,
        artifacts: str | None = None,
        send_every_sec: float = 2.0,
        timeout_sec: float = 10.0,
        artifact_mib: float = 10.0,
        wait: bool = True,
    ) -> None:
        self.uri = store.store_uri(uri)
        self.artifacts = store.artifact_root(artifacts, self.uri)
        self.wait = wait
        self._send_every_sec, self._timeout_sec, self._artifact_mib = send_every_sec, timeout_sec, artifact_mib
        self._settings = ExitStack()
        self._condition = threading.Condition()
        self._pending: set[str] = set()
        self._sending = False
        self._urgent = False
        self._deadline: float | None = None
        self._thread: threading.Thread | None = None
        self._folder = Path()
        self._sender: Sender | SenderApart | None = None

    def check(self) -> None:
        """Refuse a store that cannot be used."""
        store.check_store(self.uri)

    def open(self, folder: Path) -> None:
        """Start copying a study; returns at once.

        Args:
            folder: the study's folder.
        """
        self._settings.enter_context(store.settings(self._timeout_sec))
        self._folder = folder
        sender = self._sender = self._sender_here()
        self._pending = sender.pending()
        self._thread = start_thread(self._run, name="mlflow-sender")

    def changed(self, names: Iterable[str]) -> None:
        """Note that event files have new lines."""
        with self._condition:
            self._pending.update(names)

    def flush(self, timeout_sec: float) -> bool:
        """Wait until every line written before this call is sent; return whether it is."""
        with self._condition:
            self._urgent = True
            self._condition.notify_all()
            self._condition.wait_for(self._idle, timeout_sec)
            return self._idle()

    def close(self, timeout_sec: float) -> bool:
        """Send what is left, at most for `timeout_sec`, and stop; return whether everything is sent."""
        if self._thread is None:
            return True
        with self._settings:
            with self._condition:
                self._deadline = time.monotonic() + timeout_sec
                self._condition.notify_all()
            self._thread.join(timeout_sec + LAST_FILE_SEC)
            if isinstance(self._sender, SenderApart):
                self._sender.close()
        return self._idle()

    def problem(self) -> str | None:
        """Return one line that says why nothing arrives at the moment, or None."""
        return self._sender.problem if self._sender else None

    def hint(self) -> str | None:
        """Return the command that opens MLflow at this store."""
        default = store.store_uri(None)
        return "python -m hpsearch ui" + ("" if self.uri == default else f" tracker.uri={without_password(self.uri)}")

    def _idle(self) -> bool:
        return not self._pending and not self._sending

    def _run(self) -> None:
        try:
            self._send_until_closed()
        finally:
            if isinstance(self._sender, Sender):
                self._sender.close()

    def _send_until_closed(self) -> None:
        wait_sec, load = 0.0, Load()
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._urgent or self._deadline is not None, wait_sec)
                names, self._pending = self._pending, set()
                self._sending, self._urgent = True, False
            sender = self._where(load)
            left = sender.send(names, self._over) if names else set()
            with self._condition:
                self._pending |= left
                self._sending = False
                self._condition.notify_all()
                if self._deadline is not None and (self._idle() or self._over()):
                    return
            wait_sec = min(max(2 * wait_sec, 0.5), LONGEST_WAIT_SEC) if left else self._send_every_sec
            if left and self._deadline is not None:
                time.sleep(0.2)

    def _where(self, load: Load) -> Sender | SenderApart:
        """Return what sends: from a process of its own once that takes much of this one's time."""
        sender = self._sender or self._sender_here()
        if isinstance(sender, Sender) and load.is_much() and self._deadline is None:
            with suppress(OSError):  # the system starts no more processes: this one goes on
                apart = SenderApart(self._folder, self.uri, self.artifacts, self._artifact_mib, self._timeout_sec)
                sender.close()
                sender = apart
        elif isinstance(sender, SenderApart) and sender.is_gone:
            sender.close()
            sender = self._sender_here()
        self._sender = sender
        return sender

    def _sender_here(self) -> Sender:
        return Sender(self._folder, self.uri, self.artifacts, self._artifact_mib)

    def _over(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline


def sync(
    folder: Path,
    uri: str | None = None,
    artifacts: str | None = None,
    note: Callable[[str], None] | None = None,
) -> int:
    """Send what a study's event files hold and the store does not; for `hpsearch sync`.

    The store is asked what it has: one that was emptied, replaced or set back in time gets what it lacks, once. Runs
    and experiments that the user has deleted stay deleted.

    Args:
        folder: the study's folder.
        uri: tracking store; None for the default one.
        artifacts: folder of the artifacts of an embedded store.
        note: is told what was not sent because the user has deleted it, or because the store never takes it.

    Returns:
        The number of event files that had lines to send.

    Raises:
        StorageError: the store cannot be reached or used.
    """
    address = store.store_uri(uri)
    store.check_store(address)
    sender = Sender(folder, address, store.artifact_root(artifacts, address))
    with store.settings(), closing(sender):
        left = sender.send(sender.pending())
    if left:
        many = len(left) + sender.sent
        raise StorageError(f"{len(left)} of {many} event files of {folder.name} are not sent: {sender.problem}")
    if not sender.reached:
        raise StorageError(f"what the store has of {folder.name} is not known: {sender.problem}")
    for text in dict.fromkeys(filter(None, (sender.problem, sender.deleted()))):
        if note is not None:
            note(text)
    return sender.sent


def run_of(folder: Path, stem: str, uri: str | None) -> str | None:
    """Return the MLflow run of a trial.

    Args:
        folder: the study's folder.
        stem: of the trial's files.
        uri: tracking store; None for the default one.

    Returns:
        Its id, None where the trial was not sent to this store.
    """
    address = store.store_uri(uri)
    return Sent(folder, address).run(stem) if sent_file(folder, address).is_file() else None


def add_to_run(
    uri: str | None, run: str, values: Mapping[str, float], tags: Mapping[str, str], files: Sequence[Path]
) -> None:
    """Add metrics, tags and artifacts to a run; adding them again replaces them.

    Args:
        uri: tracking store; None for the default one.
        run: its id.
        values: metrics, `names.AFTERWARDS` goes in front of their names; those that are not finite are left out.
        tags: labels.
        files: artifacts.

    A store that cannot be used or does not take them raises a StorageError.
    """
    address, now = store.store_uri(uri), runs.ms(time.time())
    metrics = [Metric(f"{AFTERWARDS}{name}", value, now, 0) for name, value in values.items() if math.isfinite(value)]
    with store.one_line_errors(address), closing(_writer_of(address)) as writer, writer.together():
        writer.log(run, metrics, tags=untouched(writer.tags(run), tags))
        for file in files:
            writer.file(run, file)


def _writer_of(address: str) -> Writer:
    return open_writer(address, store.artifact_root(None, address))
