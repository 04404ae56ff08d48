"""Which known words somebody may have meant by an unknown one."""

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from hpsearch.base.keys import SEARCH_KEYS
from hpsearch.base.synonyms import ABSENT, NAMES

MOST = 3
"""Suggestions; where more words are equally near, none of them is one."""

_LONG = 8
"""Letters from which on a misspelt term of the field is recognized."""

_AFFIXES = re.compile(
    r"(lr|loss|sampler|pruner|optimizer|scheduler|schedule|search|regularizer|regularization|initializer|initialization"
    r"|init|activation|pooling|normalization|norm|decay|metric|score|dataset|augmentation|network|model|net)$"
)
"""What other libraries add to the name of a thing: ``StepLR``, ``MedianPruner``, ``LayerNorm``."""


@lru_cache(maxsize=4096)
def plain(word: str) -> str:
    """Return a word without capitals, underscores, hyphens and spaces."""
    return re.sub(r"[\s_-]", "", word).lower()


@cache
def _meant() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for target, terms in NAMES.items():
        for term in terms.split():
            found.setdefault(term, []).append(target)
    return {term: tuple(targets) for term, targets in found.items()}


def meanings(word: str) -> tuple[str, ...]:
    """Return what a term means here: options, keys, groups, values; nothing for one that is unknown."""
    return _meant().get(plain(word), ())


def meanings_of_misspelt(word: str) -> tuple[str, ...]:
    """Return what the long term means that a word is nearest to."""
    one = plain(word)
    apart = {term: n for term in _meant() if len(term) >= _LONG and (n := _apart(one, term)) is not None}
    nearest = {targets for term, n in apart.items() if n == min(apart.values()) for targets in [meanings(term)]}
    return nearest.pop() if len(nearest) == 1 and one not in ABSENT else ()


def distance(one: str, other: str) -> int:
    """Return how many letters to insert, delete, replace or swap with the next make one word the other.

    The optimal string alignment distance (Damerau, Communications of the ACM 1964).
    """
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != against))
            if i > 1 and j > 1 and one[i - 2] == against and letter == other[j - 2]:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def is_near(word: str, known: str) -> bool:
    """Return whether an unknown word may be a known one, misspelt.

    The longer of the two, without underscores, decides how far they may be apart: 1 from four letters on, 2 from eight,
    3 from thirteen. Of three letters one may be missing, too many or swapped, not another one: ``mae`` is not ``mse``.
    Two different numbers are never near: ``cifar100`` is not ``cifar10``.
    """
    return _apart(plain(word), plain(known)) is not None


def _apart(one: str, other: str) -> int | None:
    """Return the distance of two plain words that are near, None of others."""
    longer = max(len(one), len(other))
    most = 0 if longer < 3 else 1 if longer < 8 else 2 if longer < 13 else 3
    numbers = [re.findall(r"\d+", each) for each in (one, other)]
    if abs(len(one) - len(other)) > most or (all(numbers) and numbers[0] != numbers[1]):
        return None
    apart = distance(one, other)
    another_letter = longer == 3 and len(one) == len(other) and sorted(one) != sorted(other)
    return None if apart > most or another_letter else apart


def same(word: str, known: Iterable[str]) -> list[str]:
    """Return the known names that differ from a word in capitals, underscores, hyphens and spaces alone."""
    return [name for name in known if plain(name) == plain(word)]


def nearest_names(word: str, known: Iterable[str]) -> list[str]:
    """Return the known names that an unknown one may be.

    Args:
        word: without dots.
        known: names.

    Returns:
        Those that differ in capitals and underscores alone; else those that are the same without what other libraries
        add to names; else the nearest; else those that begin with it. None for a term of the field that nothing here
        means, nor where more than three are equally near.
    """
    names = list(known)
    one = plain(word)
    if not one or one in ABSENT:
        return same(word, names) if one else []
    bare = _AFFIXES.sub("", one)
    near = {name: apart for name in names if (apart := _apart(one, plain(name))) is not None}
    for found in (
        same(word, names),
        same(bare, names) if bare else [],
        [name for name in names if len(bare) > 2 and _AFFIXES.sub("", plain(name)) == bare],
        [name for name, apart in near.items() if apart == min(near.values())],
        [name for name in names if len(one) > 2 and plain(name).startswith(one)],
    ):
        if found:
            return found if len(found) <= MOST else []
    return []


