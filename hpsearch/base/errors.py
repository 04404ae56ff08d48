"""The errors that hpsearch raises on purpose: one clear line each, without a traceback on the command line."""

import difflib
import math
from collections.abc import Iterable


class HpsearchError(Exception):
    """Something the user can mend; the message says what is wrong, the value, what is allowed, where it came from.

    Attributes:
        exit_code: what the command line exits with.
    """

    exit_code = 2


class ConfigError(HpsearchError):
    """A configuration that cannot be used: an unknown option, a misspelt key, a value out of range."""


class SpaceError(ConfigError):
    """A search space that cannot be searched."""


class DataError(HpsearchError):
    """A data set that is missing, damaged or does not fit the configuration."""


class StorageError(HpsearchError):
    """A study folder, journal or tracking store that cannot be used."""


class BusyError(StorageError):
    """A study that another driver is running."""


class MachineError(HpsearchError):
    """Something of the machine that no other input would mend: workers that die while they start."""

    exit_code = 1


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known word nearest to `word`, or the empty string when none is near."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{match[0]}'?" if match else ""


def message_of(error: BaseException) -> str:
    """Return an error's message; empty where it cannot be made, as may be with an error of a user's own."""
    try:
        return str(error)
    except Exception:
        return ""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that says something; empty where there is none."""
    return next((line.strip() for line in message_of(error).splitlines() if line.strip()), "")


def out_of_memory(error: BaseException | None) -> bool:
    """Return whether memory ran out, on a GPU or here; torch has no class of its own for the latter."""
    if error is None:
        return False
    lacking = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return lacking or "DefaultCPUAllocator" in message_of(error) or out_of_memory(error.__cause__)


def check_int(key: str, value: object, low: int, high: int | None = None) -> None:
    """Refuse a value that is no whole number in range.

    Args:
        key: dotted key of the configuration.
        value: what was given; True and False are not numbers.
        low: least value allowed.
        high: greatest value allowed, None for no limit.

    Raises:
        ConfigError: naming the key, the value and the range.
    """
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= (value if high is None else high):
        return
    limit = f">= {low}" if high is None else f"from {low} to {high}"
    raise ConfigError(f"{key} = {value!r}: must be a whole number {limit}")


def check_float(key: str, value: object, interval: str) -> None:
    """Refuse a value that is no finite number in an interval.

    Args:
        key: dotted key of the configuration.
        value: what was given; True and False are not numbers.
        interval: as mathematics writes it, a round bracket excludes its end: ``(0, inf)``, ``[0, 1)``.

    Raises:
        ConfigError: naming the key, the value and the interval.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        above = value >= low if interval[0] == "[" else value > low
        if above and (value <= high if interval[-1] == "]" else value < high):
            return
    raise ConfigError(f"{key} = {value!r}: must be a number in {interval}")


def check_choice(key: str, value: object, allowed: Iterable[object]) -> None:
    """Refuse a value that is not one of those allowed.

    Args:
        key: dotted key of the configuration.
        value: what was given.
        allowed: the values to choose from.

    Raises:
        ConfigError: naming the key, the value, those allowed and the nearest.
    """
    options = list(allowed)
    if any(value == option and type(value) is type(option) for option in options):
        return
    hint = nearest(str(value), [str(option) for option in options])
    raise ConfigError(f"{key} = {value!r}: must be one of {', '.join(map(str, options))}{hint}")
