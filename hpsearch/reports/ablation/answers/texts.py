"""How answers are written: a value with its interval at an arm, and the arms that are named."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.base import words
from hpsearch.statistics.intervals import Estimate

NAMED = 5
"""So many arms are named one by one; of more, picked ones would look better or worse than they are."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What data say of one question.

    Attributes:
        topic: what was asked, in a word or two.
        text: sentences, each number with its interval.
    """

    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """What is said of one arm.

    Attributes:
        value: what arms are ordered by.
        arm: name of the arm.
        text: with intervals.
        short: without them.
        said: how it stands to the reference; empty where that is not said.
    """

    value: float
    arm: str
    text: str
    short: str
    said: str = ""


def joined(items: Sequence[Item]) -> str:
    """Join what is said of arms; of many only between which values they lie, and how many differ.

    Args:
        items: one per arm.

    Returns:
        One text.
    """
    if len(items) <= NAMED:
        return "; ".join(f"{item.text} at {item.arm}" for item in items)
    low, high = (pick(items, key=lambda item: item.value) for pick in (min, max))
    counts = Counter(item.said for item in items if item.said)
    tally = f", {', '.join(f'{n} {said}' for said, n in counts.items())}" if counts else ""
    return f"from {low.short} at {low.arm} to {high.short} at {high.arm} ({len(items)} arms in the tables{tally})"


def measured(arm: str, found: Estimate, said: str = "", *, sign: bool = False) -> Item:
    """Return a mean with its interval as what is said of an arm.

    Args:
        arm: its name.
        found: the mean.
        said: how it stands to the reference.
        sign: whether it is a difference.
    """
    write = signed if sign else valued
    short = words.precision(found.mean, found.sd).write(found.mean, "+" if sign else "")
    return Item(found.mean, arm, write(found, said), short, said)


def valued(found: Estimate, said: str = "") -> str:
    """Write a mean with its interval, and what is said of it: ``0.970 (0.961 to 0.979, may be equal)``."""
    return _written(found, said, "")


def signed(found: Estimate, said: str = "") -> str:
    """Write a difference in the same way, with its sign."""
    return _written(found, said, "+")


def _written(found: Estimate, said: str, sign: str) -> str:
    shown = found.shown
    if shown is None or not found.sd:
        inside = [f"n = {found.n}" if found.n < 2 else f"the same over {found.n} seeds", *([said] if said else [])]
        return f"{words.precision(found.mean).write(found.mean, sign)} ({', '.join(inside)})"
    form = words.interval_precision(shown.low, shown.high) if sign else words.precision(found.mean, found.sd)
    mean, low, high = (form.write(value, sign) for value in (found.mean, shown.low, shown.high))
    return f"{mean} ({low} to {high}{f', {said}' if said else ''})"
