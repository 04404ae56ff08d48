"""Names of a flat search space: a dotted key behind the conditions under which it is searched."""

import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base.errors import SpaceError
from hpsearch.base.grammar import option_text

WHERE = "where"
"""In place of a key: what points of the space must meet."""

_COMPARED = re.compile(
    r"(?P<key>[^\s<>=!]+)\s*(?P<relation>>=|<=|!=|={1,2}|<|>)\s*(?P<value>[^\s=](?:.*\S)?)", re.DOTALL
)
_LISTED = re.compile(r"(?P<key>[^\s<>=!]+)\s+(?P<relation>in)\s*(?:\[(?P<list>.*)\]|\((?P<tuple>.*)\))", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_ORDERS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: what a searched key must be.

    Attributes:
        key: group or dotted key.
        relation: ``=``, ``!=``, ``>=``, ``<=``, ``>``, ``<`` or ``in``.
        options: what it is compared with, as a condition writes it: one text, several for ``in``.
    """

    key: str
    relation: str
    options: tuple[str, ...]

    def __str__(self) -> str:
        """Return its normal form."""
        return f"{self.key}{self.rest}"

    @property
    def rest(self) -> str:
        """Its normal form without the key: ``>=3`` or `` in [batch,layer]``."""
        return f" in [{','.join(self.options)}]" if self.relation == "in" else f"{self.relation}{self.options[0]}"

    def holds(self, value: Any) -> bool:
        """Return whether it holds for a value of its key; an order holds for numbers only."""
        if self.relation in ("=", "in"):
            return any(_means(option, value) for option in self.options)
        (option,) = self.options
        if self.relation == "!=":
            return not _means(option, value)
        limit = as_number(option)
        if limit is None or not is_number(value):
            return False
        return bool(_ORDERS[self.relation](value, limit))

    @property
    def ordered(self) -> bool:
        """Whether it compares by order."""
        return self.relation in _ORDERS

    @property
    def numbers(self) -> list[float]:
        """The numbers that it compares with."""
        return [number for number in map(as_number, self.options) if number is not None]


Condition = tuple[Clause, ...]


def as_number(option: str) -> float | None:
    """Return the finite number that an option of a condition is, None for another text."""
    try:
        number = float(option)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def is_number(value: Any) -> bool:
    """Return whether a value is a number, which a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _means(option: str, value: Any) -> bool:
    """Return whether an option of a condition is a value: its text, or the same number."""
    return option_text(value) == _unquoted(option) or (is_number(value) and as_number(option) == value)


def _unquoted(text: str) -> str:
    """Return a text without the quotes that stand around all of it."""
    return text[1:-1] if _QUOTED.fullmatch(text) else text


def parts_outside(text: str, separator: str) -> list[str]:
    """Split a text at separators that are inside neither brackets nor quotes, and strip the parts."""
    parts, start = [], 0
    for place, sign, depth in _depths(text):
        if sign == separator and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def closing(text: str, place: int) -> int:
    """Return the place of the bracket that closes the one at a place, -1 where it stays open."""
    before = next(depth for at, _, depth in _depths(text) if at == place)
    return next((at for at, sign, depth in _depths(text) if at > place and sign in _CLOSING and depth == before), -1)


def _depths(text: str) -> Iterator[tuple[int, str, int]]:
    """Yield place, sign and depth in brackets of all signs outside quotes; a bracket is as deep as what it holds."""
    depth, quote = 0, ""
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
            continue
        quote = sign if sign in "'\"" else ""
        depth += sign in _OPENING
        yield place, sign, depth
        depth -= sign in _CLOSING


def parse_clause(text: str) -> Clause | None:
    """Return the condition that a text is, None where it is none.

    Raises:
        SpaceError: an order with something that is no number, or an empty list.
    """
    if match := _LISTED.fullmatch(text.strip()):
        inner = match["list"] if match["list"] is not None else match["tuple"]
        options = tuple(part for part in parts_outside(inner, ",") if part)
        if not options:
            raise SpaceError(f"the condition {text} lists nothing")
        return Clause(match["key"], "in", options)
    match = _COMPARED.fullmatch(text.strip())
    if not match:
        return None
    clause = Clause(match["key"], match["relation"].replace("==", "="), (match["value"],))
    if clause.ordered and as_number(match["value"]) is None:
        raise SpaceError(f"the condition {text} compares with {match['value']}, which is no number")
    return clause


def split_name(name: str) -> tuple[str, Condition]:
    """Split a flat name into its dotted key and its conditions.

    Args:
        name: ``model=lenet/model.kernel_size``, ``model.depth>=3/model.skip``, ``model.norm in [batch,layer]/...``.

    Returns:
        The key, and its conditions in order; those of a key without conditions are empty.

    Raises:
        SpaceError: for a condition that is not written ``KEY=OPTION``, with an order, or with a list.
    """
    if not is_conditional(name):
        return name.strip(), ()
    parts = parts_outside(name, "/")
    *conditions, last = [parse_clause(part) for part in parts]
    if last is not None or not all(conditions) or not parts[-1]:
        raise SpaceError("a conditional name is written CONDITION/key, a condition KEY=OPTION, KEY>=3 or KEY in [A,B]")
    return parts[-1], tuple(clause for clause in conditions if clause is not None)


def flat_name(key: str, condition: Condition) -> str:
    """Return the name of a key under conditions, in its normal form: the inverse of `split_name`."""
    return "/".join([*map(str, condition), key])


def normal_name(name: str) -> str:
    """Return a flat name in its normal form; a malformed condition raises a SpaceError."""
    return flat_name(*split_name(name))


def flat_entries(table: Mapping[str, Any], conditions: str = "", prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield flat names and expressions of a nested table: conditions hold tables of what they are for.

    Args:
        table: as a study's file has it.
        conditions: of the whole table, each with a slash behind it.
        prefix: of its keys, with a dot behind it.
    """
    for name, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{conditions}{prefix}{name}", value
        elif is_conditional(f"{name}/key"):
            yield from flat_entries(value, f"{conditions}{name}/", prefix)
        else:
            yield from flat_entries(value, conditions, f"{prefix}{name}.")


def is_conditional(name: str) -> bool:
    """Return whether a flat name is written with conditions, well or not."""
    return any(sign in name for sign in "=<>") or " in " in name


def space_word(name: str, expression: str, block: str = "space") -> str:
    """Return the word of a command line that searches a flat name: ``space[model=lenet].model.kernel_size=...``."""
    key, condition = split_name(name)
    return f"{block}{''.join(f'[{clause}]' for clause in condition)}.{key}={expression}"


def where_text(given: str | Sequence[str]) -> str:
    """Return constraints, one text or several, as one text in brackets."""
    texts = where_parts(given) if isinstance(given, str) else list(given)
    return f"[{', '.join(texts)}]"


def where_parts(text: str) -> list[str]:
    """Return the constraints of a text: of ``[a, b]``, or of one without brackets around all of it.

    A constraint may stand in quotes, as a text of a list does.
    """
    stripped = text.strip()
    whole = stripped.startswith("[") and closing(stripped, 0) == len(stripped) - 1
    return [_unquoted(part) for part in parts_outside(stripped[1:-1] if whole else stripped, ",") if part]
