"""Hydra overrides in, one plain configuration out; and the same again, cheaply, for every point of a search."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from hpsearch.base.commands import command, from_python, is_outside, local_function, own_words
from hpsearch.base.conditions import Condition, space_word, split_name
from hpsearch.base.environment import TAKEN, as_recorded
from hpsearch.base.errors import ConfigError, SpaceError, nearest
from hpsearch.base.grammar import value_text, without_restart
from hpsearch.base.keys import ARGS, CONTINUED, MARGIN, SINGLE, is_single
from hpsearch.base.plain import ABSENT, changes, copied, diff, flatten, get, list_of, put, stable_hash
from hpsearch.config import limits
from hpsearch.config.composer import Composed, Composer, trial_part
from hpsearch.config.environment import check_passwords, taken
from hpsearch.config.groups import checked_folders, describe_groups, import_folders, option_file, read_plugins, shown
from hpsearch.config.messages import Choice, all_keys, no_such_option, source_file
from hpsearch.config.own import Reading, reading_of, room_for
from hpsearch.config.suggestions import STUDY_KEYS, for_key
from hpsearch.config.table import searched
from hpsearch.config.words import (
    BLOCKS,
    COMMAND_LINE,
    CONFIRM,
    Block,
    Word,
    Words,
    covers,
    hydra_word,
    key_of,
    keys_of,
    parse_word,
    sort_words,
    study_name,
    word_for,
)

__all__ = ["Composition", "TrialConfig", "compose", "describe_groups", "diff", "flatten", "trial_key"]

PATHS = frozenset({"data.root"})
_KEPT = frozenset({"trainer.keep_end_mib", "trainer.keep_predictions"})
"""Keys that say where things lie on this machine; two trials that differ in nothing else are the same trial."""

_OF_RECIPE = ("study", "stage", "stages")
"""Root keys that say what a recipe is, and nothing of the search of a stage."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")


@dataclass(frozen=True, slots=True)
class TrialConfig:
    """The configuration of one trial.

    Attributes:
        config: resolved plain containers; what only concerns the search or where it runs is left out.
        overrides: the shortest list of Hydra overrides that composes `config`.
        key: hash of `config` without its paths.
    """

    config: dict[str, Any]
    overrides: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a composition was made from: overrides for Hydra, the study's file, where each searched name stands."""

    composer: Composer
    words: tuple[Word, ...]
    composed: Composed
    study_file: Path | None
    study_keys: frozenset[str]
    space_sources: Mapping[str, str]


