"""Arguments of a user's own function: the keys under ``args``, of which the root configuration has none."""

from collections.abc import Mapping
from typing import Any

from hpsearch.base.conditions import split_name
from hpsearch.base.errors import SpaceError
from hpsearch.base.keys import ARGS
from hpsearch.base.plain import ABSENT, get, list_of
from hpsearch.config.words import Word, word_for


def room_for(sources: Mapping[str, str], raw: Mapping[str, Any]) -> tuple[Word, ...]:
    """Return the words that make room for searched arguments that nothing else names.

    Args:
        sources: where the expression of each name of the space stands.
        raw: the configuration without these words.

    Returns:
        A word that adds null for an argument, as many nulls as there are elements for a list of which elements are
        searched.

    Raises:
        SpaceError: no argument can have such a name.
    """
    elements: dict[str, int] = {}
    for name, source in sources.items():
        key = split_name(name)[0]
        root, _, argument = key.partition(".")
        if root != ARGS or get(raw, list_of(key)) is not ABSENT:
            continue
        argument, is_element, place = argument.removesuffix("]").partition("[")
        if not (argument.isidentifier() and place.isdigit() == bool(is_element)):
            raise SpaceError(f"space {name}: {key!r} cannot be the name of an argument (from {source})")
        elements[argument] = max(elements.get(argument, 0), int(place) + 1 if is_element else 0)
    return tuple(word_for(f"{ARGS}.{key}", [None] * n if n else None, adds=True) for key, n in elements.items())
