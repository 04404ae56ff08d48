"""Studies as tidy tables, from their event files or from MLflow: the same columns and values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpsearch.tracking.events import TrialRecord
from hpsearch.types import TrialState, TrialTable


def table_from_events(folder: Path) -> TrialTable:
    """Read a study from its folder."""
    raise NotImplementedError


def table_from_mlflow(uri: str | None, name: str) -> TrialTable:
    """Read a study from a tracking store."""
    raise NotImplementedError


def find_run(uri: str | None, run_id: str) -> tuple[str, TrialRecord]:
    """Find a trial by its MLflow run id.

    Returns:
        The name of its study and the trial as it was logged, its configuration and its curve included.
    """
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study folder in one line: name, state, trials by state, best point, when it was created and last written."""

    name: str
    folder: Path
    question: str
    state: str
    counts: Mapping[TrialState, int]
    best: Mapping[str, object] | None
    created: float
    changed: float


def studies(root: Path) -> list[StudySummary]:
    """Return the studies in a folder of studies, the newest first."""
    raise NotImplementedError
