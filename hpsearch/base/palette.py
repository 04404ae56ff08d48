"""Colours between colours."""

from collections.abc import Sequence


def blend(anchors: Sequence[str], position: float) -> str:
    """Return the colour at a position of a scale, linear in red, green and blue between its anchors.

    Args:
        anchors: two colours or more as ``#rrggbb``, evenly apart.
        position: from 0, the first anchor, to 1, the last; beyond them it is the end.

    Returns:
        The colour as ``#rrggbb``.
    """
    above_first = min(max(position, 0.0), 1.0) * (len(anchors) - 1)
    left = min(int(above_first), len(anchors) - 2)
    share = above_first - left
    low, high = (bytes.fromhex(colour[1:]) for colour in anchors[left : left + 2])
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))