@dataclass(frozen=True)
class Composition:
    """What the words of a command line compose.

    Attributes:
        config: the resolved configuration, `study` included and `space` not.
        space: the flat search space: name to expression, conditional names like ``model=lenet/model.kernel_size``.
        choices: the chosen option (or options) of every group.
        study_option: what ``+study=`` named.
        study_name: name of the study and its folder; ``single`` when there is nothing to search.
        fixed: searched keys that an ordinary override fixed, now out of the space.
        words: the overrides as given.
        config_dirs: the user's config folders, absolute.
    """

    config: dict[str, Any]
    space: dict[str, str]
    choices: dict[str, Choice]
    study_option: str | None
    study_name: str
    fixed: tuple[str, ...]
    words: tuple[str, ...]
    config_dirs: tuple[Path, ...]
    _origin: _Origin = field(repr=False, compare=False)

    @cached_property
    def folder_words(self) -> tuple[str, ...]:
        """The words of a command line that name the user's config folders, and those that hold the packages."""
        folders = [("--config-dir", folder) for folder in self.config_dirs]
        folders += [("--path", folder) for folder in import_folders(self.config["plugins"])]
        return tuple(word for option, folder in folders for word in (option, str(folder)))

    @property
    def command(self) -> str:
        """The command line that goes on with this, without the word that starts over; or the call of Python."""
        if (function := local_function(self.config)) is not None:
            return from_python(f"hpsearch.run_search({function}, ...), the same call again")
        asks = ("ask", self.study_name) if is_outside(self.config) else ()
        return command(*asks, *self.folder_words, *without_restart(self.words))

    def about(self, *words: str) -> str:
        """Return the command line of a subcommand, with what it needs to find the user's own things and their store."""
        found = [word for word in self.words if word.startswith(("tracker=", "tracker."))]
        store = [word for word in found if not word.startswith("tracker.wait=")]
        return command(*words, *self.folder_words, *own_words(self.words), *store)

    def where(self, key: str) -> str:
        """Return where the value of a dotted key (or a name of the space) came from, for messages."""
        origin = self._origin
        for name, source in origin.space_sources.items():
            if key in (name, split_name(name)[0]):
                return f"the search space {'on' if source == COMMAND_LINE else 'in'} {source}"
        if covers((word for word in origin.words if word.key not in origin.composer.groups), key):
            return COMMAND_LINE
        if key in origin.study_keys and origin.study_file:
            return shown(origin.study_file)
        return source_file(key, self.choices, self.config_dirs)

    def idle_word(self, is_used: Callable[[str], bool]) -> str | None:
        """Return the first word, as given, that sets a key of which nothing is made; None where there is none.

        Args:
            is_used: whether something is made of a dotted key, or of a group.
        """
        return next((text for text in self.words if not all(map(is_used, keys_of(text)))), None)

    def with_values(self, values: Mapping[str, Any]) -> "Composition":
        """Return the same with other values at existing dotted keys that are no part of a trial.

        A key that the configuration does not have is left out: a launcher need not know workers.
        """
        config = copied(self.config)
        for key, value in values.items():
            if get(config, key) is not ABSENT:
                put(config, key, value)
        return replace(self, config=config)

    def of_stage(self, overrides: Sequence[str], space: Mapping[str, str]) -> "Composition":
        """Compose the study of one stage of this recipe: the same words, and no stages.

        Args:
            overrides: more words, in place of those that set the same keys.
            space: expressions by flat name, in place of the recipe's; a nuisance hyperparameter that is not among them
                stays one.

        Returns:
            The composition, as of a command line of its own, which its words are.
        """
        given = [parse_word(text) for text in overrides]
        replaced = {word.key for word in given}
        kept = [
            word
            for word in sort_words(self.words).hydra
            if word.key not in replaced and word.key.partition(".")[0] not in _OF_RECIPE
        ]
        question = parse_word(f"study.question={self.config['study']['question'] or 'null'}")
        hydra = (question, word_for("stage", "none"), *kept, *given)
        nuisance = {name: str(text) for name, text in self.config["nuisance"].items() if name not in space}
        texts = [f"+study={self.study_option}", *(word.text for word in hydra), *(f"~{block}" for block in BLOCKS)]
        texts += [space_word(name, text) for name, text in space.items()]
        texts += [space_word(name, text, "nuisance") for name, text in nuisance.items()]
        blocks = {"space": Block(space, removed=("",)), "nuisance": Block(nuisance, removed=("",))}
        return _composition(Words(hydra, self.study_option, blocks, tuple(texts)), self._origin.composer)

    def trial(self, params: Mapping[str, Any], seed: int, fold: int = 0) -> TrialConfig:
        """Fill in one point of the space.

        Args:
            params: values and whole groups by dotted key, as `Space.active` returns them.
            seed: of this replicate.
            fold: of the cross-validation.

        Returns:
            The configuration of the trial, checked: a key that it does not have is an error of the space, a value that
            is not allowed one of the configuration.
        """
        composed = self._choosing({key: value for key, value in params.items() if key in self._origin.composer.groups})
        values = {key: value for key, value in params.items() if key not in self._origin.composer.groups}
        try:
            raw, resolved = composed.filled({**values, "seed": seed, "fold": fold})
        except KeyError as error:
            raise self._unknown(error.args[0], composed) from None
        reading = reading_of(raw, resolved)
        config = reading.part(trial_part(resolved))
        limits.check(config, self.where)
        plain, pinned = self._origin.composer.plain(composed), reading.part(composed.pinned(raw, resolved))
        moved = changes(reading.part(plain.composed.pinned()), pinned)
        chosen = (text for text in plain.texts if reading.reads(key_of(text)))
        overrides = (*chosen, *(change.override() for change in moved))
        config |= _from_environment(pinned)
        return TrialConfig(config, overrides, trial_key(config))

    def with_arguments(self, keys: Iterable[str]) -> "Composition":
        """Return the same with room for further arguments of a function.

        Args:
            keys: dotted keys, ``args.NAME``; those that are there stay as they are.
        """
        names = [key.removeprefix(f"{ARGS}.") for key in keys]
        composed = self._origin.composed.with_arguments(names)
        return replace(self, _origin=replace(self._origin, composed=composed))

    def _choosing(self, options: Mapping[str, Any]) -> Composed:
        origin = self._origin
        chosen = tuple(word_for(key, value, key not in origin.composed.choices) for key, value in options.items())
        return origin.composer.compose((*origin.words, *chosen)) if chosen else origin.composed

    def check_space(self, ends: Mapping[str, Sequence[Any]]) -> None:
        """Check a parsed space against the configuration: every key is there and every value allowed.

        Args:
            ends: by name of the space, the values between which all others lie, as `Space.ends` returns them.
        """
        groups = self._origin.composer.groups
        for name, values in ends.items():
            key, condition = split_name(name)
            if key in groups:
                self._check_options(key, name, values)
                continue
            for composed in self._branches(key, condition, ends):
                if get(composed.raw, key) is ABSENT:
                    raise self._unknown(name, composed)
                for value in values:
                    composed.check_value(key, value, self.where(name))

    def _check_options(self, group: str, name: str, values: Sequence[Any]) -> None:
        options = self._origin.composer.groups[group]
        for value in values:
            for option in value if isinstance(value, list) else [value]:
                if option not in options:
                    composer = self._origin.composer
                    raise no_such_option(group, option, composer.groups, composer.folders, self.where(name), SpaceError)

    def _branches(self, key: str, condition: Condition, ends: Mapping[str, Sequence[Any]]) -> Iterator[Composed]:
        """Compose every choice of groups under which a key is searched, its own group among them."""
        groups = self._origin.composer.groups
        chosen: dict[str, Sequence[Any]] = {}
        for clause in condition:
            if clause.key in groups:
                options = chosen.get(clause.key) or ends.get(clause.key, groups[clause.key])
                chosen[clause.key] = [option for option in options if clause.holds(option)]
        group = key.partition(".")[0]
        if group in groups and group in ends:
            chosen.setdefault(group, ends[group])
        for options in product(*chosen.values()):
            yield self._choosing(dict(zip(chosen, options, strict=True)))

    def _unknown(self, name: str, composed: Composed) -> SpaceError:
        key, condition = split_name(name)
        group = key.partition(".")[0]
        option, known = composed.choices.get(group), get(composed.raw, list_of(key))
        lacking = f"{group}={value_text(option)} has no such key" if option else "no such key"
        hint, correction = for_key(key, all_keys(composed.raw), self._origin.composer.groups, self.config_dirs)
        if "." in key and group in self.space and not any(clause.key == group for clause in condition):
            hint, correction = f"; write space[{group}=OPTION].{key}", None
        if known is not ABSENT:
            lacking, hint = f"{list_of(key)} = {value_text(known)} has no such element", ""
            correction = None
        return SpaceError(f"space {name}: {lacking}{hint} (from {self.where(name)})").with_correction(correction)


