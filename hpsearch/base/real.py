"""What counts as a number where a user says one, in words or by code."""

import math
from typing import Any, TypeGuard

NO_NUMBER = (TypeError, ValueError, RuntimeError)
"""What `number_of` raises of what is none."""
_MASKED = ("MaskedArray", "MaskedConstant")
"""Types of numpy.ma; `item` of a masked element is what stands behind the mask."""


def is_finite(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a number that a float can hold; True and False are none, nor are 400 digits."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def number_of(value: Any) -> float:
    """Return what `float` makes of a number, a tensor or an array of one element.

    A number that is too large for a float is infinite, and a masked element of an array, as the mean of nothing but
    such, is nan.

    Raises:
        TypeError: it is a text; what else is no number raises what `float` raises.
    """
    item = getattr(value, "item", None)
    number = item() if callable(item) else value
    if isinstance(number, str | bytes):
        raise TypeError("a text is no number")
    if type(value).__name__ in _MASKED and value.mask.any():
        return math.nan
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
