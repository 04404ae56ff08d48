# ruff: noqa: E501 - pieces and tables are read as tables
"""Mutations: valid texts, bytes and tables, with some places changed, so that what comes behind the first check is met."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

LONGEST = 2**17
"""Characters of what is drawn: Linux takes no longer word of a command line."""
Raw = TypeVar("Raw", str, bytes)
_KINDS = ("flip", "cut", "drop", "splice", "repeat", "grow", "swap")
_STEPS = st.lists(
    st.tuples(st.sampled_from(_KINDS), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32 - 1)), max_size=4
)
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**64), 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), "", "a", "1", "null", "\0", "\ud800", "é", "<b>", "../x", "/etc/passwd",
    "${oc.env:HOME}", "a\nb", "\x1b[2J", "x" * 5000, [], [[]], {}, [1, "a"], {"a": {"b": 1}}, {"": 1}, [None],
)  # fmt: skip
"""Values that a reader may not have thought of."""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.sampled_from(ODD) | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _changed(raw: Raw, kind: str, at: float, size: float, number: int, pieces: Sequence[Raw]) -> Raw:
    """Return a text or bytes with one place changed."""
    place = int(at * len(raw))
    end = min(len(raw), place + 1 + int(size * size * size * len(raw)))
    piece = pieces[number % len(pieces)]
    empty = raw[:0]
    match kind:
        case "flip":
            one: Any = bytes([number % 256]) if isinstance(raw, bytes) else chr(number % 0x250 or 1)
            return raw[:place] + one + raw[place + 1 :]
        case "cut":
            return raw[:place]
        case "drop":
            return raw[:place] + raw[end:]
        case "splice":
            return raw[:place] + piece + raw[place:]
        case "repeat":
            return raw[:place] + raw[place:end] * (1 + number % 40) + raw[end:]
        case "grow":
            return raw[:place] + piece * (1 + number % 3000) + raw[place:]
        case _:
            return raw[:place] + raw[end:] + raw[place:end] + empty


@st.composite
def mutated(draw: Any, valid: SearchStrategy[Raw], pieces: Sequence[Raw]) -> Raw:
    """Draw something valid and change up to four places of it.

    Args:
        draw: of hypothesis.
        valid: what is changed.
        pieces: of the grammar, which are put in.
    """
    raw = draw(valid)
    for kind, at, size, number in draw(_STEPS):
        raw = _changed(raw, kind, at, size, number, pieces)[:LONGEST]
    return raw


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for name, each in inner for place in _places(each, (*above, name)))]


def _put(value: Any, place: tuple[Any, ...], change: Any) -> Any:
    """Return nested dicts and lists with a change at a place: a function of what stands there, as a list of 0 to 2."""
    if not place:
        return (change(value) or [None])[0]
    name, *rest = place
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    made = []
    for key, each in items:
        if key != name:
            made.append((key, each))
        elif rest:
            made.append((key, _put(each, tuple(rest), change)))
        else:
            made += [(key, new) for new in change(each)]
    return dict(made) if isinstance(value, dict) else [each for _, each in made]


@st.composite
def changed_tables(draw: Any, valid: SearchStrategy[Any], values: SearchStrategy[Any] = VALUES) -> Any:
    """Draw nested dicts and lists and change up to three places: another value, none, twice, or one more key."""
    table = draw(valid)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(_places(table)))
        kind = draw(st.sampled_from(("other", "other", "none", "twice", "more", "nested")))
        new = draw(values)
        key = draw(st.sampled_from(["", "x", "extensions", "codes", "data", "space", "stages", "config", "_target_"]))
        table = _put(
            table,
            place,
            {
                "other": lambda _, new=new: [new],
                "none": lambda _: [],
                "twice": lambda each: [each, each],
                "more": lambda each, new=new, key=key: [{**each, key: new} if isinstance(each, dict) else new],
                "nested": lambda each: [[each]],
            }[kind],
        )
    return table


def as_json(value: Any) -> bytes:
    """Return a value as one line of JSON, whatever it holds."""
    return json.dumps(value, separators=(",", ":"), default=str).encode("utf-8", "surrogatepass")