def trial_key(config: Mapping[str, Any]) -> str:
    """Return the hash of a trial's configuration: without its paths and the packages of its targets."""
    flat = flatten(trial_part(as_recorded(config)))
    kept = {key: value for key, value in flat.items() if key not in PATHS | _KEPT | {"plugins", MARGIN}}
    if kept.get(CONTINUED) is None:
        kept.pop(CONTINUED, None)
    return stable_hash(kept)


def compose(overrides: Sequence[str], config_dirs: Sequence[str | Path] = ()) -> Composition:
    """Compose the configuration that these overrides mean.

    Args:
        overrides: words of a command line: Hydra overrides, ``+study=NAME``, and words of the space:
            ``space.KEY=EXPRESSION``, ``space[GROUP=OPTION].KEY=EXPRESSION``, ``~space.KEY``.
        config_dirs: folders with a user's own options and ``plugins.yaml``.

    Returns:
        The composition, its values checked; the expressions of the space are not parsed yet. Whatever cannot be
        composed or is not allowed raises ConfigError.
    """
    return _composition(sort_words(overrides), Composer(checked_folders(config_dirs)))


def _composition(words: Words, composer: Composer) -> Composition:
    given = _hydra_words(words, composer)
    composed = composer.compose(given)
    study_file = option_file("study", words.study, composer.folders) if words.study else None
    table = searched(words, composer, composed, study_file)
    given = (*given, *room_for(table.sources, composed.raw))
    composed = composer.compose(given)
    reading = Reading() if "trainer" in table.keys else reading_of(composed.raw, composed.resolved)
    reading.check(words.hydra, table.sources)
    config = reading.part({name: value for name, value in copied(composed.resolved).items() if name != "space"})
    config["nuisance"] = table.nuisance
    config["study"] = _study(config.get("study"), words, bool(table.space or table.fixed), study_file)
    composition = Composition(
        config=config,
        space=table.space,
        choices=composed.choices,
        study_option=words.study,
        study_name=config["study"]["name"],
        fixed=table.fixed,
        words=words.given,
        config_dirs=composer.folders,
        _origin=_Origin(composer, given, composed, study_file, _keys_of(study_file), table.sources),
    )
    limits.check(config, composition.where)
    check_passwords(composed.raw)
    config |= _from_environment(reading.part(composed.raw))
    return composition


