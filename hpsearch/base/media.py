"""Pictures, figures, tables and texts that a trial logs: files ``media/NAME/EPOCH.KIND`` in its folder."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MEDIA = "media"
IMAGE, FIGURE, TABLE, TEXT = "png", "json", "csv", "txt"
KINDS = (IMAGE, FIGURE, TABLE, TEXT)
FIT, FIT_TRAIN, FIT_VALID, FIT_CURVE = "fit", "training points", "validation points", "fitted curve"
"""What a regression of one input logs by itself, and the names of what its figure holds."""
MOST_BYTES = 2**20
"""A medium is made to fit into so many."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,59}")
"""What a medium may be called: a part of a path on every system, and a key of MLflow."""


@dataclass(frozen=True, slots=True)
class Medium:
    """One of the things that a trial logged.

    Attributes:
        name: of what it shows.
        epoch: after which.
        kind: ending of its file: a picture, a plotly figure, a table with a line of headings, or text.
    """

    name: str
    epoch: int
    kind: str

    @property
    def path(self) -> str:
        """Where it is, relative to the trial's folder."""
        return f"{MEDIA}/{self.name}/{self.epoch}.{self.kind}"

    @classmethod
    def of(cls, path: str) -> "Medium | None":
        """Return what a file of a trial shows; None for a file that is no medium."""
        folder, _, rest = path.partition("/")
        name, _, file = rest.rpartition("/")
        epoch, _, kind = file.partition(".")
        if (
            folder != MEDIA
            or not NAME.fullmatch(name)
            or not (epoch.isascii() and epoch.isdigit())
            or kind not in KINDS
        ):
            return None
        return cls(name, int(epoch), kind)


def media_of(paths: Iterable[str]) -> list[Medium]:
    """Return what files of a trial show, by name and epoch."""
    found = [medium for medium in map(Medium.of, paths) if medium is not None]
    return sorted(found, key=lambda medium: (medium.name, medium.epoch))


def media_in(folder: Path) -> list[str]:
    """Return the files of media in a trial's folder, relative to it."""
    found = (path.relative_to(folder).as_posix() for path in (folder / MEDIA).glob("*/*"))
    return [medium.path for medium in media_of(found)]
