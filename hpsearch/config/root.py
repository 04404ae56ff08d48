"""What every configuration holds at its root, whatever is chosen."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import yaml

from hpsearch.base.errors import ConfigError
from hpsearch.base.grammar import shown_text
from hpsearch.base.plain import ABSENT, get
from hpsearch.config.groups import CONF
from hpsearch.config.words import COMMAND_LINE

DEEPEST = 40
"""Levels of lists and tables in one another; OmegaConf and others go down recursively, and end before 120."""


def check_root(raw: Mapping[str, Any], texts: Iterable[str]) -> None:
    """Refuse a configuration that lacks a key which is always there, or has something else in a table's place.

    An option that is chosen stays one: null in its place would leave out what it says without a word. What is nested
    more than `DEEPEST` levels deep is refused, too.

    Args:
        raw: nested dicts, interpolations unresolved.
        texts: the overrides that composed it.

    Raises:
        ConfigError: naming the key.
    """
    given = {text.lstrip("+~").partition("=")[0] for text in texts}
    for key, is_table in _always().items():
        value = get(raw, key)
        source = COMMAND_LINE if key in given or key.partition(".")[0] in given else "a file of the configuration"
        if value is ABSENT:
            raise ConfigError(f"~{key}: it cannot be left out (from {source})")
        if is_table and not isinstance(value, Mapping):
            raise ConfigError(f"{key} = {shown_text(value)}: must be a table (from {source})")

    if (cluster := raw.get("cluster")) is not None:  # Hydra takes a word of a group that it does not find for a value
        raise ConfigError(
            f"cluster = {shown_text(cluster)}: no such option; it is a file cluster/NAME.yaml in a folder of "
            "--config-dir, which begins with `# @package _global_`"
        )
    if not isinstance(space := raw.get("space") or {}, Mapping):
        raise ConfigError(
            f"space = {shown_text(space)}: must be a table, KEY: EXPRESSION (from a file of the configuration)"
        )
    for group in _chosen():
        if not isinstance(value := raw.get(group, {}), Mapping):
            raise ConfigError(
                f"{group} = {shown_text(value)}: must be a table, or an option of {group} chosen under `defaults` "
                "(from a file of the configuration)"
            )
    for key, value in raw.items():
        if _is_deeper(value, DEEPEST):
            raise ConfigError(f"{key}: is nested more than {DEEPEST} levels deep")


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


@cache
def _root() -> Mapping[str, Any]:
    root: dict[str, Any] = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
    return root


def _chosen() -> list[str]:
    """Return the groups of which every configuration has an option, whose tables stand at the root."""
    return [group for entry in _root()["defaults"] if isinstance(entry, dict) for group in entry]


@cache
def _always() -> Mapping[str, bool]:
    """Return the keys of the root file but for its options, and what its tables hold; whether each is a table."""
    tables = {key: value for key, value in _root().items() if key != "defaults"}
    inner = {
        f"{key}.{name}": held
        for key, value in tables.items()
        if isinstance(value, dict)
        for name, held in value.items()
    }
    return {key: isinstance(value, dict) for key, value in {**tables, **inner}.items()}
