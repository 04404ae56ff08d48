"""The flat table of what is searched: a study's file and the command line put together."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.base.errors import SpaceError, nearest
from hpsearch.base.grammar import Condition, option_text, split_name
from hpsearch.base.keys import NOT_SEARCHED
from hpsearch.base.plain import get
from hpsearch.config.composer import Composed, Composer
from hpsearch.config.groups import shown
from hpsearch.config.messages import no_such_option
from hpsearch.config.words import BLOCKS, COMMAND_LINE, Words, choice_options, covers


@dataclass(frozen=True, slots=True)
class Table:
    """What is searched.

    Attributes:
        space: expression by flat name.
        nuisance: the same of what an ablation retunes.
        sources: where each name's expression stands.
        fixed: searched keys that an override fixed.
    """

    space: dict[str, Any]
    nuisance: dict[str, Any]
    sources: dict[str, str]
    fixed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    condition: Condition
    expression: Any
    source: str
    block: str

    @property
    def name(self) -> str:
        return "/".join([*(f"{group}={option}" for group, option in self.condition), self.key])


def searched(words: Words, composer: Composer, composed: Composed, study_file: Path | None) -> Table:
    """Put together what is searched.

    Args:
        words: the command line; it has the last word.
        composer: knows the groups and their options.
        composed: what the overrides compose, the study's blocks among it.
        study_file: the study's file.

    Returns:
        The table, without what an override fixed and without branches that are never taken.

    Raises:
        SpaceError: for a key given twice, one that cannot be searched, or a condition on an unknown option.
    """
    file = shown(study_file) if study_file else COMMAND_LINE
    entries = [e for block in BLOCKS for e in _merged(block, words, composed.resolved.get(block) or {}, file)]
    keys = {entry.key for entry in entries}
    for entry in entries:
        _check_entry(entry, composer, keys)
    held = get(composed.resolved, "ablation.nuisance") == "held"  # what is held has a value, and keeps its name here
    free = [entry for entry in entries if not (held and entry.block == "nuisance")]
    fixed = tuple(dict.fromkeys(entry.key for entry in free if _is_fixed(entry.key, words, composer)))
    for entry in entries:
        if entry.key in fixed and entry.source == COMMAND_LINE:
            raise SpaceError(f"{entry.key} is given a value and a space at once (from {COMMAND_LINE})")
    entries = [entry for entry in entries if entry.key not in fixed]
    blocks: dict[str, dict[str, Any]] = {block: {} for block in BLOCKS}
    sources: dict[str, str] = {}
    for entry in _reached(entries, composed):
        if entry.name in sources:
            raise SpaceError(f"space {entry.key} is given twice (from {sources[entry.name]} and {entry.source})")
        blocks[entry.block][entry.name], sources[entry.name] = entry.expression, entry.source
    return Table(blocks["space"], blocks["nuisance"], sources, fixed)


def _merged(block: str, words: Words, file_block: Mapping[str, Any], file: str) -> list[_Entry]:
    table: dict[str, tuple[Any, str]] = {}
    for name, expression in _flat(file_block):
        if name in table:
            raise SpaceError(f"{block} {name} is given twice (from {file})")
        table[name] = (expression, file)
    for name in words.blocks[block].removed:
        gone = [other for other in table if other == name or not name or (name[-1] == "/" and other.startswith(name))]
        if name and not gone:
            raise SpaceError(f"~{block}.{name}: it is not searched{nearest(name, table)} (from {COMMAND_LINE})")
        for other in gone:
            del table[other]
    table.update({name: (expression, COMMAND_LINE) for name, expression in words.blocks[block].given.items()})
    entries = []
    for name, (expression, source) in table.items():
        try:
            entries.append(_Entry(*split_name(name), expression, source, block))
        except SpaceError as error:
            raise SpaceError(f"{block} {name}: {error} (from {source})") from None
    return entries


def _flat(table: Mapping[str, Any], conditions: str = "", prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{conditions}{prefix}{name}", value
        elif "=" in name:
            yield from _flat(value, f"{conditions}{name}/", prefix)
        else:
            yield from _flat(value, conditions, f"{prefix}{name}.")


def _check_entry(entry: _Entry, composer: Composer, keys: Collection[str]) -> None:
    reason = NOT_SEARCHED.get(entry.key) or NOT_SEARCHED.get(entry.key.partition(".")[0])
    if reason:
        raise SpaceError(f"{entry.key} cannot be searched: {reason} (from {entry.source})")
    for group, option in entry.condition:
        options = composer.groups.get(group)
        if options is None and group not in keys:
            hint = nearest(group, [*composer.groups, *keys])
            raise SpaceError(
                f"{entry.block} {entry.name}: {group} is neither a group nor a searched key{hint} (from {entry.source})"
            )
        if options is not None and option not in options:
            raise SpaceError(f"{entry.block} {entry.name}: {no_such_option(group, option, options, entry.source)}")


def _is_fixed(key: str, words: Words, composer: Composer) -> bool:
    """Return whether an override gives a searched key its value; ``+key=null`` only says that there is such a key."""
    if key in composer.groups:
        return any(word.key == key for word in words.hydra)
    declared = [word for word in words.hydra if word.key == key and word.adds and word.value is None]
    return covers((word for word in words.hydra if word.key not in composer.groups and word not in declared), key)


def _reached(entries: list[_Entry], composed: Composed) -> Iterator[_Entry]:
    """Decide the conditions on groups that are not searched, and leave out the branches that are never taken."""
    groups = {entry.key for entry in entries}
    narrowed = {
        entry.key: choice_options(entry.expression)
        for entry in entries
        if entry.source == COMMAND_LINE and not entry.condition
    }
    for entry in entries:
        undecided = []
        for group, option in entry.condition:
            if group not in groups:
                present = composed.choices.get(group) or option_text(get(composed.resolved, group))
                if present != option:
                    _refuse_idle(entry, f"{group} is {present}")
                    break
            elif option not in (narrowed.get(group) or [option]):
                _refuse_idle(entry, f"{group} is never {option}")
                break
            else:
                undecided.append((group, option))
        else:
            yield replace(entry, condition=tuple(undecided))


def _refuse_idle(entry: _Entry, reason: str) -> None:
    """Refuse a branch on the command line that is never taken; one in a study's file waits for another command."""
    if entry.source == COMMAND_LINE:
        raise SpaceError(f"space {entry.name} is never active: {reason} (from {COMMAND_LINE})")
