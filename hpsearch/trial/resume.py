"""What a user's code goes on from: the checkpoint that it wrote itself, and where the trial stood then."""

import json
from pathlib import Path
from typing import Any

from hpsearch.base.files import replace_text

STATE = "resume.json"
"""Says of the newest checkpoint of a folder after which epoch it was written, and where the generators stood."""
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
        epoch: the last epoch that was noted with the newest one, None for none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.asked = False
        state = self._state() if self.newest() else {}
        self._noted = state.get("checkpoint")
        self.epoch: int | None = state.get("epoch")

    def newest(self) -> Path | None:
        """Return the newest checkpoint, None where there is none."""
        found = [*self._folder.glob("checkpoint*"), *self._folder.glob("*.ckpt")]
        whole = [path for path in found if path.suffix not in UNFINISHED]
        return max(whole, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)

    def generators(self) -> Any:
        """Return where the generators stood at the newest checkpoint; None where that is not known."""
        state = self._state()
        return state.get("generators") if state.get("checkpoint") == self._stamp() else None

    def note(self, epoch: int, generators: Any) -> None:
        """Note a report: a checkpoint that is new since the one before was written after this epoch."""
        stamp = self._stamp() if self.asked else None
        if stamp is None or stamp == self._noted:
            return
        self._noted, self.epoch = stamp, epoch
        text = json.dumps({"checkpoint": stamp, "epoch": epoch, "generators": generators})
        replace_text(self._folder / STATE, text)

    def _stamp(self) -> list[Any] | None:
        newest = self.newest()
        return None if newest is None else [newest.name, newest.stat().st_mtime_ns]

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self._folder / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state
