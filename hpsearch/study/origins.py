"""Where results come from beside their configuration: the code of a user's own, and the data."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.types import TrialSpec
from hpsearch.study.changes import Changes
from hpsearch.study.code import OwnCode
from hpsearch.study.data import OwnData
from hpsearch.study.folder import study_folder
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.record import Record


class Origins:
    """The code and the data of trials, as this command meets them.

    Attributes:
        code: the code of a user's own.
        data: what is read.
    """

    def __init__(self) -> None:
        self.code, self.data = OwnCode(), OwnData()

    def stamped(self, spec: TrialSpec, record: Record) -> TrialSpec:
        """Return what a worker is given with the digests of code and data, which are put on record."""
        return self.data.stamped(self.code.stamped(spec, record), record)

    def changes(self, folder: Path) -> list[Changes]:
        """Return what has changed of each since the trials in a study's folder were trained."""
        return [self.code.changes(folder), self.data.changes(folder)]

    def changed_since(self, folder: Path, record: TrialRecord) -> str:
        """Return what of a trial's code and data changed since it was trained; empty where nothing did."""
        return "; ".join(filter(None, (each.changed_since(folder, record) for each in (self.code, self.data))))

    def of_prior(self, name: str, configs: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return what is said of a study whose points a sampler is told, where they are of other code or data."""
        known, folder = list(configs), study_folder(name)
        found = {"code": self.code.other_than(known, folder), "data": self.data.other_than(known, folder)}
        said = f"sampler.prior = {name}: its points are of other"
        return [f"{said} {what} ({names})" for what, names in found.items() if names]
