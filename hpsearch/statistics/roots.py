"""Where an increasing function is zero, without `scipy.optimize`, which takes half a second to import."""

from collections.abc import Callable


def increasing_root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where an increasing function passes zero, by halving until nothing lies between the two ends.

    Args:
        function: increasing; at most zero at `low`, at least zero at `high`.
        low: end of the range.
        high: other end.

    Returns:
        The root, to the last bit or two.

    Raises:
        ValueError: the range holds no root.
    """
    if not function(low) <= 0.0 <= function(high):
        raise ValueError(f"no root from {low:g} to {high:g}: {function(low):g} and {function(high):g}")
    while low < (middle := (low + high) / 2) < high:
        if function(middle) < 0.0:
            low = middle
        else:
            high = middle
    return high
