"""What a configuration takes from variables of the environment: a record has the interpolation, and never the value.

Such values may be secrets, and other machines have others. A resolved configuration that has some holds, under
`TAKEN`, what was written in their places, as a tree of the same keys; in a record this stands in their places, and
under `TAKEN` a short digest of each value instead. It is long enough to notice another value, and too short to find one
out. A value with a slash in it has none: it says where something lies, and what lies there has a digest of its own.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch.base.keys import RUN_TIME
from hpsearch.base.passwords import without_password
from hpsearch.base.plain import copied, stable_hash

TAKEN = "from_environment"
"""Root key of a resolved configuration that has values of the environment."""
MARK = "oc.env:"
"""Stands in every interpolation of a variable."""
DIGITS = 4
_VARIABLE = re.compile(r"\$\{oc\.env:([^},'\"$]+)\}")
_NAME = re.compile(r"oc\.env:\s*['\"]?([\w.-]+)")
named_here: set[str] = set()
"""Variables that words of this process named."""
_SHORTEST = 4
"""Shorter values stand in texts by chance."""


def names_in(value: Any) -> list[str]:
    """Return the variables of the environment that interpolations in plain containers name."""
    return list(dict.fromkeys(name for text in _texts(value) for name in _NAME.findall(text)))


def as_recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as a record has it.

    Args:
        config: resolved plain containers; one from a record stays as it is.

    Returns:
        A copy with interpolations in the places of values of the environment, and without the passwords of addresses
        that say where things run and are kept.
    """
    if TAKEN in config and not names_in(config[TAKEN]):
        return {name: copied(value) for name, value in config.items()}
    kept = {name: without_passwords(value) if name in RUN_TIME else copied(value) for name, value in config.items()}
    written = without_passwords(kept.pop(TAKEN, {}))
    digests = _digests({key: value for key, value in written.items() if key not in RUN_TIME}, config)
    _put_all(kept, written)
    return {**kept, TAKEN: digests} if digests else kept


def without_passwords(value: Any) -> Any:
    """Return plain containers of texts, without the secrets of the addresses in them."""
    return _mapped(value, without_password)


def hidden(value: Any, config: Mapping[str, Any]) -> Any:
    """Return plain containers of texts that may quote a value of the environment, each by its variable.

    Args:
        value: whatever JSON holds.
        config: a resolved configuration that takes such values.
    """
    names = names_in(config.get(TAKEN, {}))
    values = {os.environ[name]: f"${{{MARK}{name}}}" for name in names if len(os.environ.get(name, "")) >= _SHORTEST}
    if not values:
        return value
    found = re.compile("|".join(re.escape(text) for text in sorted(values, key=len, reverse=True)))
    return _mapped(value, lambda text: found.sub(lambda match: values[match[0]], text))


def revealed(value: Any) -> Any:
    """Return what `hidden` was given, as far as variables are set that a command line of this process named.

    A record is not asked which variables to look up: it may be anybody's.
    """

    def found(match: re.Match[str]) -> str:
        return os.environ.get(match[1], match[0]) if match[1] in named_here else match[0]

    return _mapped(value, lambda text: _VARIABLE.sub(found, text))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _mapped(item, change) for name, item in value.items()}
    return [_mapped(item, change) for item in value] if isinstance(value, list | tuple) else value


def _put_all(config: dict[str, Any], tree: Mapping[str, Any]) -> None:
    """Put the leaves of a tree in the places of those of a configuration; what it no longer has is left out."""
    for name, value in tree.items():
        if name in config:
            if isinstance(value, Mapping) and isinstance(config[name], dict):
                _put_all(config[name], value)
            else:
                config[name] = value


def _digests(tree: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, written in tree.items():
        value = values.get(name)
        if isinstance(written, Mapping) and isinstance(value, Mapping):
            if inner := _digests(written, value):
                found[name] = inner
        elif not any(set(text) & {"/", os.sep} for text in _texts(value)):
            found[name] = f"digest {stable_hash({'value': value})[:DIGITS]}"
    return found
