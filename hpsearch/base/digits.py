"""How many digits tell numbers apart: one rule for tables, ticks, tiles, sentences and names."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hpsearch.base.printed import on_one_line

FEWEST, MOST = 3, 17
"""Significant digits of a number: those that it has at least, and those that tell any two apart."""
SHORT = 5
"""A number of so many digits or fewer is written as it is: somebody typed it."""
WHOLE = 10**20
"""Whole numbers below are written in full."""
BOUND = 1.0
"""A bound of many quantities, and another number that no number near it is written as."""
SAME = 1e-13
"""Share of a number by which another one is that number and rounding."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Numbers that stand beside each other, which are written so that no one can be taken for another.

    Attributes:
        others: they and `BOUND`, ascending.
        words: how what is no text beside them is written, ``none``, ``true`` and numbers.
    """

    others: tuple[float, ...] = (BOUND,)
    words: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Digits":
        """Return how values are written beside each other."""
        known = list(values)
        numbers = {float(v) for v in known if isinstance(v, int | float) and not isinstance(v, bool) and _sized(v)}
        digits = cls(tuple(sorted(numbers | {BOUND})))
        if not any(isinstance(value, str) for value in known):
            return digits
        return cls(digits.others, frozenset(digits.text(value) for value in known if not isinstance(value, str)))

    def text(self, value: Any) -> str:
        """Write a value, with the hyphen of ASCII; text that could be taken for something else stands in quotes."""
        if value is None:
            return "none"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return self.write(value) if isinstance(value, int) or math.isfinite(value) else str(float(value))
        text = on_one_line(str(value))
        return f'"{text}"' if text in self.words or text.strip() != text or not text else text

    def write(self, value: float) -> str:
        """Write a number so that it can be read as no other.

        Args:
            value: finite.

        Returns:
            The fewest digits, from `FEWEST` up, that are off by less than half the distance to the nearest other
            number. Whole numbers are written in full, from 1e6 on if they are of type int; so is what has `SHORT`
            digits.
        """
        if isinstance(value, int):
            return str(value) if abs(value) < WHOLE else f"{Decimal(value):.2e}"
        if value == round(value) and abs(value) < 1e6:
            return str(round(value))
        if float(short := _text(value, SHORT)) == value:
            return short
        below = bisect_left(self.others, value - SAME * abs(value)) - 1
        above = bisect_right(self.others, value + SAME * abs(value))
        near = [self.others[place] for place in (below, above) if 0 <= place < len(self.others)]
        texts = (_text(value, digits) for digits in range(FEWEST, MOST))
        return next((text for text in texts if _is_close(float(text), value, near)), repr(value))


ALONE = Digits()
"""How a number is written of whose neighbours nothing is known."""


def _sized(value: float) -> bool:
    return abs(value) < WHOLE if isinstance(value, int) else math.isfinite(value)


def _text(value: float, digits: int) -> str:
    """Return a number with so many significant digits, from 1000 to 1e6 with those before the point at least."""
    before = len(str(int(abs(value)))) if 1000 <= abs(value) < 1e6 else 0
    return f"{value:.{max(digits, before)}g}"


def _is_close(written: float, value: float, others: Iterable[float]) -> bool:
    return all(2 * abs(written - value) < abs(value - other) for other in others)
