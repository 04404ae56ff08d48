"""The flat table of what is searched: a study's file and the command line put together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.base.conditions import (
    WHERE,
    Clause,
    Condition,
    flat_entries,
    flat_name,
    normal_name,
    split_name,
    where_text,
)
from hpsearch.base.errors import SpaceError, nearest
from hpsearch.base.grammar import option_text
from hpsearch.base.keys import NOT_SEARCHED
from hpsearch.base.plain import ABSENT, get, list_of
from hpsearch.config.composer import Composed, Composer
from hpsearch.config.groups import shown
from hpsearch.config.messages import no_such_option
from hpsearch.config.where import settled
from hpsearch.config.words import BLOCKS, COMMAND_LINE, Words, choice_options, covers
from hpsearch.config.yardstick import check_yardstick


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

    @property
    def keys(self) -> frozenset[str]:
        """The groups and dotted keys that have an expression."""
        return frozenset(split_name(name)[0] for name in self.sources)


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    condition: Condition
    expression: Any
    source: str
    block: str

    @property
    def name(self) -> str:
        return flat_name(self.key, self.condition)


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
    keys = {entry.key for entry in entries if entry.key != WHERE}
    for entry in entries:
        _check_entry(entry, composer, keys)
        check_yardstick(entry.key, entry.expression, entry.source, composed.resolved)
    held = get(composed.resolved, "ablation.nuisance") == "held"  # what is held has a value, and keeps its name here
    free = [entry for entry in entries if not (held and entry.block == "nuisance")]
    fixed = tuple(dict.fromkeys(entry.key for entry in free if _is_fixed(entry, words, composer)))
    for entry in entries:
        if entry.key in fixed and entry.source == COMMAND_LINE:
            raise SpaceError(f"{entry.key} is given a value and a space at once (from {COMMAND_LINE})")
    entries = [entry for entry in entries if entry.key not in fixed]
    blocks: dict[str, dict[str, Any]] = {block: {} for block in BLOCKS}
    sources: dict[str, str] = {}
    for entry in _reached(entries, composed):
        if entry.name in sources:
            raise SpaceError(f"space {entry.key} is given twice (from {sources[entry.name]} and {entry.source})")
        expression = entry.expression if entry.key != WHERE else _constraints(entry, keys - {*fixed}, composed)
        if expression is not None:
            blocks[entry.block][entry.name], sources[entry.name] = expression, entry.source
    return Table(blocks["space"], blocks["nuisance"], sources, fixed)


def _constraints(entry: _Entry, searched: Collection[str], composed: Composed) -> str | None:
    """Return the constraints of an entry that points decide, None where there are none."""
    try:
        texts = settled(entry.expression, searched, composed)
    except SpaceError as error:
        raise SpaceError(f"space.{entry.name}: {error} (from {entry.source})") from None
    return where_text(texts) if texts else None


def _merged(block: str, words: Words, file_block: Mapping[str, Any], file: str) -> list[_Entry]:
    table: dict[str, tuple[Any, str]] = {}
    for given, expression in flat_entries(file_block):
        name = _normal(block, given, file)
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
    return [_Entry(*split_name(name), expression, source, block) for name, (expression, source) in table.items()]


def _normal(block: str, name: str, source: str) -> str:
    try:
        return normal_name(name)
    except SpaceError as error:
        raise SpaceError(f"{block} {name}: {error} (from {source})") from None


def _check_entry(entry: _Entry, composer: Composer, keys: Collection[str]) -> None:
    reason = NOT_SEARCHED.get(entry.key) or NOT_SEARCHED.get(entry.key.partition(".")[0])
    if reason:
        raise SpaceError(f"{entry.key} cannot be searched: {reason} (from {entry.source})")
    if entry.key == WHERE and entry.block != "space":
        raise SpaceError(f"{entry.block}.{WHERE}: what points must meet is said by space.{WHERE} (from {entry.source})")
    for clause in entry.condition:
        options = composer.groups.get(clause.key)
        if options is None and clause.key not in keys:
            hint = nearest(clause.key, [*composer.groups, *keys])
            raise SpaceError(
                f"{entry.block} {entry.name}: {clause.key} is neither a group nor a searched key{hint} "
                f"(from {entry.source})"
            )
        if options is not None:
            _check_options(entry, clause, composer)


def _check_options(entry: _Entry, clause: Clause, composer: Composer) -> None:
    if clause.ordered:
        raise SpaceError(
            f"{entry.block} {entry.name}: the options of {clause.key} have no order; write {clause.key}=OPTION "
            f"(from {entry.source})"
        )
    for option in clause.options:
        if option not in composer.groups[clause.key]:
            of = f"{entry.block} {entry.name}: "
            raise no_such_option(clause.key, option, composer.groups, composer.folders, entry.source, SpaceError, of)


def _is_fixed(entry: _Entry, words: Words, composer: Composer) -> bool:
    """Return whether an override gives a searched key its value.

    ``+key=null`` only says that there is such a key. ``+key=[...]`` says how many elements a list has, and so does
    ``key=[...]`` beside elements that are searched on the same command line.
    """
    key = entry.key
    if key in composer.groups:
        return any(word.key == key for word in words.hydra)
    whole, together = list_of(key), entry.source == COMMAND_LINE
    declared = [w for w in words.hydra if w.key == key and w.adds and w.value is None]
    declared += [w for w in words.hydra if w.key == whole != key and (w.adds or together)]
    return covers((word for word in words.hydra if word.key not in composer.groups and word not in declared), key)


def _reached(entries: Sequence[_Entry], composed: Composed) -> list[_Entry]:
    """Decide the conditions on keys that are not searched, and leave out the branches that are never taken."""
    # a branch that is left out may have held a key that others are conditional on
    reached = [found for entry in entries if (found := _decided(entry, entries, composed)) is not None]
    return reached if len(reached) == len(entries) else _reached(reached, composed)


def _decided(entry: _Entry, entries: Sequence[_Entry], composed: Composed) -> _Entry | None:
    """Return an entry with its conditions on searched keys, None where it is never taken."""
    undecided = []
    for clause in entry.condition:
        if not any(other.key == clause.key for other in entries):
            present = composed.choices.get(clause.key) or get(composed.resolved, clause.key)
            if present is ABSENT or not clause.holds(present):
                _refuse_idle(entry, f"{clause.key} is {'not there' if present is ABSENT else option_text(present)}")
                return None
        elif not _may_hold(clause, entry, entries):
            _refuse_idle(entry, f"{clause.key} is never {clause.rest.removeprefix('=').strip()}")
            return None
        else:
            undecided.append(clause)
    return replace(entry, condition=tuple(undecided))


def _may_hold(clause: Clause, entry: _Entry, entries: Sequence[_Entry]) -> bool:
    """Return whether a condition may hold for what the command line lists for its key."""
    listed = [e for e in entries if e.key == clause.key and e.source == COMMAND_LINE and not e.condition]
    options = choice_options(listed[0].expression) if listed and entry.block == "space" else None
    return not options or any(map(clause.holds, options))


def _refuse_idle(entry: _Entry, reason: str) -> None:
    """Refuse a branch on the command line that is never taken; one in a study's file waits for another command."""
    if entry.source == COMMAND_LINE:
        raise SpaceError(f"space {entry.name} is never active: {reason} (from {COMMAND_LINE})")
