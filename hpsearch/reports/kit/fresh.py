"""Trials over fresh seeds at the end of a search over one seed, apart from those that its points were chosen by."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hpsearch.base.types import TrialTable

if TYPE_CHECKING:
    from hpsearch.reports.kit.points import Point

PURPOSE, CONFIRM = "purpose", "confirm"
"""The fact of a trial that says what it is for, and what it says of one over a fresh seed."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """What the best points of a search over one seed gave over seeds that nothing was chosen by.

    Attributes:
        seeds: the fresh seeds.
        points: those whose trials all are COMPLETE, by their means over these seeds, the best first.
        lost: those that did not come to their end with every one of them.
        top: the point that the search had as its best, with what it had there.
        of: how many complete points the search had.
        why: why not all that were chosen were trained; empty where they were.
    """

    seeds: tuple[int, ...]
    points: "tuple[Point, ...]"
    lost: "tuple[Point, ...]"
    top: "Point"
    of: int
    why: str

    @property
    def seed(self) -> int:
        """The seed of the search."""
        return self.top.replicates[0][0]

    @property
    def chosen(self) -> int:
        """How many points were trained over fresh seeds."""
        return len(self.points) + len(self.lost)


def searched_part(table: TrialTable) -> TrialTable:
    """Return a study without its trials over fresh seeds."""
    return table if PURPOSE not in table.trials else _with_seeds(table, fresh=False)


def fresh_part(table: TrialTable) -> TrialTable | None:
    """Return the trials of a study over fresh seeds alone; None where there are none."""
    if PURPOSE not in table.trials or not (table.trials[PURPOSE] == CONFIRM).any():
        return None
    return _with_seeds(table, fresh=True)


def _with_seeds(table: TrialTable, *, fresh: bool) -> TrialTable:
    seeds = set(table.trials.loc[table.trials[PURPOSE] == CONFIRM, "seed"].tolist())
    trials, curves, steps = (
        rows[rows["seed"].isin(seeds) == fresh] for rows in (table.trials, table.curves, table.steps)
    )
    return replace(table, trials=trials, curves=curves, steps=steps)
