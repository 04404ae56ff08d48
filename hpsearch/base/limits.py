"""What an argument may be: rules that refuse a value in one line, and tables of them that load no noun.

A table stands beside the noun it is for. Its keys are targets, a star for every class of a package; its values are
rules by argument. The driver, `hpsearch.config.build` and the constructors read the same one.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hpsearch.base.errors import ConfigError, check_choice, check_float, check_int

Rule = Callable[[str, Any], None]
"""Called with the dotted key and the value; a ConfigError says what is allowed."""
Rules = Mapping[str, Rule]
Limits = Mapping[str, Rules]


def count(low: int = 1) -> Rule:
    """Return the rule: a whole number from `low` on."""
    return partial(check_int, low=low)


def port(key: str, value: Any) -> None:
    """Refuse what is no port of a machine; 0 is one that is free."""
    check_int(key, value, 0, 65_535)


def number(interval: str) -> Rule:
    """Return the rule: a finite number in an interval as mathematics writes it, ``(0, inf)``."""
    return partial(check_float, interval=interval)


def one_of(*allowed: object) -> Rule:
    """Return the rule: one of these values."""
    return partial(check_choice, allowed=allowed)


def flag(key: str, value: Any) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{key} = {value!r}: must be true or false")


def text(key: str, value: Any) -> None:
    """Refuse what is no text."""
    if not isinstance(value, str):
        raise ConfigError(f"{key} = {value!r}: must be text")


def table(key: str, value: Any) -> None:
    """Refuse what is no table."""
    if not isinstance(value, dict):
        raise ConfigError(f"{key} = {value!r}: must be a table")


def optional(rule: Rule) -> Rule:
    """Return the rule that also takes None."""

    def check(key: str, value: Any) -> None:
        if value is not None:
            rule(key, value)

    return check


def or_word(rule: Rule, word: str) -> Rule:
    """Return the rule that also takes a word."""

    def check(key: str, value: Any) -> None:
        if value == word:
            return
        try:
            rule(key, value)
        except ConfigError as error:
            raise ConfigError(f"{error}, or {word}") from None

    return check


def pair(rule: Rule) -> Rule:
    """Return the rule for each of two values in a list."""

    def check(key: str, value: Any) -> None:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ConfigError(f"{key} = {value!r}: must be two numbers")
        each(rule)(key, value)

    return check


def each(rule: Rule) -> Rule:
    """Return the rule for a value, or for each one of a list."""

    def check(key: str, value: Any) -> None:
        for index, item in enumerate(value) if isinstance(value, list | tuple) else [(None, value)]:
            rule(key if index is None else f"{key}[{index}]", item)

    return check


POSITIVE = number("(0, inf)")
NOT_NEGATIVE = number("[0, inf)")
NUMBER = number("(-inf, inf)")
SHARE = number("[0, 1]")
BELOW_ONE = number("[0, 1)")


def rules_of(limits: Limits, target: str) -> dict[str, Rule]:
    """Return the rules for the arguments of a target.

    Args:
        limits: the table.
        target: dotted path of a class, whichever module of its package it is named from.
    """
    name = target.rpartition(".")[2]
    found: dict[str, Rule] = {}
    for key, rules in limits.items():
        package, _, known = key.rpartition(".")
        room = ".".join(package.split(".")[:2])
        if target.startswith(f"{package}.") if known == "*" else (target.startswith(f"{room}.") and known == name):
            found.update(rules)
    return found


def check_values(where: str, rules: Rules, values: Mapping[str, Any]) -> None:
    """Refuse the first value that its rule does not allow, by a ConfigError.

    Args:
        where: dotted key of what holds the values.
        rules: by argument.
        values: by argument; one without a rule may be anything.
    """
    for name, rule in rules.items():
        if name in values:
            rule(f"{where}.{name}", values[name])


def check_fields(where: str, limits: Limits, made: object) -> None:
    """Refuse what an object was constructed with, by the table's rules for its class and those it inherits from.

    Args:
        where: dotted key of the object.
        limits: the table.
        made: the object; its attributes have the names of the arguments.
    """
    rules: dict[str, Rule] = {}
    for base in reversed(type(made).__mro__):
        rules.update(rules_of(limits, f"{base.__module__}.{base.__qualname__}"))
    check_values(where, rules, {name: getattr(made, name) for name in rules if hasattr(made, name)})


def _bounds(key: str, value: Any) -> None:
    """Refuse what is no table of the largest value by the name of a metric or a fact."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} = {value!r}: must be a table such as {{parameters: 1e5, latency_ms: 10}}")
    for name, bound in value.items():
        text(f"the name in {key}", name)
        NUMBER(f"{key}.{name}", bound)


_OBJECTIVE = "{_target_: hpsearch.base.types.Objective, metric: parameters, direction: minimize}"
"""How an objective beside the first is written."""


def _others(key: str, value: Any) -> None:
    """Refuse what is no list of objectives, as they are configured or as they are built."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{key} = {value!r}: must be a list of objectives, as [{_OBJECTIVE}]")
    for place, other in enumerate(value):
        if not (isinstance(other, Mapping) and "_target_" in other) and not hasattr(other, "metric"):
            raise ConfigError(f"{key}[{place}] = {other!r}: must be an objective, as {_OBJECTIVE}")


LIMITS: Limits = {
    "hpsearch.base.types.Objective": {
        "metric": text,
        "direction": one_of("maximize", "minimize"),
        "reduce": one_of("end", "last", "best"),
        "share": optional(flag),
        "limits": _bounds,
        "margin": or_word(NOT_NEGATIVE, "auto"),
        "others": _others,
    },
}
"""What arguments of an `hpsearch.base.types.Objective` may be."""
