"""Rows of a report's tables and of ``trials.csv``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base import words
from hpsearch.base.plain import flatten
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.cells import NONE, Cell
from hpsearch.reports.kit.ends import End
from hpsearch.reports.kit.points import Point, Results, best_trial
from hpsearch.reports.kit.spreadsheet import as_csv

_FIRST = ("point", "seed", "fold", "state", "score", "duration_sec", "attempts", "reason", "started", "ended", "run_id")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells, and what a page shows beside them.

    Attributes:
        cells: as many as the table has headings.
        state: state of the point or trial.
        best: whether it is the best point or one of its trials.
        command: the command that trains the trial again; empty for a point.
    """

    cells: tuple[Cell, ...]
    state: TrialState
    best: bool
    command: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows; `total` is how many rows there are, more than `rows` where only the best are kept."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int

    def numeric(self, column: int) -> bool:
        """Return whether a column, from 0, holds numbers, which are aligned to the right."""
        return any(row.cells[column].value is not None for row in self.rows)


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table of a report, with how to read it."""

    title: str
    aid: str
    table: Table

    @property
    def name(self) -> str:
        """The title as an identifier, ``differences-from-the-reference``."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def as_table(headings: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> Table:
    """Return rows of cells as a table that says nothing of their state."""
    return Table(tuple(headings), tuple(Row(cells, TrialState.COMPLETE, best=False) for cells in rows), len(rows))


def best_command(table: TrialTable, results: Results) -> str:
    """Return the command that trains the best trial of the best point again; empty without a best point."""
    best = best_trial(table, results)
    return "" if best is None else text_of(best["command"])


def trials_csv(table: TrialTable) -> str:
    """Return the trials as CSV: one row each, first what every study has, then hyperparameters, metrics and facts."""
    first = [c for c in _FIRST if c in table.trials]
    last = [c for c in ("key", "command") if c in table.trials]
    rest = [c for c in table.trials if c not in first and c not in last]
    ordered = table.trials.sort_values(["point", "seed", "fold"])[[*first, *rest, *last]]
    return as_csv(ordered)


def flat(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a nested mapping as dotted keys and texts, in its order."""
    return [(key, words.exact(value)) for key, value in flatten(mapping).items()]


def text_of(value: Any) -> str:
    """Return a cell of text; the store may hold None or NaN for an empty one."""
    return value if isinstance(value, str) else ""


END = ("last", "jitter", "drift")


def end_cells(end: End | None, train: bool = False) -> tuple[Cell, ...]:
    """Return jitter and drift of a metric at the ends of trials, and its mean of the training part where `train`."""
    if end is None:
        return (NONE,) * (3 if train else 2)
    own = NONE if end.train is None else Cell(words.score(end.train), end.train)
    return (
        NONE if end.jitter is None else Cell(f"{end.jitter:.2g}", end.jitter),
        Cell(words.minus(f"{end.drift:+.2g}") if end.drift else "0", end.drift),
        *((own,) if train else ()),
    )


def evidence(p: Point) -> Sequence[Cell]:
    """Return mean, sd and interval of a point, dashes where there are none."""
    if p.mean is None:
        return (Cell("–"), Cell("–"), Cell("–"))
    precision = words.precision(p.mean, p.sd)
    mean = Cell(precision.write(p.mean), p.mean)
    if p.sd is None:
        return (mean, Cell("–"), Cell("–"))
    if p.interval is None:
        return (mean, Cell(precision.write(p.sd), p.sd), Cell("–"))
    ends = words.interval(p.interval.low, p.interval.high, p.mean, p.sd)
    return (mean, Cell(precision.write(p.sd), p.sd), Cell(ends, p.interval.high - p.interval.low))
