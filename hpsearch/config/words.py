"""The words of a command line: what goes to Hydra, what describes the search space, and what they name a study."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, OverrideType, QuotedString
from hydra.errors import HydraException

from hpsearch.base.conditions import closing, is_conditional, normal_name, parts_outside
from hpsearch.base.errors import ConfigError, SpaceError, nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS, SINGLE, UNNAMED
from hpsearch.base.labels import folder_name
from hpsearch.base.override_parser import Parser, UnreadableError
from hpsearch.base.plain import flatten
from hpsearch.config.suggestions import STUDY_KEYS

CONFIRM = 3
"""Fresh seeds over which a search over one seed trains its best points at the end, where nothing else is said."""
OF_EVERY_OPTION = frozenset({"sampler.first", "sampler.prior", "objective.limits", "objective.margin", "extend.limits"})
"""Keys that every option of a group takes, those whose file does not name them too, and tables that begin empty."""
BLOCKS = ("space", "nuisance")
"""The tables of expressions: what is searched or compared, and what an ablation retunes."""
COMMAND_LINE = "the command line"

_SPACE_WORD = re.compile(r"\+{0,2}(space|nuisance)(?=[.\[=])|~(space|nuisance)(?=[.\[]|$)")
_SPACE_KEY = re.compile(r"\.(?P<key>[^=\[\]]+(?:\[\d+\][^=\[\]]*)*)", re.DOTALL)
_NOT_IN_NAME = re.compile(
    rf"({'|'.join(sorted(UNNAMED))})\b|study\.(restart|name|question|grow|code|confirm)\b|objective\.margin\b"
)
_FREE_TEXT = re.compile(r"\+{0,2}study\.question=(?P<text>[^'\"].*)", re.DOTALL)
DASHES = ("-", *"\u2010\u2011\u2012\u2013\u2014\u2015\u2212")
"""What is typed, or pasted, in front of a flag: hyphens, dashes and a minus."""
_FOREIGN = r"[^\W\x00-\x7f]"
"""A letter that Hydra's grammar has not."""
_FOREIGN_KEY = re.compile(rf"(?P<sign>[+~]*)(?P<key>[\w.]*{_FOREIGN}[\w.]*)(?P<rest>=.*|)", re.DOTALL)
_FOREIGN_VALUE = re.compile(rf"(?P<key>[+]*[^=]+)=(?P<value>(?=.*{_FOREIGN})[\w./\\:-]+)")
_NAME_LENGTH = 80
_LOST_IN_NAME = re.compile(r"[<>!%*]|[^\x00-\x7f]")
"""What two words may differ in alone, and a name cannot hold."""


@dataclass(frozen=True, slots=True)
class Word:
    """One override, parsed.

    Attributes:
        text: as given.
        key: group or dotted key.
        value: the plain value.
        adds: whether it may add a key (``+`` or ``++``).
        deletes: whether it removes the key (``~``).
    """

    text: str
    key: str
    value: Any
    adds: bool
    deletes: bool


@dataclass(frozen=True, slots=True)
class Block:
    """The words of a block of expressions, ``space`` or ``nuisance``.

    Attributes:
        given: expressions by flat name.
        removed: flat names taken out of the study's block; the empty name stands for all.
    """

    given: Mapping[str, str]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """A command line, sorted.

    Attributes:
        hydra: the overrides that Hydra composes, `study` apart.
        study: the option that ``+study=`` names.
        blocks: what is said of the search space and of the nuisance hyperparameters, by the name of the block.
        given: the words of the study's name, in order.
    """

    hydra: tuple[Word, ...]
    study: str | None
    blocks: Mapping[str, Block]
    given: tuple[str, ...]


def sort_words(words: Sequence[str]) -> Words:
    """Sort the words of a command line.

    Args:
        words: overrides as given.

    Returns:
        The sorted words.

    Raises:
        ConfigError: for a word that is no override, or one that Hydra alone would understand.
        SpaceError: for a word of the space that names no hyperparameter, or one given twice.
    """
    hydra: list[Word] = []
    studies: list[str] = []
    given: dict[str, dict[str, str]] = {block: {} for block in BLOCKS}
    removed: dict[str, list[str]] = {block: [] for block in BLOCKS}
    for text in words:
        if not _SPACE_WORD.match(text):
            word = parse_word(text)
            if word.key == "study" and not word.deletes:
                studies.append(_study_option(word))
            else:
                hydra.append(word)
        elif text.startswith("~"):
            block, name, _ = _space_word(text)
            removed[block].append(name)
        else:
            block, name, expression = _space_word(text)
            if not expression or not name or name.endswith("/"):
                raise SpaceError(f"{text}: write {block}.KEY=EXPRESSION (from {COMMAND_LINE})")
            if name in given[block]:
                raise SpaceError(f"{block} {name} is given twice (from {COMMAND_LINE})")
            given[block][name] = expression
    if len(studies) > 1:
        raise ConfigError(f"study = {', '.join(studies)}: one study at a time (from {COMMAND_LINE})")
    blocks = {block: Block(given[block], tuple(removed[block])) for block in BLOCKS}
    return Words(tuple(hydra), next(iter(studies), None), blocks, tuple(words))


