"""Under what conditions a trial was trained, as its study's record says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.journal import Event
from hpsearch.tracking.events import STUDY, TrialRecord
from hpsearch.tracking.lines import STUDY_RULES, read_events


def environments(folder: Path, trial: TrialRecord) -> list[Mapping[str, Any]]:
    """Return software and machine of the drivers under which a trial ran, in order; empty where none is on record.

    Args:
        folder: of the study.
        trial: of it.
    """
    lines, _ = read_events(folder / "events" / f"{STUDY}.jsonl", rules=STUDY_RULES)
    opened = [line for line in lines if line["event"] == "open" and isinstance(line.get("environment"), Mapping)]
    return [line["environment"] for line in _during(opened, trial)]


def _during(opened: list[Event], trial: TrialRecord) -> list[Event]:
    """Return the lines of drivers that may have run a trial: from the one that was there when it started."""
    begins = trial.queued if trial.started is None else trial.started
    ends = trial.ended if trial.ended is not None else trial.heard
    until = [line for line in opened if ends is None or line["time"] <= ends]
    there = sum(line["time"] <= begins for line in until)
    return until[max(there - 1, 0) :]
