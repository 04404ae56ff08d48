"""What the sender asks of a tracking store: runs of one experiment, written by MLflow's client or into its file."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hpsearch.tracking.home import FoundExperiment, Home
from hpsearch.tracking.runs import SUPERSEDED, UID, WITHIN, Metric

WITHDRAWN = "KILLED"
"""Status of a run in whose place there is another one."""
FINAL = frozenset({"FINISHED", "FAILED", "KILLED"})


class Refusal(Exception):
    """The store will never take what it was given: trying again does not help."""


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run that is in the store.

    Attributes:
        id: of the run.
        status: as MLflow names it.
        started: milliseconds since the Unix epoch.
        deleted: whether the user has deleted it.
        tags: all of them.
        has_files: whether the folder of its artifacts is there, as far as that can be seen from here.
    """

    id: str
    status: str
    started: int
    deleted: bool
    tags: Mapping[str, str]
    has_files: bool = True


class Writer(Protocol):
    """Writes runs into a tracking store; writing the same again changes nothing.

    Attributes:
        experiment: id of the experiment that `enter` found or made.
        files_together: so many event files are sent in one block of `together`.
    """

    experiment: str
    files_together: int

    def enter(self, home: Home) -> FoundExperiment:
        """Write to the experiment of a study from now on, which is created when there is none; return it."""

    def revive(self) -> None:
        """Bring the experiment back, with its runs, when it was deleted."""

    def stands(self) -> bool:
        """Return whether what was opened is still what stands at the store's address, as far as that can be seen."""

    def together(self) -> AbstractContextManager[None]:
        """Return a block in which calls that change something stand; where the store can, they arrive at its end."""

    def find(self, uid: str | None = None) -> list[FoundRun]:
        """Return the runs of the experiment, deleted ones too, the oldest first; those of one study by its uid."""

    def restore(self, run: str) -> None:
        """Bring a run back that was deleted."""

    def create(self, title: str, started_ms: int | None, tags: Mapping[str, str]) -> str:
        """Create a run and return its id; without a start, it starts now."""

    def log(
        self,
        run: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log values; a parameter that has another value already is a Refusal."""

    def tags(self, run: str | None = None) -> dict[str, str]:
        """Return the tags that a run has now, or the experiment."""

    def status(self, run: str, status: str, ended: float | None = None) -> None:
        """Set a run's status; a final one takes the time it ended, in seconds since the Unix epoch."""

    def input(self, run: str, title: str, digest: str) -> None:
        """Note what data a run was trained on."""

    def content(self, run: str, data: bytes, path: str) -> None:
        """Write an artifact: its bytes, and its path in the run."""

    def file(self, run: str, source: Path, folder: str = "") -> None:
        """Copy a file into a folder of a run's artifacts."""

    def describe(self, tags: Mapping[str, str]) -> None:
        """Set tags of the experiment."""

    def close(self) -> None:
        """Let go of the store."""


def log_yaml(writer: Writer, run: str, value: Mapping[str, Any], path: str) -> None:
    """Log nested plain containers as a YAML artifact."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # five times as fast, where libyaml is there
    text = yaml.dump(dict(value), Dumper=dumper, sort_keys=False, allow_unicode=True)
    writer.content(run, text.encode(), path)


def log_file(writer: Writer, run: str, source: Path, folder: str = "", limit_bytes: float = float("inf")) -> None:
    """Log a file as an artifact; one that is gone or too large is left out."""
    if source.is_file() and source.stat().st_size <= limit_bytes:
        writer.file(run, source, "" if folder == "." else folder)


def withdraw(writer: Writer, run: str) -> None:
    """Take a run out of what is read: another one has taken its place."""
    writer.log(run, tags={SUPERSEDED: "true"})
    writer.status(run, WITHDRAWN, time.time())


def supersede_runs(writer: Writer, uids: Collection[str]) -> None:
    """Tag the runs of studies in an experiment, and of their stages, as superseded; queries skip them.

    Args:
        writer: to the experiment.
        uids: of the studies.
    """
    for run in writer.find():
        old = run.tags.get(UID) in uids or run.tags.get(WITHIN) in uids
        if old and not run.deleted and SUPERSEDED not in run.tags:
            writer.log(run.id, tags={SUPERSEDED: "true"})
