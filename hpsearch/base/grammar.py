"""Words of the configuration: values as Hydra's override grammar writes them."""

import re
from collections.abc import Iterable
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
_OPTION = re.compile(r"--[A-Za-z_][A-Za-z0-9_./+-]*|-[A-Za-z]")
"""A word of a program's command that needs no quotes either."""
_NOT_STRINGS = {"null", "true", "false", "inf", "nan"}


def value_text(value: Any) -> str:
    """Write a plain value as the right-hand side of an override.

    Args:
        value: None, a bool, a number, a string, or lists and dicts of them.

    Returns:
        Text that Hydra's grammar parses to an equal value of the same type; a string with an interpolation stays one.

    Raises:
        TypeError: for a value of another type, or a dict key that is no plain word.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _string_text(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(value_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_key_text(key)}:{value_text(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{value!r} cannot be written as an override")


def shown_text(value: Any) -> str:
    """Return `value_text`, or for what cannot be written as an override how Python writes it, for a message."""
    try:
        return value_text(value)
    except TypeError:
        return repr(value)


def _key_text(key: Any) -> str:
    if isinstance(key, str) and _PLAIN.fullmatch(key) and key.lower() not in _NOT_STRINGS:
        return key
    raise TypeError(f"the key {key!r} cannot be written inside an override")


def _string_text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_STRINGS and text != "None":
        return text
    if _OPTION.fullmatch(text):
        return text
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + r"\'", text)
    return "'" + re.sub(r"(\\+)$", lambda match: match[1] * 2, escaped) + "'"


def without_restart(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a command that goes on: without those that make a study start over."""
    return tuple(word for word in words if not word.lstrip("+").startswith("study.restart="))


def option_text(value: Any) -> str:
    """Return how a condition writes a value: a group's option or text as it is, anything else as an override."""
    return value if isinstance(value, str) else value_text(value)
