"""How far the end of a range moves where what a key can take ends before."""

import math
from collections.abc import Callable
from dataclasses import dataclass

EDGE = 0.1
"""A best value in the outer tenth of its range lies at an edge."""
BISECTIONS, DIGITS = 40, 9
"""A limit that only a rule knows is found to so many digits of a step."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of a range.

    Attributes:
        log: whether it is a logarithmic one.
        whole: whether it holds whole numbers alone.
    """

    log: bool = False
    whole: bool = False

    def share(self, start: float, end: float, value: float) -> float:
        """Return how far on the way from one value to another a third one lies."""
        if self.log:
            return math.log(value / start) / math.log(end / start)
        return (value - start) / (end - start)

    def between(self, start: float, end: float, share: float) -> float:
        """Return the value that lies so far on the way from one to another."""
        return float(start * (end / start) ** share) if self.log else start + (end - start) * share


def furthest_allowed(now: float, wanted: float, first: float, scale: Scale, allowed: Callable[[float], bool]) -> float:
    """Return where an end of a range moves that its key may not let move as far as it should.

    Args:
        now: where it is.
        wanted: where it should be.
        first: where it began.
        scale: of the range.
        allowed: whether the key can take a value; what it cannot take lies beyond what it can.

    Returns:
        The last value that it can take; where there is none, as the limit itself is excluded (below 1), `EDGE` of the
        way from the first end to the limit is left. An end that is there already stays.
    """
    if wanted == now or allowed(wanted):
        return wanted
    if scale.whole:
        return _last_whole(round(now), round(wanted), allowed)
    limit = _limit(now, wanted, scale, allowed)
    if allowed(limit):
        return limit
    end = float(f"{scale.between(first, limit, 1 - EDGE):.12g}")
    return end if scale.share(now, wanted, end) > 0 and allowed(end) else now


def _last_whole(inside: int, outside: int, allowed: Callable[[float], bool]) -> int:
    """Return the last allowed whole number between an allowed one and one that is not."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if allowed(middle) else (inside, middle)
    return inside


def _limit(now: float, wanted: float, scale: Scale, allowed: Callable[[float], bool]) -> float:
    """Return the value at which what is forbidden begins, between an allowed one and one that is not."""
    inside, outside = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if allowed(scale.between(now, wanted, middle)) else (inside, middle)
    limit = scale.between(now, wanted, inside)
    size = limit if scale.log else abs(wanted - now)
    return round(limit, DIGITS - math.floor(math.log10(size)))
