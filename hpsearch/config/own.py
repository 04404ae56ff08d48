"""A user's own function in a configuration: its arguments under ``args``, and what it reads of the rest: nothing.

A function that asks for ``config`` reads all of it. What is not read is no part of a trial or of its study, and no word
may set it.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from hpsearch.base import platform
from hpsearch.base.commands import is_outside, is_program, shown_path
from hpsearch.base.conditions import WHERE, split_name
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.keys import ARGS, OF_OWN_CODE
from hpsearch.base.plain import ABSENT, get, interpolation_words, list_of
from hpsearch.config.build import own_loop, takes_all
from hpsearch.config.objective import trial_argument
from hpsearch.config.words import COMMAND_LINE, Word, word_for

OFFERED = ("seed", "fold", "folder", "config")
"""What a function is given where it has an argument of that name."""
FOLDS = "data.folds"
"""Read by the search, for a function that asks for its fold."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a trial reads of its configuration.

    Attributes:
        function: the dotted path of a user's own function, or what else reads a part alone; None: all is read.
        arguments: the keys of the arguments that it takes.
        folds: whether it is told its fold.
        unread: groups that nothing reads although the configuration has them.
    """

    function: str | None = None
    arguments: tuple[str, ...] = ()
    folds: bool = False
    unread: frozenset[str] = frozenset()

    def reads(self, key: str) -> bool:
        """Return whether a trial, or the search around it, reads a group or a dotted key."""
        root = key.partition("@")[0].partition(".")[0]
        return self.function is None or root in OF_OWN_CODE or (self.folds and key == FOLDS)

    def _check_unread(self, words: Iterable[Word], sources: Mapping[str, str]) -> None:
        given = [(word.text, word.key, COMMAND_LINE, ConfigError) for word in words]
        searched = [(f"space {name}", split_name(name)[0], source, SpaceError) for name, source in sources.items()]
        for said, key, source, error in (*given, *searched):
            if key.partition(".")[0] in self.unread:
                raise error(
                    f"{said}: only a function of your own has arguments, and hpsearch's own loop trains here; name the "
                    f"function (trainer=..., or trainer._target_=...), or a key that the loop reads (from {source})"
                )

    def part(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of a configuration that is read."""
        kept = {name: value for name, value in config.items() if self.reads(name)}
        if self.folds and (folds := get(config, FOLDS)) is not ABSENT:
            kept["data"] = {"folds": folds}
        return kept

    def check(self, words: Iterable[Word], sources: Mapping[str, str]) -> None:
        """Refuse what is set or searched and not read.

        Args:
            words: of the command line.
            sources: where the expression of each name of the space stands.

        Raises:
            ConfigError: a word sets what is not read.
            SpaceError: a key of the space is not read.
        """
        self._check_unread(words, sources)
        function = shown_path(str(self.function))
        takes = f"it takes {', '.join(self.arguments)}" if self.arguments else "it takes no arguments"
        for word in words:
            if not self.reads(word.key):
                said = f"{word.text}: {function} does not read it; {takes} (from {COMMAND_LINE})"
                raise ConfigError(said)
        for name, source in sources.items():
            key = split_name(name)[0]
            if key != WHERE and not self.reads(key):
                hint = f", write space.{ARGS}.{key}" if f"{ARGS}.{key}" in self.arguments else ""
                out = "" if source == COMMAND_LINE else f"; ~space.{name} takes it out"
                raise SpaceError(f"space {name}: {function} does not read it; {takes}{hint}{out} (from {source})")


def reading_of(raw: Mapping[str, Any], config: Mapping[str, Any]) -> Reading:
    """Return what a trial reads of its configuration.

    Args:
        raw: with interpolations.
        config: the same, resolved.

    Returns:
        All of it for a trainer of ours and for a function that asks for it, or takes arguments from it by
        interpolation; all of it too where the function cannot be imported, which its check says before it trains. Of
        what is trained outside, the arguments alone.
    """
    target = config["trainer"].get("_target_")
    borrowed = interpolation_words({name: raw[name] for name in (ARGS, "objective")})
    if is_outside(config) and not borrowed & (raw.keys() - OF_OWN_CODE):
        return Reading("what is trained outside", (f"{ARGS}.*",))
    if is_program(config) and not borrowed & (raw.keys() - OF_OWN_CODE):
        return Reading("a program", (f"{ARGS}.*",), "{fold}" in str(config["trainer"].get("command")))
    if is_program(config):
        return Reading()
    if str(target).startswith("hpsearch."):
        others = interpolation_words({name: value for name, value in raw.items() if name != ARGS})
        return Reading(unread=frozenset({ARGS} - others))
    if borrowed & (raw.keys() - OF_OWN_CODE):
        return Reading()
    try:
        function = own_loop(config["trainer"], config["plugins"])
    except ConfigError:
        return Reading()
    if function is None:
        return Reading()
    asked = platform.parameters(function)
    is_mapping = takes_all(asked, config[ARGS])
    if "config" in asked and not is_mapping:
        return Reading()
    suggests = trial_argument(function, config[ARGS]) is not None
    takes_any = is_mapping or suggests or any(each.kind is each.VAR_KEYWORD for each in asked.values())
    named = ["*"] if takes_any else [name for name in asked if name not in OFFERED]
    return Reading(target, tuple(f"{ARGS}.{name}" for name in named), "fold" in asked)


def keys_read(keys: Set[str], raw: Mapping[str, Any]) -> set[str]:
    """Return the keys that a trial reads, the arguments of a user's own function among them.

    Args:
        keys: dotted, of the configuration.
        raw: with interpolations.
    """
    reading = reading_of(raw, raw)
    return {key for key in keys if reading.reads(key)} | set(reading.arguments)


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
    of_program = is_program(raw)
    for name, source in sources.items():
        key = split_name(name)[0]
        root, _, argument = key.partition(".")
        if root != ARGS or get(raw, list_of(key)) is not ABSENT:
            continue
        argument, is_element, place = argument.removesuffix("]").partition("[")
        spelt = argument.replace("-", "_").replace(".", "_") if of_program else argument
        if not (spelt.isidentifier() and place.isdigit() == bool(is_element)):
            raise SpaceError(f"space {name}: {key!r} cannot be the name of an argument (from {source})")
        elements[argument] = max(elements.get(argument, 0), int(place) + 1 if is_element else 0)
    return tuple(word_for(f"{ARGS}.{key}", [None] * n if n else None, adds=True) for key, n in elements.items())
