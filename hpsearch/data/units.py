"""Which samples of a part belong together, so that they count as one where means over samples are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCKS = 10
"""Blocks of time that a part is cut into: 10 to 30 of them are long enough to be nearly independent and still tell
their spread (B. Schmeiser, Batch size effects in the analysis of simulation output, Operations Research 1982). Of 288
samples whose neighbours correlate by .8 an interval from 10 covers .94 to .97, one from 20 only .90."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The units of the samples of parts.

    Attributes:
        of: [N] number of the unit of each sample, by part; a part whose samples stand for themselves is not there.
        name: what a unit is called.
    """

    of: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    name: str = "sample"

    @property
    def facts(self) -> dict[str, int]:
        """How many units of one size tell as much as those of each part, ``(Σ n)² / Σ n²`` (L. Kish, 1965)."""
        sizes = {part: np.bincount(units).astype(np.float64) for part, units in self.of.items()}
        return {f"data.{part}_units": int(n.sum() ** 2 / (n**2).sum() + 1e-9) for part, n in sizes.items()}


ALONE = Units()


def units_of(groups: Mapping[str, Any], time: Mapping[str, Any]) -> Units:
    """Return the units of the samples of parts.

    Args:
        groups: [N] name of each sample's group, by part; None where samples have none.
        time: [N] time of each sample, by part; None where it does not matter.

    Returns:
        Groups; else blocks of time, `BLOCKS` of about one size that follow one another, equal times in one block.
    """
    grouped = {part: np.unique(each, return_inverse=True)[1] for part, each in groups.items() if each is not None}
    if grouped:
        return Units({part: each.astype(np.int32) for part, each in grouped.items()}, "group")
    blocks = {part: _blocks(each) for part, each in time.items() if each is not None}
    return Units(blocks, "block of time") if blocks else ALONE


def _blocks(time: NDArray[Any]) -> NDArray[np.int32]:
    _, place, counts = np.unique(time, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    block = (middle * BLOCKS / len(time)).astype(np.int64)
    return np.unique(block[place], return_inverse=True)[1].astype(np.int32)
