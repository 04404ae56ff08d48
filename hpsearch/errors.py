"""The errors that hpsearch raises on purpose: one clear line each, without a traceback on the command line."""

import difflib
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


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known word nearest to `word`, or the empty string when none is near."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{match[0]}'?" if match else ""
