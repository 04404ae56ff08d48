"""How many trials were trained as one program in each epoch of a trial, in words of its record and of commands."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from hpsearch.base.errors import StorageError

WIDTHS = "fused_widths"
"""The fact of a trial that was trained with others."""
DEVICE = "fused_on"
"""The fact of one that was so on another device than the processor."""
PATH = (WIDTHS, DEVICE)
"""The facts that say by which path a trial was trained."""
FUSE = "launcher.fuse"
USUAL = 8
"""The width that a command names on a processor, where all groups compute the same. Of the layers tried, grouped
convolutions and attention had other last bits in groups of 2 and 3."""


def facts_of_widths(widths: Sequence[int], device: str = "cpu") -> dict[str, str]:
    """Return what a trial's record says of its epochs.

    Args:
        widths: trials that were trained as one program in each of them; 0: it alone, by the plain loop.
        device: type of the device.

    Returns:
        Nothing of a trial that was alone throughout.

    Example:
        >>> facts_of_widths([20, 20, 19])
        {'fused_widths': '2*20 1*19'}
    """
    if not any(widths):
        return {}
    fact = {WIDTHS: " ".join(f"{len(list(same))}*{width}" for width, same in groupby(widths))}
    return fact if device == "cpu" else {**fact, DEVICE: device}


def widths_of(fact: str, epochs: int) -> list[int]:
    """Return the width of each epoch.

    Args:
        fact: as `facts_of_widths` gives it, or a number: the same in all.
        epochs: of the trial.

    Raises:
        StorageError: it is something else.

    Example:
        >>> widths_of("2*20 1*19", 3), widths_of("2", 3)
        ([20, 20, 19], [2, 2, 2])
    """
    if fact.isdecimal():
        return [int(fact)] * epochs
    words = [re.fullmatch(r"(\d+)\*(\d+)", word) for word in fact.split()]
    if not words or None in words:
        raise StorageError(f"{WIDTHS} = {fact!r}: must be words such as 8*20, epochs times trials")
    return [int(word[2]) for word in words if word for _ in range(int(word[1]))]


def fuse_words(facts: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the words that let a command train a trial as it was trained, beside copies of itself.

    Args:
        facts: of the trial.

    Returns:
        No word for one that was alone; None where only its record says it. On a processor one width stands for all.
    """
    fact = facts.get(WIDTHS)
    if fact is None:
        return ()
    widths = set(widths_of(str(fact), 0))
    if 0 in widths or (DEVICE in facts and len(widths) > 1):
        return None
    return (f"{FUSE}={widths.pop() if DEVICE in facts else USUAL}",)