def nearest_values(key: str, value: str, allowed: Iterable[str]) -> list[str]:
    """Return the allowed values of a key that another one may be: what the term means there, else the nearest."""
    options, last = list(allowed), key.rpartition(".")[2]
    said = [target.split("=") for target in meanings(value) if "=" in target]
    meant = [other for of, other in said if of.rpartition(".")[2] == last and other in options]
    return same(value, options) or meant or nearest_names(value, options)


def nearest_keys(key: str, known: Iterable[str]) -> list[str]:
    """Return the known dotted keys that an unknown one may be.

    Args:
        key: dotted, or the last part of a key alone.
        known: dotted keys and groups.

    Returns:
        Below the same parent what the term means or how it may be spelt; else the keys that the term means; else those
        whose last part it is, of a trial before others; else the nearest. At most three, or none.
    """
    keys = sorted(known)
    parent, _, last = key.rpartition(".")
    for found in (
        same(key, keys),
        _beside(parent, last, keys) if parent else [],
        _of_meaning(meanings(last), last, parent, keys),
        _of_a_trial([each for each in keys if "." in each and same(last, [each.rpartition(".")[2]])]),
        _spelt(parent, last, keys),
        _of_meaning(meanings_of_misspelt(last), last, parent, keys),
    ):
        if found:
            return found if len(found) <= MOST else []
    return []


def _beside(parent: str, last: str, keys: Sequence[str]) -> list[str]:
    """Return the keys below the same parent that mean what the last part does, or are spelt almost alike."""
    direct = [each.removeprefix(f"{parent}.") for each in keys if each.rpartition(".")[0] == parent]
    meant = meant_below(parent, last, keys)
    begun = [name for name in direct if plain(name).startswith(plain(last))]
    return meant or [f"{parent}.{name}" for name in nearest_names(last, direct) or begun[: len(begun) == 1]]


def meant_below(parent: str, last: str, keys: Iterable[str]) -> list[str]:
    """Return the keys right below a parent that a term means."""
    return _of_meaning(meanings(last), last, parent, [each for each in keys if each.rpartition(".")[0] == parent])


def _of_meaning(targets: Sequence[str], term: str, parent: str, keys: Sequence[str]) -> list[str]:
    """Return the known keys among what a term means; a group only where nothing stands in front of the term.

    Elsewhere, among the arguments of a function, a key of the same last part is meant.
    """
    wanted = [each for each in targets if "=" not in each and ("." in each or not parent)]
    ends = {each.rpartition(".")[2] for each in wanted if "." in each or each == "seed"}
    alone = [each for each in keys if each in ends and not parent]
    exact = [each for each in wanted if each in keys]
    alike = _of_a_trial([each for each in keys if "." in each and each.rpartition(".")[2] in ends])
    found = exact or alone or alike
    return [each for each in found if plain(each.rpartition(".")[2]) in plain(term)] or found


def _of_a_trial(keys: Sequence[str]) -> list[str]:
    """Return those that are part of a trial; all where none is."""
    return [each for each in keys if each.partition(".")[0] not in SEARCH_KEYS] or list(keys)


def _spelt(parent: str, last: str, keys: Sequence[str]) -> list[str]:
    """Return the keys whose parts are each spelt almost like those of an unknown one, the nearest."""
    apart: dict[str, int] = {}
    for each in keys:
        above, _, name = each.rpartition(".")
        pairs = [(parent, above), (last, name)] if parent else [(last, name)]
        found = [_apart(plain(one), plain(other)) for one, other in pairs]
        if None not in found and plain(last) not in ABSENT:
            apart[each] = sum(filter(None, found)) + bool(above and not parent)
    return _of_a_trial([each for each, n in apart.items() if n == min(apart.values())])