def _from_environment(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a resolved configuration that says what of it is taken from the environment."""
    found = taken({name: value for name, value in raw.items() if name not in ("space", "nuisance")})
    return {TAKEN: found} if found else {}


def _hydra_words(words: Words, composer: Composer) -> tuple[Word, ...]:
    plugins = read_plugins(composer.folders)
    named = [word_for("plugins", list(plugins))] if plugins else []
    study = [word_for("study", words.study, adds=True)] if words.study else []
    return (*named, *study, *map(hydra_word, words.hydra))


def _study(given: Any, words: Words, searches: bool, study_file: Path | None) -> dict[str, Any]:
    """Fill in what a study's file leaves out."""
    source = shown(study_file) if study_file and not covers(words.hydra, "study.name") else COMMAND_LINE
    if given is not None and not isinstance(given, dict):
        raise ConfigError(f"study = {given!r}: must be a table of {', '.join(STUDY_KEYS)} (from {source})")
    for key in given or {}:
        if key not in STUDY_KEYS:
            raise ConfigError(f"study.{key}: no such key{nearest(key, STUDY_KEYS)} (from {source})")
    defaults = {
        "name": None,
        "question": "",
        "seeds": 1,
        "confirm": CONFIRM,
        "restart": False,
        "grow": None,
        "code": None,
    }
    study = {**defaults, **(given or {})}
    if study["grow"] is not None:
        study["name"] = _grown_name(study, source)
    if study["name"] is None:
        study["name"] = study_name(words, searches)
    elif not isinstance(study["name"], str) or not _NAME.fullmatch(study["name"]) or is_single(study["name"]):
        raise ConfigError(
            f"study.name = {study['name']!r}: must be at most 120 letters, digits, '.', '_' and '-', begin with no '-' "
            f"and not be '{SINGLE}' (from {source})"
        )
    return study


def _grown_name(study: Mapping[str, Any], source: str) -> Any:
    """Return the name of the study that goes on in another space."""
    grow, name = study["grow"], study["name"]
    if study["restart"]:
        raise ConfigError(
            f"study.grow = {grow} and study.restart = true: a study goes on or starts again (from {source})"
        )
    if name not in (None, grow):
        raise ConfigError(
            f"study.grow = {grow} and study.name = {name}: a study goes on under its own name (from {source})"
        )
    return grow


def _keys_of(study_file: Path | None) -> frozenset[str]:
    if study_file is None:
        return frozenset()
    content = OmegaConf.to_container(OmegaConf.load(study_file))
    return frozenset(all_keys({str(k): v for k, v in content.items()})) if isinstance(content, dict) else frozenset()
