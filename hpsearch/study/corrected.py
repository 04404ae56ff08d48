"""The command line that somebody may have meant by one that is refused."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from hpsearch.base.errors import Correction, HpsearchError
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups
from hpsearch.config.suggestions import for_word

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


def without_flags(arguments: Sequence[str], error: HpsearchError) -> list[str]:
    """Return words with overrides in place of options that are none of ours.

    Args:
        arguments: words with such as ``--lr 0.1`` or ``--lr=0.1``.
        error: that refuses them.

    Returns:
        The words; none where the error is another one, or an option has no value.
    """
    unknown = re.match(r"unrecognized arguments: (.*); see ", str(error))
    words, found = list(arguments), False
    for flag in unknown[1].split(" ") if unknown else ():
        name, is_given, value = flag.removeprefix("--").partition("=")
        if not flag.startswith("--") or flag not in words:
            continue
        place = words.index(flag)
        if not is_given and (place + 1 == len(words) or re.match("-|.*=", words[place + 1])):
            continue
        value = value if is_given else words.pop(place + 1)
        words[place], found = f"{name.replace('-', '_')}={value}", True
    return words if found else []


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
