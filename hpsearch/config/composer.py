"""Composes words: overrides in, an unresolved plain dict and the chosen options out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from hpsearch.base.environment import MARK
from hpsearch.base.errors import ConfigError, nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS, SEARCH_KEYS
from hpsearch.base.plain import ABSENT, changes, copied, flatten, get, interpolation_words, list_of, put, remove
from hpsearch.config.environment import resolve
from hpsearch.config.groups import CONF, describe_groups, option_file, shown
from hpsearch.config.hydra_run import hydra_run
from hpsearch.config.limits import check, check_value
from hpsearch.config.messages import Choice, all_keys, hydra_error, no_such_key, no_such_option
from hpsearch.config.own import keys_read
from hpsearch.config.parts import PARTS, Option, with_parts
from hpsearch.config.root import DEEPEST, check_root
from hpsearch.config.words import COMMAND_LINE, Word, covers, word_for

_FAILURES = (HydraException, OmegaConfBaseException, YAMLError, OSError, ValueError)

_PACKAGED = {"stage": "stages"}


def packaged(group: str) -> str:
    """Return the root key that holds the options of a group, where several combine."""
    return _PACKAGED.get(group, group)


def group_of(root: str) -> str:
    """Return the group whose options a root key holds."""
    return next((group for group, held in _PACKAGED.items() if held == root), root)


_REFERENCE = re.compile(r"\$\{([\w.-]+)\}")


def trial_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that describes a trial."""
    return {name: value for name, value in config.items() if name not in SEARCH_KEYS}


