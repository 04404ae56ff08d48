"""Interpolations of a configuration: resolved where it is composed, and in no record.

What a value of the environment stands for is kept beside it, see `hpsearch.base.environment`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from hpsearch.base.environment import named_here, names_in
from hpsearch.base.errors import ConfigError
from hpsearch.base.grammar import shown_text
from hpsearch.base.keys import RUN_TIME
from hpsearch.base.passwords import without_password
from hpsearch.base.plain import ABSENT, copied, flatten, get
from hpsearch.config.messages import hydra_message

_MISSING = re.compile(r"Environment variable '(.+)' not found")


def resolve(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve the interpolations of plain nested dicts.

    Args:
        raw: plain containers with ``${...}`` in strings.

    Returns:
        A new nested dict without them.

    Raises:
        ConfigError: for an interpolation that leads nowhere, or a value that is still ``???``.
    """
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(dict(raw)), resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise ConfigError(f"{error.full_key}: a value is required: {error.full_key}=VALUE") from None
    except OmegaConfBaseException as error:
        raise ConfigError(_unresolved(error, raw)) from None
    assert isinstance(resolved, dict)
    return {str(name): value for name, value in resolved.items()}


def _unresolved(error: OmegaConfBaseException, raw: Mapping[str, Any]) -> str:
    missing, written = _MISSING.search(str(error)), get(raw, str(error.full_key))
    if missing is None:
        return f"{error.full_key}: {hydra_message(error)}"
    given = "" if written is ABSENT else f" = {shown_text(written)}"
    return f"{error.full_key}{given}: the environment variable {missing[1]} is not set"


def taken(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a configuration depends on variables of the environment, as it is written.

    Args:
        raw: plain nested dicts with interpolations.

    Returns:
        A tree of the same keys, with these values alone; through references to other keys too.
    """
    if not (names := names_in(raw)):
        return {}
    named_here.update(names)
    leaves = list(_leaves(raw))
    marked = {path for path, value in leaves if names_in(value)}
    referring = {path: _references(path, value) for path, value in leaves if path not in marked}
    while more := {path for path, keys in referring.items() if path not in marked and _any_under(keys, marked)}:
        marked |= more
    tree: dict[str, Any] = {}
    for path, value in leaves:
        if path in marked:
            holder = tree
            for name in path[:-1]:
                holder = holder.setdefault(name, {})
            holder[path[-1]] = copied(value)
    return tree


def check_passwords(raw: Mapping[str, Any]) -> None:
    """Refuse an address with a password in plain text where every record and printed command would have it.

    Args:
        raw: plain nested dicts with interpolations.

    Raises:
        ConfigError: for the first one that is not among the keys that say where things run and are kept.
    """
    for key, value in flatten({name: part for name, part in raw.items() if name not in RUN_TIME}).items():
        if isinstance(value, str) and (shown := without_password(value)) != value:
            raise ConfigError(
                f"{key} = {shown}: the password would stand in the record; put the address into a variable of the "
                f"environment and write {key}='${{oc.env:NAME}}'"
            )


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the leaves by the names that lead to them; lists are leaves."""
    if isinstance(value, Mapping) and (value or not path):
        for name, item in value.items():
            yield from _leaves(item, (*path, str(name)))
    else:
        yield path, value


def _references(path: tuple[str, ...], value: Any) -> list[tuple[str, ...]]:
    """Return what may be keys that interpolations in a value refer to; relative ones from its place."""
    found = []
    for text in re.findall(r"\$\{[^$]*", repr(value)) if "${" in repr(value) else ():
        for dots, key in re.findall(r"(\.*)([\w-][\w.-]*)", text):
            above = path[: len(path) - len(dots)] if dots else ()
            found.append((*above, *key.split(".")))
    return found


def _any_under(keys: list[tuple[str, ...]], marked: set[tuple[str, ...]]) -> bool:
    """Return whether one of the keys is marked, or lies above or below one that is."""
    return any(key[: len(other)] == other or other[: len(key)] == key for key in keys for other in marked)