def _study_option(word: Word) -> str:
    if not isinstance(word.value, str) or not word.value:
        raise ConfigError(f"{word.text}: must name one study (from {COMMAND_LINE})")
    return word.value


def keys_of(text: str) -> list[str]:
    """Return the keys that a word of a command line sets.

    Args:
        text: an override, or a word of the search space.

    Returns:
        Dotted keys, those of a table one by one, or the group; of a word of the space the name of its block.
    """
    if match := _SPACE_WORD.match(text):
        return [match[1] or match[2]]
    word = parse_word(text)
    return [*flatten({word.key: word.value})] if isinstance(word.value, dict) else [word.key]


def _space_word(text: str) -> tuple[str, str, str | None]:
    """Return the block, the flat name in its normal form and the expression of a word of the space."""
    bare = text.lstrip("+~")
    block = "nuisance" if bare.startswith("nuisance") else "space"
    conditions, rest = _conditions(bare[len(block) :])
    named = _SPACE_KEY.match(rest)
    key, rest = (named["key"], rest[named.end() :]) if named else ("", rest)
    if (rest and not rest.startswith("=")) or not all(map(is_conditional, conditions)):
        raise SpaceError(f"{text}: write {block}.KEY=... or {block}[GROUP=OPTION].KEY=... (from {COMMAND_LINE})")
    try:
        name = normal_name("/".join([*conditions, key or "KEY"]))
    except SpaceError as error:
        raise SpaceError(f"{text}: {error} (from {COMMAND_LINE})") from None
    return block, name if key else name.removesuffix("KEY"), rest[1:] if rest else None


def _conditions(text: str) -> tuple[list[str], str]:
    """Return what stands in the brackets at the beginning of a text, and the rest of it."""
    conditions: list[str] = []
    while text.startswith("[") and (end := closing(text, 0)) > 0:
        conditions += parts_outside(text[1:end], ",")
        text = text[end + 1 :]
    return conditions, text


@cache
def parser() -> Parser:
    """Return a parser of overrides, always the same."""
    return Parser()


def parse_word(text: str) -> Word:
    """Parse one override; a question is plain text, commas and all.

    A key in letters of another script is no key of ours, whose error says what it means. A value in such letters needs
    no quotes, which Hydra would ask for.

    Args:
        text: such as ``optimizer.lr=0.1``, ``+init=he`` or ``~scheduler``.

    Returns:
        The override.

    Raises:
        ConfigError: for a word that is no override, a search expression, or a setting of Hydra's own.
    """
    if (free := _FREE_TEXT.fullmatch(text)) and free["text"] != "null":
        return Word(text, "study.question", free["text"], adds=True, deletes=False)
    if foreign := _FOREIGN_KEY.fullmatch(text):
        if not foreign["rest"] and "~" not in foreign["sign"]:
            raise ConfigError(f"{text}: an override is written KEY=VALUE (from {COMMAND_LINE})")
        like = parse_word(f"{foreign['sign']}key{foreign['rest']}")
        return replace(like, text=text, key=foreign["key"], adds=False)
    if foreign := _FOREIGN_VALUE.fullmatch(text):
        text = f"{foreign['key']}={value_text(foreign['value'])}"
    try:
        override = parser().parse_override(text)
    except HydraException as error:
        raise ConfigError(_grammar_message(text, error)) from None
    key = override.key_or_group
    if not key:
        raise ConfigError(f"{text}: an override is written KEY=VALUE (from {COMMAND_LINE})")
    if override.package:
        key = f"{key}@{override.package}"
    if key == "hydra" or key.startswith(("hydra.", "hydra/")):
        raise ConfigError(f"{text}: Hydra's own settings are not used; --config-dir adds a folder of options")
    if override.is_sweep_override():
        raise ConfigError(_sweep_message(text, key))
    return Word(text, key, _plain_value(override), override.is_add() or override.is_force_add(), override.is_delete())


