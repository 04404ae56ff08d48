"""The trial that a program is, to the Python code inside it: what it reports is appended to a file of the trial."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.programs import ASKED, ENVIRONMENT
from hpsearch.base.types import Decision
from hpsearch.trial.measured import numbers_of, whole


class Inside:
    """A trial as its program sees it, by its environment variables; see `hpsearch.base.current.Searched`.

    Of several processes that torchrun or the like starts, the reports of the first one count: that of ``RANK`` 0.
    Nothing is ever raised to end it: the program is sent SIGTERM.

    Attributes:
        epoch: the last one so far, None before the first.
    """

    def __init__(self) -> None:
        self.epoch: int | None = None

    @property
    def params(self) -> Mapping[str, Any]:
        """The arguments of the program."""
        given: dict[str, Any] = json.loads(_variable("PARAMS"))
        return given

    @property
    def folder(self) -> Path:
        """A folder of the trial's own."""
        return Path(_variable("FOLDER"))

    def checkpoint(self) -> Path | None:
        """Return the newest checkpoint to go on from; the trial is told that it is asked for."""
        _append({ASKED: True})
        return Path(found) if (found := _variable("CHECKPOINT")) else None

    def report(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None, raises: bool) -> Decision:  # noqa: ARG002
        """Append what was measured.

        Args:
            metrics: by name.
            epoch: after which; None: the next one.
            step: updates so far; None: the epoch.
            raises: nothing is.

        Returns:
            That it goes on.
        """
        values: dict[str, Any] = numbers_of(metrics, "hpsearch.report was given")
        counts = {"epoch": epoch, "step": step}
        values |= {name: whole(name, value) for name, value in counts.items() if value is not None}
        self.epoch = values.get("epoch", (self.epoch or 0) + 1)
        _append(values)
        return Decision.CONTINUE


def _variable(name: str) -> str:
    return os.environ[f"{ENVIRONMENT}{name}"]


def _append(line: Mapping[str, Any]) -> None:
    if os.environ.get("RANK", "0") == "0":
        with Path(_variable("REPORTS")).open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")


_inside: list[Inside] = []


def inside() -> Inside | None:
    """Return the trial that this process is a program of; None where it is none."""
    if not _inside and f"{ENVIRONMENT}REPORTS" in os.environ:
        _inside.append(Inside())
    return _inside[0] if _inside else None
