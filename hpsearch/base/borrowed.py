"""Settings of the process that hold while something needs them, and are put back then: the process is the user's."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
_LOCK = threading.Lock()
_variables: dict[str, tuple[int, str]] = {}
"""How many hold a variable of the environment, and what it was set to."""
_quiet: dict[str, tuple[int, int]] = {}
"""How many hold a logger, and from which level on it speaks meanwhile."""
_levels: dict[str, int] = {}
"""The levels of the loggers without us."""
_unheard: dict[str, tuple[int, object]] = {}
"""How many hold that a warning is not shown, and the filter that is there for it."""


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment inside the block; those that the user has set stay.

    Args:
        values: by name.

    Yields:
        Nothing; of several blocks at once, the last one puts the variables back.
    """
    with _LOCK:
        held = [name for name in values if name in _variables or name not in os.environ]
        for name in held:
            times, value = _variables.get(name, (0, values[name]))
            _variables[name] = times + 1, value
            os.environ[name] = value
    try:
        yield
    finally:
        with _LOCK:
            for name in held:
                is_last, value = _let_go(_variables, name)
                if is_last and os.environ.get(name) == value:
                    del os.environ[name]


@contextmanager
def quiet(levels: Mapping[str, int]) -> Iterator[None]:
    """Let loggers say only what matters inside the block.

    Args:
        levels: from which on each of them speaks, by name.

    Yields:
        Nothing; of several blocks at once, the last one lets the loggers speak again.
    """
    with _LOCK:
        for name, level in levels.items():
            _quiet[name] = _quiet.get(name, (0, level))[0] + 1, level
    try:
        still_quiet(levels)
        yield
    finally:
        with _LOCK:
            for name in levels:
                is_last, _ = _let_go(_quiet, name)
                if is_last and name in _levels:
                    logging.getLogger(name).setLevel(_levels.pop(name))


def still_quiet(levels: Mapping[str, int]) -> None:
    """Let loggers be quiet again whose library has been imported inside the block of `quiet`, which made them speak.

    Args:
        levels: as there; of loggers that no block holds nothing is changed.
    """
    with _LOCK:
        for name in levels:
            logger = logging.getLogger(name)
            if name in _quiet and logger.level != _quiet[name][1]:
                _levels[name] = logger.level
                logger.setLevel(_quiet[name][1])


@contextmanager
def unheard(message: str) -> Iterator[None]:
    """Let a warning not be shown inside the block.

    Args:
        message: how it begins.

    Yields:
        Nothing; of several blocks at once, the last one takes the filter away.
    """
    with _LOCK:
        times, made = _unheard.get(message, (0, None))
        if not times:
            warnings.filterwarnings("ignore", message)
            made = warnings.filters[0]
        _unheard[message] = times + 1, made
    try:
        yield
    finally:
        with _LOCK:
            is_last, made = _let_go(_unheard, message)
            if is_last and made in warnings.filters:
                warnings.filters.remove(made)  # type: ignore[attr-defined]  # it is a list


def _let_go(held: dict[str, tuple[int, _T]], name: str) -> tuple[bool, _T]:
    """Return whether nobody holds something any more, and what was noted of it."""
    times, noted = held.pop(name)
    if times > 1:
        held[name] = times - 1, noted
    return times == 1, noted
