"""What a user's own code says it measured, as records: numbers by name, after an epoch."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.base.clock import time_of_day
from hpsearch.base.errors import ConfigError
from hpsearch.base.readable import readable, representation
from hpsearch.base.real import NO_NUMBER, number_of
from hpsearch.base.types import Report

EXAMPLE = "{'valid/acc': 0.9}"
_SHOWN = 100


def numbers_of(measured: Any, said: str, wanted: str = "numbers by name") -> dict[str, float]:
    """Return metrics by name.

    Args:
        measured: what should be a mapping of numbers.
        said: who said it, and how.
        wanted: what it may be.

    Returns:
        A number by name.

    Raises:
        ConfigError: it is no such mapping.
    """
    try:
        items = measured.items()
    except (AttributeError, TypeError):
        raise ConfigError(f"{said} {_shown(measured)}: it must be {wanted}, such as {EXAMPLE}") from None
    return {readable(str(name)): _number(value, said, name) for name, value in items}


def _number(value: Any, said: str, name: object) -> float:
    try:
        return number_of(value)
    except NO_NUMBER:
        shown = f"{name!r}: {_shown(value)}"
        raise ConfigError(f"{said} {shown}: each must be a number, by its name, such as {EXAMPLE}") from None


def _shown(value: Any) -> str:
    return " ".join(representation(value, _SHOWN).split())


def returned_by(returned: Any, metrics: Sequence[str], said: str) -> dict[str, float]:
    """Return the metrics that code returned at its end.

    Args:
        returned: a number is the objective, a tuple are several in their order, a mapping are numbers by name.
        metrics: of the objectives.
        said: who returned it.

    Returns:
        A number by name.

    Raises:
        ConfigError: it is nothing of that kind.
    """
    if returned is None:
        raise ConfigError(
            f"{said} None and reported nothing: return its {metrics[0]}, or call "
            f"hpsearch.report({EXAMPLE}, epoch=epoch) after each epoch"
        )
    if isinstance(returned, tuple | list) and len(returned) == len(metrics) > 1:
        return numbers_of(dict(zip(metrics, returned, strict=True)), said)
    if isinstance(returned, tuple | list) and len(returned) != 1:
        raise ConfigError(f"{said} {len(returned)} values; objectives are {len(metrics)} ({', '.join(metrics)})")
    if not isinstance(returned, Mapping):
        try:
            return {metrics[0]: number_of(returned)}
        except NO_NUMBER:
            pass
    return numbers_of(returned, said, "a number, or numbers by name")


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
    return Report(epoch, whole("step", said) if step is None else step, values, time=time_of_day())


def whole(name: str, value: Any) -> int:
    """Return a whole number that is not negative; a float may be one.

    Raises:
        ConfigError: it is something else.
    """
    try:
        number = operator.index(int(value) if isinstance(value, float) and value.is_integer() else value)
    except TypeError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ConfigError(f"hpsearch.report: {name} = {value!r}: must be a whole number >= 0")
    return number
