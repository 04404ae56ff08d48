"""What a user's own code says it measured, as records: numbers by name, after an epoch."""

import operator
import time
from collections.abc import Mapping
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Report

EXAMPLE = "{'valid/acc': 0.9}"


def number_of(value: Any) -> float:
    """Return what `float` makes of a number, a tensor or an array of one element.

    Raises:
        TypeError: it is a text; what else is no number raises what `float` raises.
    """
    if isinstance(value, str | bytes):
        raise TypeError("a text is no number")
    item = getattr(value, "item", None)
    return float(item() if callable(item) else value)


def numbers_of(measured: Any, said: str) -> dict[str, float]:
    """Return metrics by name.

    Args:
        measured: what should be a mapping of numbers.
        said: who said it, and how.

    Returns:
        A number by name.

    Raises:
        ConfigError: it is no such mapping.
    """
    try:
        return {str(name): number_of(value) for name, value in measured.items()}
    except (AttributeError, TypeError, ValueError, RuntimeError):
        what = " ".join(f"{measured!r:.100}".split())
        raise ConfigError(f"{said} {what}: it must be numbers by name, such as {EXAMPLE}") from None


def report_of(metrics: Mapping[str, float], epoch: int, step: int | None = None) -> Report:
    """Return a report.

    Args:
        metrics: by name; one called ``step`` is the number of updates so far.
        epoch: after which it was measured.
        step: the number of updates so far; by default the epoch.

    Returns:
        The report.
    """
    values = dict(metrics)
    said = values.pop("step", epoch)
    return Report(epoch, int(said) if step is None else step, values, time=time.time())


def whole(name: str, value: Any) -> int:
    """Return a whole number that is not negative.

    Raises:
        ConfigError: it is something else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ConfigError(f"hpsearch.report: {name} = {value!r}: must be a whole number >= 0")
    return number
