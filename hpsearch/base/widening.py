"""A change of a searched range while the search runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Widening:
    """A range that was widened on one side, because the best value lay at its edge; or what was then taken back.

    Attributes:
        name: of the parameter in the space.
        key: its dotted key.
        side: ``low`` or ``high``.
        old: the range before.
        new: the range since.
        best: the best value then.
        failed: points beyond the old end when it was taken back, all of which failed; 0 for a widening.
    """

    name: str
    key: str
    side: str
    old: tuple[float, float]
    new: tuple[float, float]
    best: float
    failed: int = 0

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Widening":
        """Return what a record says, in which ranges are lists and other fields may stand beside."""
        name, key, side, old, new, best, failed = (
            fields[each] for each in ("name", "key", "side", "old", "new", "best", "failed")
        )
        return cls(name, key, side, (old[0], old[1]), (new[0], new[1]), best, failed)
