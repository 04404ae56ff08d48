"""What points of a space must meet, with the values of the configuration in place of keys that are not searched."""

from collections.abc import Collection
from typing import Any

from hpsearch.base.conditions import where_parts
from hpsearch.base.constraint import Constraint
from hpsearch.base.errors import SpaceError, nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.plain import ABSENT, get
from hpsearch.config.composer import Composed
from hpsearch.config.messages import all_keys


def settled(given: Any, searched: Collection[str], composed: Composed) -> list[str]:
    """Return the constraints that are left to points.

    Args:
        given: one text, several in brackets, or a list of them.
        searched: the dotted keys that are searched.
        composed: gives the other keys their values.

    Returns:
        Constraints on searched keys alone, without those that the configuration meets.

    Raises:
        SpaceError: for what is no constraint, an unknown key, or a constraint that the configuration does not meet.
    """
    texts = where_parts(given) if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SpaceError(f"{given!r}: must be a list of constraints, as [model.width % model.heads == 0]")
    found = []
    for text in texts:
        constraint = Constraint(text)
        values = {key: _value(key, text, searched, composed) for key in constraint.keys if key not in searched}
        left = constraint.filled(values)
        if left.keys:
            found.append(left.text)
        elif not left.holds({}):
            given_values = ", ".join(f"{key} = {value_text(value)}" for key, value in values.items())
            raise SpaceError(f"{text}: leaves nothing to search{f' with {given_values}' if values else ''}")
    return found


def _value(key: str, text: str, searched: Collection[str], composed: Composed) -> Any:
    """Return the value of a key that is not searched."""
    group = key.partition(".")[0]
    if group in searched:
        raise SpaceError(f"{text}: {key} is not searched, and its value depends on {group}, which is")
    value = composed.choices.get(key) or get(composed.resolved, key)
    if value is ABSENT:
        quoted = f"; a text is written '{key}'" if key.isidentifier() else ""
        raise SpaceError(
            f"{text}: {key} is neither searched nor a key of the configuration"
            f"{nearest(key, [*searched, *all_keys(composed.raw)])}{quoted}"
        )
    return value
