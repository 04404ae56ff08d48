"""Plain nested dicts: flatten, compare, fill in, hash, and write as overrides."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.base.grammar import value_text

ABSENT: Any = object()
"""Stands for a key that is not there."""


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves by dotted key; lists and empty dicts are leaves."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{key}."))
        else:
            flat[key] = value
    return flat


def copied(value: Any) -> Any:
    """Return a deep copy of plain containers."""
    if isinstance(value, dict):
        return {name: copied(item) if isinstance(item, dict | list) else item for name, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def get(config: Mapping[str, Any], key: str) -> Any:
    """Return the value at a dotted key, an element of a list by its place (``model.hidden[0]``), or `ABSENT`."""
    value: Any = config
    for part in _path(key):
        if isinstance(part, int):
            if not isinstance(value, list) or part >= len(value):
                return ABSENT
        elif not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def put(config: dict[str, Any], key: str, value: Any) -> None:
    """Set an existing dotted key, or an element of a list, in place.

    Args:
        config: nested dicts.
        key: dotted key.
        value: its new value.

    Raises:
        KeyError: when the key is not there.
    """
    *parents, last = _path(key)
    holder: Any = config
    for part in parents:
        holder = holder[part] if _has(holder, part) else {}
    if not _has(holder, last):
        raise KeyError(key)
    holder[last] = value


def _path(key: str) -> list[str | int]:
    """Return the names and places that lead to a dotted key."""
    if "[" not in key:
        return [*key.split(".")]
    return [int(place) if place else name for name, place in re.findall(r"([^.\[\]]+)|\[(\d+)\]", key)]


def _has(holder: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(holder, list) and part < len(holder)
    return isinstance(holder, dict) and part in holder


def list_of(key: str) -> str:
    """Return the key of the whole list that an element belongs to; another key as it is."""
    return key.partition("[")[0]


def remove(config: dict[str, Any], key: str) -> None:
    """Take an existing dotted key out, in place."""
    *parents, last = key.split(".")
    for part in parents:
        config = config[part]
    del config[last]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two configurations; a side that has no such key is `ABSENT`."""

    key: str
    old: Any
    new: Any

    def override(self) -> str:
        """Return the Hydra override that makes this change."""
        if self.new is ABSENT:
            return f"~{self.key}"
        return f"{'+' if self.old is ABSENT else ''}{self.key}={value_text(self.new)}"

    def line(self) -> str:
        """Return a readable line."""
        return f"{self.key}: {_shown(self.old)} -> {_shown(self.new)}"


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "(none)"
    try:
        return value_text(value)
    except TypeError:
        return repr(value)


def changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[Change]:
    """Yield the differences, leaf by leaf, in the order of `new`."""
    for name in (*new, *(name for name in old if name not in new)):
        key, before, after = f"{prefix}{name}", old.get(name, ABSENT), new.get(name, ABSENT)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from changes(before, after, f"{key}.")
        elif before is ABSENT and isinstance(after, Mapping) and after:
            yield from changes({}, after, f"{key}.")
        elif not same(before, after):
            yield Change(key, before, after)


def same(one: Any, other: Any) -> bool:
    """Return whether two plain values are equal and of the same types: True is not 1, and 1 is not 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return one readable line per difference, such as ``optimizer.lr: 0.1 -> 0.2``."""
    return "\n".join(change.line() for change in changes(old, new))


def stable_hash(config: Mapping[str, Any]) -> str:
    """Return 16 hex digits that depend on the values only: not on the order of keys, nor on 1 written as 1.0."""
    text = json.dumps(_normal(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _normal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _normal(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def interpolation_words(config: Mapping[str, Any]) -> frozenset[str]:
    """Return every word inside a ``${...}`` of the configuration: the keys it may depend on."""
    words: set[str] = set()
    for value in flatten(config).values():
        for text in _strings(value):
            if "${" in text:
                words.update(re.findall(r"[\w-]+", text))
    return frozenset(words)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