@dataclass(frozen=True)
class Composed:
    """One composition.

    Attributes:
        raw: plain nested dicts, interpolations unresolved.
        choices: the chosen option or options of every group, None for a removed one.
        schedule: finds what an option of ``scheduler`` holds.
    """

    raw: dict[str, Any]
    choices: dict[str, Choice]
    schedule: Option = field(repr=False, compare=False)

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The configuration with every interpolation resolved and the parts of its schedule written out."""
        return resolve(with_parts(self.raw, self.schedule))

    @cached_property
    def _mentioned(self) -> frozenset[str]:
        return interpolation_words(self.raw)

    def filled(self, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return copies of the raw and the resolved configuration with other values at existing dotted keys."""
        raw = copied(self.raw)
        for key, value in values.items():
            if "${" in repr(value):  # it may come from a journal, and would be looked up
                raise ConfigError(f"{key} = {value_text(value)}: an interpolation is no value of a point")
            put(raw, key, copied(value))
        moved = any(part in self._mentioned for key in values for part in list_of(key).split("."))
        if moved or any(list_of(key) == PARTS for key in values):
            return raw, resolve(with_parts(raw, self.schedule))
        resolved = copied(self.resolved)
        for key, value in values.items():
            put(resolved, key, copied(value))
        return raw, resolved

    def with_arguments(self, names: Iterable[str]) -> "Composed":
        """Return the same with room for arguments that it may lack, by dotted name."""
        raw = copied(self.raw)
        for name in names:
            *parents, last = name.split(".")
            held = raw[ARGS]
            for parent in parents:
                held = held.setdefault(parent, {})
            held.setdefault(last, None)
        return Composed(raw, self.choices, self.schedule)

    def check_value(self, key: str, value: Any, source: str) -> None:
        """Check another value of a key.

        Args:
            key: its dotted key, or that of an element of a list.
            value: what it is to hold.
            source: where the value came from.

        Raises:
            ConfigError: for a value that is not allowed.
        """
        check_value(self.raw, key, value, source)
        if list_of(key) == PARTS:
            try:
                _, resolved = self.filled({key: value})
            except ConfigError as error:
                raise ConfigError(f"{error} (from {source})") from None
            check({"scheduler": resolved["scheduler"]}, lambda _: source)

    def pinned(self, raw: dict[str, Any] | None = None, resolved: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the trial's part, unresolved, but what it takes from the rest of the configuration filled in.

        Variables of the environment stay words: they may be secrets, and printed commands are not.

        Args:
            raw: a filled-in copy of `raw`; None for `raw` itself.
            resolved: the same, resolved.
        """
        raw, resolved = raw or self.raw, resolved or self.resolved
        trial = trial_part(raw)
        if self._borrowed:
            trial = copied(trial)
        for key in self._borrowed:
            put(trial, key, _filled_in(get(raw, key), raw, resolved, get(resolved, key)))
        return trial

    @cached_property
    def _borrowed(self) -> tuple[str, ...]:
        flat = flatten(trial_part(self.raw))
        return tuple(key for key, value in flat.items() if interpolation_words({key: value}) & SEARCH_KEYS)


def _filled_in(text: Any, raw: Mapping[str, Any], resolved: Mapping[str, Any], value: Any) -> Any:
    """Return a text with what it takes from the rest of a configuration in it; its value where no secret can be."""
    if not isinstance(text, str):
        return value

    def taken(match: re.Match[str]) -> str:
        key = match[1]
        if key.partition(".")[0] not in SEARCH_KEYS:
            return match[0]
        return str(_filled_in(get(raw, key), raw, resolved, get(resolved, key)))

    found = _REFERENCE.sub(taken, text)
    return found if MARK in found else value


@dataclass(frozen=True)
class Plain:
    """The chosen options without anything else set: the words that choose a trial's, and what all of them compose."""

    texts: tuple[str, ...]
    composed: Composed


@dataclass(frozen=True)
class Composer:
    """Composes words over our groups and a user's folders, each set of words once.

    Attributes:
        folders: the user's config folders, absolute.
    """

    folders: tuple[Path, ...]
    _cache: dict[tuple[str, ...], Composed] = field(default_factory=dict, repr=False, compare=False)
    _plain: dict[str, Plain] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Every group and its options."""
        return describe_groups(self.folders)

    @cached_property
    def defaults(self) -> dict[str, str]:
        """The option that the root configuration chooses for each group."""
        return _defaults(self._stamp)

    def compose(self, words: Sequence[Word]) -> Composed:
        """Compose overrides.

        Args:
            words: parsed overrides.

        Returns:
            The composition; whatever Hydra refuses is an error of one line.
        """
        for word in words:
            self._check_option(word)
        texts = tuple(word.text for word in words)
        if texts not in self._cache:
            try:
                self._cache[texts] = self._run(texts)
            except _FAILURES as error:
                raise self._explained(error, words) from None
            if any(word.key == "study" for word in words):
                self._cache[texts] = self._without_unchosen(self._cache.pop(texts), words)
        return self._cache[texts]

    def _without_unchosen(self, composed: Composed, words: Sequence[Word]) -> Composed:
        """Leave out what a study's file sets in an option in whose place a word chose another one; refuse the rest."""
        plain = self.plain(composed).composed.raw
        foreign = foreign_keys(plain, composed.raw, words)
        given = [word for word in words if word.key not in self.groups]
        chosen = {word.key for word in words if word.key in self.groups}
        for key in foreign:
            said = covers(given, key)
            if said or group_of(key.partition(".")[0]) not in chosen:
                study = next(option_file("study", word.value, self.folders) for word in words if word.key == "study")
                source = COMMAND_LINE if said or study is None else shown(study)
                raise no_such_key(key, all_keys(plain), self.groups, self.folders, source)
        return Composed(without_keys(composed.raw, plain, foreign), composed.choices, self._schedule)

    def _schedule(self, name: str) -> Mapping[str, Any]:
        """Return what an option of the group ``scheduler`` holds.

        Raises:
            ConfigError: there is none of that name.
        """
        if name not in (known := self.groups["scheduler"]):
            raise ConfigError(f"no such option of scheduler{nearest(name, known)} (known: {', '.join(known)})")
        word = word_for("scheduler", name, "scheduler" not in self.defaults)
        held: Mapping[str, Any] = self.compose((word,)).raw["scheduler"]
        return held

    def plain(self, composed: Composed) -> Plain:
        """Return the options that a composition chose, composed without its study and its other words."""
        key = repr(composed.choices)
        if key not in self._plain:
            choosing = {group: word for group, word in self._choosing(composed.choices) if group != "study"}
            texts = tuple(word.text for group, word in choosing.items() if group not in SEARCH_KEYS)
            self._plain[key] = Plain(texts, self.compose(tuple(choosing.values())))
        return self._plain[key]

    def _choosing(self, choices: dict[str, Choice]) -> Iterator[tuple[str, Word]]:
        for group, option in choices.items():
            if option is not None and self.defaults.get(group) != option:
                yield group, word_for(group, option, group not in self.defaults)

    @cached_property
    def _stamp(self) -> tuple[tuple[str, int], ...]:
        """What changes when somebody edits an option."""
        files = (file for folder in (CONF, *self.folders) for file in folder.rglob("*.yaml"))
        return tuple((str(file), file.stat().st_mtime_ns) for file in files)

    def _run(self, texts: tuple[str, ...]) -> Composed:
        try:
            raw, chosen = hydra_run(self.folders, texts, self._stamp)
        except RecursionError:
            raise ConfigError(f"the configuration is nested more than {DEEPEST} levels deep") from None
        except AssertionError:
            raise ConfigError("an entry under `defaults` names no group (from a file of the configuration)") from None
        check_root(raw, texts)
        choices = dict(chosen)
        for group in self.defaults:
            if group not in choices:
                choices[group] = self._several(group, raw)
        return Composed(raw, choices, self._schedule)

    def _several(self, group: str, raw: dict[str, Any]) -> Choice:
        """Return the options of a group that was given a list: each is packaged under its own name.

        What a study's file sets in an option that was not chosen is there too, but builds nothing.

        Raises:
            ConfigError: one of them is no table.
        """
        held: Mapping[str, Any] = raw.get(packaged(group)) or {}
        known = self.groups.get(group, ())
        for name, options in held.items():
            if not isinstance(options, Mapping | str):
                raise ConfigError(
                    f"{group}.{name} = {options!r}: must be a table with a _target_, or left out of {group}"
                )
        return [name for name, options in held.items() if name in known and "_target_" in options] or None

    def _check_option(self, word: Word) -> None:
        group = word.key.partition("@")[0]
        options = self.groups.get(group)
        if options is None:
            return
        if word.deletes:
            if group in self.defaults:
                hint = f": choose {group}=none" if "none" in options else ""
                raise ConfigError(f"~{group}: it cannot be left out{hint} (from {COMMAND_LINE})")
            return
        several = isinstance(word.value, list)
        for option in word.value if several else [word.value]:
            file = option_file(group, option, self.folders) if isinstance(option, str) else None
            if file is None:
                raise no_such_option(group, option, self.groups, self.folders, COMMAND_LINE)
            if several and f"@package {packaged(group)}.{option}" not in file.read_text(encoding="utf-8"):
                raise ConfigError(f"{word.text}: {option} does not combine with others (from {COMMAND_LINE})")
        if word.value == []:
            raise ConfigError(f"{word.text}: name at least one option ({', '.join(options)}; from {COMMAND_LINE})")

    def _explained(self, error: Exception, words: Sequence[Word]) -> ConfigError:
        known, near = self._keys(words)
        for word in words:
            if word.key in self.groups or word.key.partition("@")[0] in self.groups:
                continue
            if known and word.key not in known and not word.adds:
                return no_such_key(word.key, near | self.groups.keys(), self.groups, self.folders, COMMAND_LINE)
            if word.text.startswith("+") and not word.text.startswith("++") and word.key in known:
                return ConfigError(
                    f"{word.text}: the key is there already, write {word.text[1:]} (from {COMMAND_LINE})"
                )
        for word in words:
            if str(error) == f"Error merging override {word.text}":
                kind = "list" if isinstance(word.value, Mapping) else "table"
                return ConfigError(f"{word.key} = {value_text(word.value)}: must be a {kind} (from {COMMAND_LINE})")
        if "Multiple values for " in str(error):
            group = str(error).partition("Multiple values for ")[2].partition(".")[0]
            return ConfigError(f"{group} is given twice: write {group}=OPTION without + (from {COMMAND_LINE})")
        return hydra_error(error, self.folders)

    def _keys(self, words: Sequence[Word]) -> tuple[set[str], set[str]]:
        """Return every dotted key of the configuration that the group words alone compose, and those that are read."""
        texts = tuple(word.text for word in words if word.key.partition("@")[0] in self.groups)
        try:
            known = all_keys(self._run(texts).raw)
            named = tuple(word.text for word in words if word.key in ("plugins", "trainer._target_"))
            return known, keys_read(known, self._run((*texts, *named)).raw)
        except _FAILURES:
            return set(), set()


@lru_cache(maxsize=8)
def _defaults(stamp: tuple[tuple[str, int], ...]) -> dict[str, str]:  # noqa: ARG001
    listed = OmegaConf.to_container(OmegaConf.load(CONF / "config.yaml"))
    assert isinstance(listed, dict)
    return {k: v for entry in listed["defaults"] if isinstance(entry, dict) for k, v in entry.items()}


def foreign_keys(plain: Mapping[str, Any], raw: Mapping[str, Any], words: Sequence[Word]) -> list[str]:
    """Return the keys that a study sets and that none of the chosen options has, arguments of a function apart.

    Args:
        plain: what the chosen options alone compose.
        raw: what they compose with the study and the other words.
        words: all of these; a key that one of them adds (``+``) is not among those returned.
    """
    rest = {name: value for name, value in raw.items() if name not in ("study", "space", "nuisance", ARGS)}
    new = [change.key for change in changes(plain, rest) if change.old is ABSENT]
    return [key for key in new if not any(word.adds and _touches(word.key, key) for word in words)]


def without_keys(raw: dict[str, Any], plain: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return a copy without some keys, and without what they leave empty.

    Args:
        raw: nested dicts.
        plain: what it has of these stays, empty or not.
        keys: dotted keys that are there.
    """
    kept: dict[str, Any] = copied(raw)
    for key in keys:
        remove(kept, key)
        _drop_empty(kept, plain, key)
    return kept


def _drop_empty(raw: dict[str, Any], plain: Mapping[str, Any], key: str) -> None:
    """Take out what a removed key leaves empty, up to what the options have themselves."""
    above = key.rpartition(".")[0]
    if above and get(raw, above) == {} and get(plain, above) is ABSENT:
        remove(raw, above)
        _drop_empty(raw, plain, above)


def _touches(key: str, other: str) -> bool:
    """Return whether one dotted key is the other, or above or below it."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")