@lru_cache(maxsize=1024)
def key_of(word: str) -> str:
    """Return the key of an override, of which those of a study are asked for with every trial."""
    return parse_word(word).key


def is_sweep(text: str) -> bool:
    """Return whether a word is an override whose value is a search expression; False for what is no override."""
    try:
        return not _SPACE_WORD.match(text) and bool(parser().parse_override(text).is_sweep_override())
    except HydraException:
        return False


def _plain_value(override: Override) -> Any:
    return None if override.type is OverrideType.DEL and override.value_type is None else override.value()


def _sweep_message(text: str, key: str) -> str:
    expression = text.partition("=")[2]
    expression = expression if "(" in expression else f"choice({expression})"
    return f"{text} is a search expression; to search, write 'space.{key.lstrip('+')}={expression}'"


def _grammar_message(text: str, error: HydraException) -> str:
    if text.startswith(DASHES):
        return f"{text}: no such option, and no override; see --help"
    if "=" not in text:
        return f"{text}: an override is written KEY=VALUE (from {COMMAND_LINE})"
    if isinstance(error, UnreadableError):
        return f"{text}: {error} (from {COMMAND_LINE})"
    lines = [line for line in str(error).splitlines() if "Error parsing" not in line and "https" not in line]
    return f"{text}: {_mildly(' '.join(lines))} (from {COMMAND_LINE})"


def _mildly(reason: str) -> str:
    """Leave out the list of tokens that the parser would have taken."""
    return reason.partition(" expecting ")[0] + "; quote a value with special characters: KEY='\"VALUE\"'"


def hydra_word(word: Word) -> Word:
    """Return the word as Hydra is given it: ``study.`` keys may be missing in a study's file, others in an option's.

    Arguments of a user's own function are in no file of ours.

    Args:
        word: an override.

    Returns:
        The override for Hydra.

    Raises:
        ConfigError: for a key that a study does not have.
    """
    if (word.key in OF_EVERY_OPTION or word.key.partition(".")[0] == ARGS) and not word.deletes:
        return replace(word, text=f"++{word.text.lstrip('+')}", adds=True)
    if not word.key.startswith("study.") or word.deletes:
        return word
    name = word.key.partition(".")[2]
    if name not in STUDY_KEYS:
        hint = nearest(name, STUDY_KEYS)
        raise ConfigError(f"study.{name}: no such key{hint} (known: {', '.join(STUDY_KEYS)}; from {COMMAND_LINE})")
    return replace(word, text=f"++study.{name}={value_text(word.value)}", adds=True)


def study_name(words: Words, searched: bool) -> str:
    """Return the name that these words give a study: the same command is the same study.

    Args:
        words: a sorted command line.
        searched: whether there is anything to search.

    Returns:
        The study option and a readable suffix; where and how much to run is not part of it.
    """
    if words.study is None and not searched:
        return SINGLE
    parts = [re.sub("^~", "no-", text.lstrip("+")) for text in words.given if not _hidden(text)]
    typed = [words.study or "search", *dict.fromkeys(parts)]
    text = "__".join(typed)
    whole = len(text) <= _NAME_LENGTH and not _LOST_IN_NAME.search(text)
    return folder_name(typed, _NAME_LENGTH, "" if whole else hashlib.sha256(text.encode()).hexdigest()[:6])


def _hidden(text: str) -> bool:
    bare = text.lstrip("+~")
    return bare.startswith("study=") or bool(_NOT_IN_NAME.match(bare))


def covers(words: Iterable[Word], key: str) -> bool:
    """Return whether one of the overrides sets a dotted key, or something above it."""
    return any(not word.deletes and f"{key}.".startswith((f"{word.key}.", f"{word.key}[")) for word in words)


def choice_options(expression: str) -> list[Any] | None:
    """Return what a choice lists, None for another expression."""
    try:
        sweep = parser().parse_override(f"key={expression}").value()
    except HydraException:
        return None
    if not isinstance(sweep, ChoiceSweep):
        return None
    return [_unquoted(item) for item in sweep.list]


def _unquoted(item: Any) -> Any:
    if isinstance(item, list):
        return [_unquoted(each) for each in item]
    return item.text if isinstance(item, QuotedString) else item


def word_for(key: str, value: Any, adds: bool = False) -> Word:
    """Return the override that sets a key."""
    return Word(f"{'+' if adds else ''}{key}={value_text(value)}", key, value, adds, False)
