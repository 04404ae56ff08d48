"""What the values of a configuration may be, checked before any worker sees them.

Rules for what a target takes stand beside it, in the module ``limits`` of its package; here stand those of keys that
belong to no target. What a target without rules allows, its constructor says.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hpsearch.base import lookup
from hpsearch.base.errors import ConfigError
from hpsearch.base.keys import ARGS, SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.base.limits import (
    NUMBER,
    POSITIVE,
    Rule,
    Rules,
    count,
    flag,
    one_of,
    optional,
    or_word,
    rules_of,
    table,
    text,
)
from hpsearch.base.plain import ABSENT, copied, get, list_of, put

_TABLES = {
    "torch.optim.lr_scheduler": "hpsearch.schedules.limits",
    "torch.optim": "hpsearch.optim.limits",
    "torch.nn": "hpsearch.losses.limits",
}
"""Where the rules for classes of other packages stand; for ours, in their own room."""

_OPTIONS = ("hpsearch.optim.limits", "hpsearch.schedules.limits", "hpsearch.search.limits")
"""Where the rules stand for keys of a group that are taken out before its target is built."""


def _levels(key: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} = {value!r}: must be a table such as {{optimizer.momentum: 0}}")


def _packages(key: str, value: Any) -> None:
    names: list[Any] = value if isinstance(value, list) else [None]
    if not all(isinstance(name, str) and all(map(str.isidentifier, name.split("."))) for name in names):
        raise ConfigError(f"{key} = {value!r}: must be a list of package names")
    for name, files in ((name, lookup.found_twice(name)) for name in names):
        if files:
            raise ConfigError(f"{key}: '{name}' is found twice, in {files[0]} and {files[1]}: rename or remove one")


OWN: Mapping[str, Rule] = {
    "seed": count(0),
    "fold": count(0),
    "plugins": _packages,
    ARGS: table,
    "budget": table,
    "extend": table,
    "extend.limits": table,
    "budget.points": optional(or_word(count(), "auto")),
    "budget.patience": optional(count()),
    "budget.epochs": optional(count()),
    "budget.seconds": optional(POSITIVE),
    "budget.target": optional(NUMBER),
    "budget.failures": optional(count()),
    TRIAL_SECONDS: optional(POSITIVE),
    SILENT_SECONDS: optional(POSITIVE),
    "ablation.nuisance": optional(one_of("held", "retuned")),
    "ablation.reference": optional(_levels),
    "ablation.target": optional(NUMBER),
    "ablation.points": count(2),
    "ablation.seeds": count(),
    "ablation.epochs": optional(count()),
    "ablation.tune_for": one_of("score", "updates"),
    "ablation.rounds": flag,
    "study.name": text,
    "study.grow": optional(text),
    "study.code": one_of(None, "changed_ok"),
    "study.question": text,
    "study.seeds": count(),
    "study.confirm": count(0),
    "study.restart": flag,
}


def check(config: Mapping[str, Any], where: Callable[[str], str]) -> None:
    """Check every value that a rule is about.

    Args:
        config: nested dicts, resolved.
        where: where the value of a dotted key came from.

    Raises:
        ConfigError: one line per value that is not allowed.
    """
    problems = []
    for key, rule, value in _ruled(config):
        try:
            rule(key, value)
        except ConfigError as error:
            problems.append(f"{error} (from {where(key)})")
    if problems:
        raise ConfigError(*problems)


def check_value(config: Mapping[str, Any], key: str, value: Any, source: str) -> None:
    """Check another value of a key.

    Args:
        config: nested dicts that have the key.
        key: its dotted key, or that of an element of a list; a key without a rule may hold anything.
        value: what it is to hold.
        source: where the value came from.

    Raises:
        ConfigError: for a value that is not allowed.
    """
    if (whole := list_of(key)) != key:
        changed = copied(config)
        put(changed, key, value)
        key, value = whole, get(changed, whole)
    for rule in (rule for known, rule, _ in _ruled(config) if known == key):
        try:
            rule(key, value)
        except ConfigError as error:
            raise ConfigError(f"{error} (from {source})") from None


def target_part(group: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a group without the keys that are taken out before its target is built."""
    taken = {name for module in _OPTIONS for name in import_module(module).OPTIONS.get(group, ())}
    return {name: value for name, value in config.items() if name not in taken}


def ruled(config: Mapping[str, Any]) -> frozenset[str]:
    """Return the dotted keys of a configuration of which a rule says what they may be."""
    return frozenset(key for key, _, _ in _ruled(config))


@cache
def limits_of(target: str) -> Rules:
    """Return the rules for the arguments of a target; none for a target that no table of ours knows.

    Args:
        target: dotted path of a class or a function.
    """
    for package, module in _TABLES.items():
        if target.startswith(f"{package}."):
            return rules_of(import_module(module).LIMITS, target)
    room = ".".join(target.split(".")[:2])
    if not room.startswith("hpsearch."):
        return {}
    try:
        known = find_spec(f"{room}.limits")
    except ModuleNotFoundError:
        return {}
    return rules_of(getattr(import_module(f"{room}.limits"), "LIMITS", {}), target) if known else {}


def known_targets() -> frozenset[str]:
    """Return the classes of other packages that a table of ours has rules for, by dotted path."""
    names = (name for module in set(_TABLES.values()) for name in import_module(module).LIMITS)
    return frozenset(name for name in names if not name.endswith("*"))


def _ruled(config: Mapping[str, Any]) -> Iterator[tuple[str, Rule, Any]]:
    """Yield key, rule and value of everything that a rule is about."""
    for key, rule in OWN.items():
        value = get(config, key)
        if value is not ABSENT:
            yield key, rule, value
    for module in _OPTIONS:
        for group, rules in import_module(module).OPTIONS.items():
            yield from _within(group, rules, config.get(group))
    for key, holder in built("", config):
        yield from _within(key, limits_of(holder["_target_"]), holder)


def _within(where: str, rules: Rules, values: Any) -> Iterator[tuple[str, Rule, Any]]:
    if isinstance(values, Mapping):
        yield from ((f"{where}.{name}", rule, values[name]) for name, rule in rules.items() if name in values)


def built(key: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield everything with a target inside a value, by its dotted key."""
    if isinstance(value, Mapping):
        if isinstance(value.get("_target_"), str):
            yield key, value
        for name, item in value.items():
            yield from built(f"{key}.{name}" if key else name, item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from built(f"{key}.{index}", item)
