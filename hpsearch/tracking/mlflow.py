"""MLflow as a copy of a study's event files, made by a background thread."""

from collections.abc import Iterable
from pathlib import Path


class MlflowTracker:
    """Sends a study's event files to MLflow from a thread of its own; see `base.Tracker`.

    Args:
        uri: tracking store; null for `sqlite:///mlflow.db` in the working folder.
        artifacts: folder of the artifacts of an embedded store; null for `mlartifacts` in the working folder.
        send_every_sec: how often new events are sent.
        timeout_sec: of one request to a server.
        artifact_mib: larger files of a trial stay in its folder.
    """

    def __init__(
        self,
        uri: str | None = None,
        artifacts: str | None = None,
        send_every_sec: float = 2.0,
        timeout_sec: float = 10.0,
        artifact_mib: float = 10.0,
    ) -> None:
        raise NotImplementedError

    def open(self, folder: Path) -> None:
        """Start copying a study; returns at once."""
        raise NotImplementedError

    def changed(self, names: Iterable[str]) -> None:
        """Note that event files have new lines."""
        raise NotImplementedError

    def flush(self, timeout_sec: float) -> bool:
        """Wait until every line written before this call is sent; return whether it is."""
        raise NotImplementedError

    def close(self, timeout_sec: float) -> bool:
        """Send what is left, at most for `timeout_sec`, and stop; return whether everything is sent."""
        raise NotImplementedError

    def problem(self) -> str | None:
        """Return one line that says why nothing arrives at the moment, or None."""
        raise NotImplementedError

    def hint(self) -> str | None:
        """Return the command that opens MLflow at this store."""
        raise NotImplementedError


def sync(folder: Path, uri: str | None = None, artifacts: str | None = None) -> int:
    """Send what a study's event files hold and the store does not; for `hpsearch sync`.

    Returns:
        The number of event lines sent.
    """
    raise NotImplementedError


def supersede(uri: str | None, name: str, keep: str | None = None) -> int:
    """Tag the runs of a study that was started again as `superseded`; queries skip them.

    The sender does this by itself for a study whose `open` line says `restart`.

    Returns:
        The number of runs tagged.
    """
    raise NotImplementedError
