"""Cells of a table: a text, and the number that it sorts by."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text and, where it is a number, the value it sorts by."""

    text: str
    value: float | None = None


Cells = tuple[tuple[str, ...], list[tuple[Cell, ...]]]
"""Headings, and as many cells in each row."""
NONE = Cell("–")


def texts(rows: Sequence[Sequence[Cell]]) -> list[tuple[str, ...]]:
    """Return the rows of a table as texts."""
    return [tuple(cell.text for cell in row) for row in rows]
