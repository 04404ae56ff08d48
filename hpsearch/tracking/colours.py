"""Colours of runs: the main hyperparameter on a perceptual scale, so that neighbouring values look alike."""

import math
from typing import Any

from hpsearch.base.palette import blend

VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30")
CATEGORIES = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#17becf")
DECADES = 50.0


class Colours:
    """Colours of the runs of one study; the scale grows with the values it sees."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._told: dict[str, str] = {}
        self._checked = 0
        self._numbers = True
        self._low, self._high = math.inf, -math.inf
        self._categories: dict[str, int] = {}

    def colour(self, run: str, value: Any, told: str | None = None) -> str:
        """Return the colour of a run by its value, on the scale of the values seen so far.

        Args:
            run: any name.
            value: of the main hyperparameter.
            told: the colour it has already, if it has one.

        Returns:
            The colour it has, or is to have, as ``#rrggbb``.
        """
        self._values[run] = value
        self._see(value)
        self._told[run] = told or self._of(value)
        return self._told[run]

    def outdated(self, final: bool = False) -> dict[str, str]:
        """Return the runs whose colour has changed since it was told, by run.

        Args:
            final: look in any case; otherwise only each time that the number of runs has doubled.
        """
        if not final and len(self._values) < 2 * self._checked:
            return {}
        self._checked = len(self._values)
        fresh = {run: self._of(value) for run, value in self._values.items()}
        changed = {run: colour for run, colour in fresh.items() if colour != self._told[run]}
        self._told.update(changed)
        return changed

    def _see(self, value: Any) -> None:
        """Let the scale grow; the runs of a large study are not looked through for each of them."""
        self._categories.setdefault(str(value), len(self._categories))
        self._numbers = self._numbers and _number(value)
        if self._numbers:
            self._low, self._high = min(self._low, value), max(self._high, value)

    def _of(self, value: Any) -> str:
        if not self._numbers:
            return CATEGORIES[self._categories[str(value)] % len(CATEGORIES)]
        low, high = self._low, self._high
        if low > 0 and high / low >= DECADES:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return scale((value - low) / (high - low) if high > low else 0.5)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def scale(position: float) -> str:
    """Return the colour at a position from 0 (dark) to 1 (light) of viridis, without its yellow end: it fades on white.

    Args:
        position: from 0 to 1; linear between eight anchors.

    Returns:
        The colour as ``#rrggbb``.
    """
    return blend(VIRIDIS, position)
