"""How many trials were trained as one program in each epoch of a trial, in words of its record."""

import re
from collections.abc import Sequence
from itertools import groupby

from hpsearch.base.errors import StorageError

WIDTHS = "fused_widths"
"""The fact of a trial that was trained with others."""


def facts_of_widths(widths: Sequence[int]) -> dict[str, str]:
    """Return what a trial's record says of its epochs.

    Args:
        widths: trials that were trained together in each of them; 1: it alone, by the plain loop.

    Returns:
        Nothing of a trial that was alone throughout.

    Example:
        >>> facts_of_widths([20, 20, 19])
        {'fused_widths': '2*20 1*19'}
    """
    if all(width == 1 for width in widths):
        return {}
    return {WIDTHS: " ".join(f"{len(list(same))}*{width}" for width, same in groupby(widths))}


def widths_of(fact: str) -> list[int]:
    """Return the width of each epoch, from the fact that `facts_of_widths` gives.

    Raises:
        StorageError: it is something else.
    """
    words = [re.fullmatch(r"(\d+)\*(\d+)", word) for word in fact.split()]
    if not words or None in words:
        raise StorageError(f"{WIDTHS} = {fact!r}: must be words such as 20*8, epochs times trials")
    return [int(word[2]) for word in words if word for _ in range(int(word[1]))]
