"""The command line that somebody may have meant by one that is refused."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from hpsearch.base.commands import FOLDERS
from hpsearch.base.errors import Correction, HpsearchError
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups
from hpsearch.config.suggestions import for_word
from hpsearch.config.words import DASHES

_WITH_VALUE = ("--cfg", *FOLDERS)
_OWN = ("-h", "--help", "--version", "-m", "--multirun", *_WITH_VALUE)
"""Flags of ours that a command line without a command may hold."""
_TIMES = 12
"""Words that are corrected at most."""
_BEFORE = r"(?:(?<![\w.])|(?<=\bspace\.)|(?<=\bnuisance\.))"
"""A key begins here: no part of a longer one."""


def corrected(
    arguments: Sequence[str], error: HpsearchError | None, refusal: Callable[[Sequence[str]], HpsearchError | None]
) -> list[str] | None:
    """Correct the words of a command line one by one until nothing is wrong with it.

    Args:
        arguments: the words that were refused.
        error: why; None where they are not.
        refusal: what refuses other words, None for those that are accepted.

    Returns:
        Words that are accepted; None where what is wrong has no correction, or more than one.
    """
    words: list[str] | None = list(arguments)
    refused = error
    for _ in range(_TIMES):
        if words is None or refused is None:
            return words
        words = replaced(words, refused.correction) if refused.correction else None
        refused = refusal(words) if words else None
    return None


def replaced(words: Sequence[str], correction: Correction) -> list[str] | None:
    """Return words with what one of them says replaced by what it means; None where none says it."""
    old, where = (re.compile(rf"{_BEFORE}{re.escape(each)}(?![\w.])") for each in (correction.old, correction.where))
    for place, word in enumerate(words):
        if where.search(word) and old.search(word):
            start = 0 if correction.old == correction.where else where.search(word).end()  # type: ignore[union-attr]
            mended = word[:start] + old.sub(lambda _: correction.new, word[start:], count=1)
            return [*words[:place], mended, *words[place + 1 :]] if mended != word else None
    return None


_DASHES = "".join(DASHES)
_FLAG = re.compile(rf"(?P<dashes>[{_DASHES}]+)(?P<name>[^\W\d][\w.-]*)(?P<rest>=.*|)", re.DOTALL)
_BARE = re.compile(r"(?P<name>[^\W\d][\w.]*)")
_NO_VALUE = re.compile(rf"[{_DASHES}+~](?![\d.])|[^\s\[(]*=")
"""Begins a word that is no value of the word before it."""


def as_overrides(arguments: Sequence[str]) -> list[str]:
    """Return words with overrides in place of flags that are none of ours, and of a key and its value in two words.

    Args:
        arguments: words with such as ``--lr 0.1``, ``-lr=0.1`` or ``lr 0.1``.

    Returns:
        The words; none where there is nothing to change, or a key has no value.
    """
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        flag = _FLAG.fullmatch(word)
        named = flag or _BARE.fullmatch(word)
        if named is None or word.partition("=")[0] in _OWN:
            words += [word, *(rest[:1] if word in _WITH_VALUE else [])]
            rest = rest[word in _WITH_VALUE :]
            continue
        name = named["name"].replace("-", "_")
        if flag and flag["rest"]:
            words.append(f"{name}{flag['rest']}")
        elif rest and not _NO_VALUE.match(rest[0]):
            words.append(f"{name}={rest.pop(0)}")
        else:
            return []
    return words if words != list(arguments) else []


def refusal_of(words: Sequence[str], config_dirs: Sequence[str | Path]) -> HpsearchError | None:
    """Return why words of a command line are refused before anything is made of them; None where they are not.

    Args:
        words: overrides and words of the search space.
        config_dirs: folders with configuration of your own.
    """
    try:
        composition = compose(words, config_dirs)
        if composition.space:
            from hpsearch.search.space import Space  # loads optuna

            composition.check_space(Space.parse(composition.space, composition.where).ends())
    except HpsearchError as error:
        return error
    return None


def hint_at_option(word: str, config_dirs: Sequence[str | Path]) -> str:
    """Return a hint at the option, key or study that a word without ``=`` may mean.

    Args:
        word: such as ``adam``.
        config_dirs: folders with configuration of your own.
    """
    return for_word(word, describe_groups(config_dirs))
