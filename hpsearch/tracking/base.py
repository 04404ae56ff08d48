"""What the driver asks of every tracking store: to be a copy of the event files, later or never, at no cost."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Tracker(Protocol):
    """Copies a study's event files to where people compare runs.

    It reads the files that `Record` writes and never blocks the driver: `changed` only wakes it.

    Attributes:
        wait: whether a command waits for it at its end, rather than leave the rest to `sync`.
    """

    wait: bool

    def check(self) -> None:
        """Look whether the store can be used, before anything is created.

        Raises:
            StorageError: it cannot: another version, a folder that cannot be written, an unknown scheme.
        """

    def open(self, folder: Path) -> None:
        """Start copying a study into a checked store; returns at once.

        Args:
            folder: the study's folder, which holds `events/`; everything already there is copied too.
        """

    def changed(self, names: Iterable[str]) -> None:
        """Note that event files have new lines; `names` are file stems, as `Record` gives them."""

    def flush(self, timeout_sec: float) -> bool:
        """Wait until every line written before this call is copied; return whether it is."""

    def close(self, timeout_sec: float) -> bool:
        """Copy what is left, at most for `timeout_sec`, and stop; return whether everything is copied."""

    def problem(self) -> str | None:
        """Return one line that says why copies do not arrive at the moment, or None."""

    def hint(self) -> str | None:
        """Return the command that shows the copy, or None when there is none."""


class NoTracker:
    """No copy: the event files alone."""

    wait = True

    def check(self) -> None:
        """Do nothing."""

    def open(self, folder: Path) -> None:
        """Do nothing."""

    def changed(self, names: Iterable[str]) -> None:
        """Do nothing."""

    def flush(self, timeout_sec: float) -> bool:
        """Return True at once: nothing is waiting."""
        del timeout_sec
        return True

    def close(self, timeout_sec: float) -> bool:
        """Return True at once: nothing is waiting."""
        return self.flush(timeout_sec)

    def problem(self) -> str | None:
        """Return None: nothing can go wrong."""
        return None

    def hint(self) -> str | None:
        """Return None: there is nothing to show."""
        return None
