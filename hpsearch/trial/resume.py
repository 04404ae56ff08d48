"""What a user's code goes on from: the checkpoint that it wrote itself, and where the trial stood then."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hpsearch.base import platform
from hpsearch.base.files import replacement
from hpsearch.base.formats import stamped, upgraded
from hpsearch.base.intake import json_file
from hpsearch.base.types import Report

STATE = "resume.json"
"""Says of the newest checkpoint of a folder what was reported until then, and where the generators stood."""
KEPT = "resume-"
"""What the second name of a noted checkpoint begins with."""
_SECOND = re.compile(rf"{KEPT}(\d+|again)")
UNFINISHED = (".tmp", ".part", ".new")
"""Endings of files that are being written."""


class Checkpoints:
    """The checkpoints in the folder of a trial.

    A checkpoint is what the code wrote there under a name that begins with ``checkpoint`` or ends in ``.ckpt``, a file
    or a folder, before it reported the epoch. Code that never asks for one cannot go on from it.

    With each the generators are noted, at its report. One that was written and not noted, as a kill came between, is
    never gone on from: the one before takes its place, of which a second name was kept; where that was overwritten too,
    there is none.

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
        state = self._put_back()
        self._noted, self._kept = state.get("checkpoint"), state.get("kept", "")
        self._remove_unnoted()
        self._generators = state.get("generators")
        self._left = [left for path in self._all() if (left := _stamp(path)) != self._noted]
        self.again = tuple(_report(each) for each in state.get("reports", ()))
        self._reports = list(self.again)
        self.epoch: int | None = int(self.again[-1].epoch) if self.again else None

    def newest(self) -> Path | None:
        """Return the newest checkpoint, None where there is none."""
        return next((path for path in self._all() if _stamp(path) not in self._left), None)

    def generators(self) -> Any:
        """Return where the generators stood at the newest checkpoint; None for one of this attempt."""
        newest = self.newest()
        return self._generators if newest is not None and _stamp(newest) == self._noted else None

    def note(self, report: Report, generators: Callable[[], Any]) -> None:
        """Note a report: a checkpoint that is new since the one before was written after this epoch.

        Args:
            report: of the epoch.
            generators: says where the generators stand.
        """
        self._reports.append(report)
        self.note_again(generators)

    def note_again(self, generators: Callable[[], Any]) -> None:
        """Note a checkpoint that is new since the last report."""
        newest = self.newest() if self.asked and self._reports else None
        if newest is None or (stamp := _stamp(newest)) == self._noted:
            return
        kept, before = self._keep(newest), self._kept
        reports = [asdict(each) for each in self._reports]
        state = stamped({"checkpoint": stamp, "kept": kept, "reports": reports, "generators": generators()})
        with replacement(self._folder / STATE, durable=False) as new:  # a kill before leaves the old one
            new.write_text(json.dumps(state), encoding="utf-8")
        self._noted, self._kept, self._generators, self.epoch = stamp, kept, None, int(self._reports[-1].epoch)
        if before and before != kept:
            (self._folder / before).unlink(missing_ok=True)

    def release(self) -> None:
        """Keep no second name of a checkpoint any more."""
        if self._kept:
            (self._folder / self._kept).unlink(missing_ok=True)

    def _all(self) -> list[Path]:
        """Return what is named as a checkpoint and not being written, the newest first."""
        found = [*self._folder.glob("checkpoint*"), *self._folder.glob("*.ckpt")]
        whole = [path for path in found if path.suffix not in UNFINISHED]
        return sorted(whole, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)

    def _keep(self, checkpoint: Path) -> str:
        """Give a file a second name, by which it outlives its replacement; return it, empty where there is none."""
        name = f"{KEPT}{checkpoint.stat().st_mtime_ns}"
        try:
            os.link(checkpoint, self._folder / name)
        except FileExistsError:
            return name
        except OSError:  # a folder, or a file system without second names
            return ""
        return name

    def _put_back(self) -> dict[str, Any]:
        """Bring the noted checkpoint back to its place; return what was noted, nothing where it is lost."""
        state = self._state()
        if not state:
            return {}
        path, kept = self._folder / state["checkpoint"][0], self._folder / state["kept"]
        if path.exists() and _stamp(path) == state["checkpoint"]:
            return state
        if not kept.is_file():  # of a folder there is no second name
            return {}
        if [path.name, *_stamp(kept)[1:]] != state["checkpoint"]:
            kept.unlink()
            return {}
        again = self._folder / f"{KEPT}again"
        again.unlink(missing_ok=True)
        os.link(kept, again)
        platform.replace(again, path)
        return state

    def _remove_unnoted(self) -> None:
        """Remove second names of which a kill left no note."""
        for path in self._folder.glob(f"{KEPT}*"):
            if path.name != self._kept and _SECOND.fullmatch(path.name):
                path.unlink()

    def _state(self) -> dict[str, Any]:
        try:
            state = upgraded(json_file(self._folder / STATE), "state", self._folder / STATE)
            names = (state["checkpoint"][0], state["kept"])
            return state if all(Path(name).name == name for name in names) else {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError):  # anybody may have written it
            return {}


def arrived(folder: Path) -> None:
    """Let a checkpoint be gone on from whose files were brought here from another machine, with their times.

    Args:
        folder: of the trial. A checkpoint that is a folder is not known again, so that its trial starts again.
    """
    try:
        state = json_file(folder / STATE)
        name, *noted, _ = state["checkpoint"]
        if not all(Path(each).name == each for each in (name, state["kept"])):
            return
        for path in (folder / name, folder / state["kept"]):
            if path.is_file() and _stamp(path)[1:3] == noted:
                state["checkpoint"] = [name, *_stamp(path)[1:]]
                with replacement(folder / STATE, durable=False) as new:
                    new.write_text(json.dumps(state), encoding="utf-8")
                return
    except (OSError, ValueError, TypeError, LookupError, AttributeError):  # then it starts again
        return


def _stamp(path: Path) -> list[Any]:
    """Return what tells a checkpoint from another one of its name: its file, or what is in its folder."""
    parts = [each.stat() for each in (path, *path.rglob("*"))]
    newest, size = max(each.st_mtime_ns for each in parts), sum(each.st_size for each in parts)
    return [path.name, newest, size, parts[0].st_ino]


def _report(fields: dict[str, Any]) -> Report:
    steps = tuple((step, value) for step, value in fields["steps"])
    return Report(**{**fields, "steps": steps, "end": ()})
