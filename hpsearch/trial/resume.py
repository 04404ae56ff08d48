"""What a user's code goes on from: the checkpoint that it wrote itself, and where the trial stood then."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hpsearch.base import platform
from hpsearch.base.types import Report

STATE = "resume.json"
"""Says of the newest checkpoint of a folder what was reported until then, and where the generators stood."""
UNFINISHED = (".tmp", ".part", ".new")
"""Endings of files that are being written."""


class Checkpoints:
    """The checkpoints in the folder of a trial.

    A checkpoint is what the code wrote there under a name that begins with ``checkpoint`` or ends in ``.ckpt``, a file
    or a folder, before it reported the epoch. Code that never asks for one cannot go on from it.

    Args:
        folder: of the trial.

    Attributes:
        asked: whether the code has asked for the newest one.
        again: the reports up to the newest one when this began: they are made again, as some may have been lost on
            their way.
        epoch: the last epoch that was noted with the newest one, None for none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.asked = False
        state = self._state() if self.newest() else {}
        self._noted = state.get("checkpoint")
        self.again = tuple(_report(each) for each in state.get("reports", ()))
        self._reports = list(self.again)
        self.epoch: int | None = self.again[-1].epoch if self.again else None

    def newest(self) -> Path | None:
        """Return the newest checkpoint, None where there is none."""
        found = [*self._folder.glob("checkpoint*"), *self._folder.glob("*.ckpt")]
        whole = [path for path in found if path.suffix not in UNFINISHED]
        return max(whole, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)

    def generators(self) -> Any:
        """Return where the generators stood at the newest checkpoint; None where that is not known."""
        state = self._state()
        return state.get("generators") if state.get("checkpoint") == self._stamp() else None

    def note(self, report: Report, generators: Any) -> None:
        """Note a report: a checkpoint that is new since the one before was written after this epoch."""
        self._reports.append(report)
        stamp = self._stamp() if self.asked else None
        if stamp is None or stamp == self._noted:
            return
        self._noted, self.epoch = stamp, report.epoch
        reports = [asdict(each) for each in self._reports]
        text = json.dumps({"checkpoint": stamp, "reports": reports, "generators": generators})
        new = self._folder / f"{STATE}.new"
        new.write_text(text, encoding="utf-8")  # the disk is not waited for: a kill just before leaves the old one
        platform.replace(new, self._folder / STATE)

    def _stamp(self) -> list[Any] | None:
        newest = self.newest()
        return None if newest is None else [newest.name, newest.stat().st_mtime_ns]

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self._folder / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state


def _report(fields: dict[str, Any]) -> Report:
    steps = tuple((step, value) for step, value in fields["steps"])
    return Report(**{**fields, "steps": steps})
