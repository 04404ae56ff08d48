"""What somebody may have meant by an unknown key or option: other names, other groups, keys of other options."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from hpsearch.base.errors import Correction, hint
from hpsearch.base.keys import SEARCH_KEYS
from hpsearch.base.near import (
    MOST,
    meanings,
    meanings_of_misspelt,
    meant_below,
    nearest_keys,
    nearest_names,
    plain,
    same,
)
from hpsearch.base.plain import flatten
from hpsearch.base.synonyms import ABSENT, OTHER_VALUES
from hpsearch.config.groups import option_file

Groups = Mapping[str, Sequence[str]]

STUDY_KEYS = ("name", "question", "seeds", "confirm", "restart", "grow", "code")
_OF_STUDY = tuple(f"study.{key}" for key in STUDY_KEYS)
_KIND = ("name", "type", "kind", "class", "_name_", "_target_")
"""Last parts of a key by which other configurations say which option of a group is chosen."""
_OF_SEARCH = SEARCH_KEYS | {"objective"}
"""Groups of which no key is a hyperparameter."""
_VAGUE = frozenset({"none", "null", "no", "off", "auto", "default", "all", "full", "true", "false"})
"""Terms that say nothing without their group."""


def for_key(key: str, known: Iterable[str], groups: Groups, folders: Sequence[Path]) -> tuple[str, Correction | None]:
    """Return a hint at what an unknown key may mean.

    Args:
        key: dotted, or a word alone.
        known: dotted keys of what is composed, and the groups.
        groups: every group and its options.
        folders: a user's config folders.

    Returns:
        The hint, to follow ``no such key``, and the correction where there is one alone and it takes the same value.
    """
    keys = {*known, *_OF_STUDY}
    parent, _, last = key.rpartition(".")
    owners = owners_of(key, groups, folders) if parent else []
    if parent in groups and last in _KIND and not owners:
        return hint([parent]), Correction(key, key, parent)
    if owners:
        return hint(meant_below(parent, last, keys)) + _belongs(key, owners), None
    if several := _several(last, keys, groups, folders):
        return hint(several), None
    found = nearest_keys(key, keys)
    if found:
        equal = len(found) == 1 and plain(last) not in OTHER_VALUES
        return hint(found), Correction(key, key, found[0]) if equal else None
    if elsewhere := _of_other_options(key, groups, folders):
        return elsewhere, None
    return hint(_few(_anywhere(last, keys, groups))), None


def for_option(group: str, option: str, groups: Groups, folders: Sequence[Path]) -> tuple[str, Correction | None]:
    """Return a hint at what an unknown option of a group may mean.

    Args:
        group: the group.
        option: the option as given.
        groups: every group and its options.
        folders: a user's config folders.

    Returns:
        The hint, to follow ``no such option``, and the correction where there is one alone.
    """
    options = groups.get(group, ())
    of_group = [target.partition("=")[2] for target in meanings(option) if target.startswith(f"{group}=")]
    for found in (
        same(option, options),
        [each for each in of_group if each in options],
        _of_class(group, option, options, folders),
    ):
        if found:
            return _options(group, option, found)
    elsewhere = _few([each for each in _anywhere(option, None, groups) if not each.startswith(("study=", "stage="))])
    if elsewhere:
        given = f"{group}={option}"
        equal = len(elsewhere) == 1 and "=" in elsewhere[0]
        return hint(elsewhere), Correction(given, given, elsewhere[0]) if equal else None
    found = nearest_names(option, options)
    if not found:
        starts = f"{group}="
        misspelt = [each.removeprefix(starts) for each in meanings_of_misspelt(option) if each.startswith(starts)]
        found = [each for each in misspelt if each in options]
    return _options(group, option, found)


def for_word(word: str, groups: Groups) -> str:
    """Return a hint at the options that a word alone may mean, which names neither a command nor a key."""
    found = _anywhere(word, None, groups)
    found = [f"+{each}" if each.startswith("study=") else each for each in found]
    return hint(_few(found))


def _few(found: Sequence[str]) -> Sequence[str]:
    """Return what was found, nothing where it is too much to be a suggestion."""
    return found if len(found) <= MOST else []


def _several(word: str, keys: Iterable[str], groups: Groups, folders: Sequence[Path]) -> list[str]:
    """Return the keys of that name where the term means several of them, chosen or not: ``patience``."""
    there = {*keys}
    targets = [each for each in meanings(word) if "=" not in each and each.rpartition(".")[2] == word]
    found = [each for each in targets if each in there or owners_of(each, groups, folders)]
    return found if len(found) > 1 else []


def _of_other_options(key: str, groups: Groups, folders: Sequence[Path]) -> str:
    """Return the options that have a key which a word means or names, those that are chosen not being among them."""
    parent, _, last = key.rpartition(".")
    if parent and parent not in groups:
        return ""
    targets = [each for each in meanings(last) or meanings_of_misspelt(last) if "." in each and "=" not in each]
    targets = targets or [
        f"{group}.{last}" for group in groups if len(last) > 1 > len(parent) and group not in _OF_SEARCH
    ]
    found = {target: owners for target in targets if (owners := owners_of(target, groups, folders))}
    return "".join(_belongs(target, owners) for target, owners in found.items()) if len(found) <= MOST else ""


def _options(group: str, option: str, found: Sequence[str]) -> tuple[str, Correction | None]:
    return hint(found), Correction(group, option, found[0]) if len(found) == 1 else None


def _belongs(key: str, owners: Sequence[str]) -> str:
    group, _, name = key.partition(".")
    shown = ", ".join(owners[:8]) + (f" and {len(owners) - 8} more" if len(owners) > 8 else "")
    return f"; {group}.{name} belongs to {group}={shown}"


def _anywhere(word: str, keys: Iterable[str] | None, groups: Groups) -> list[str]:
    """Return what a term means in any group: options that bear its name, or that it stands for; keys and their values.

    Args:
        word: the term.
        keys: dotted keys that there are; None: any.
        groups: every group and its options.
    """
    if plain(word) in _VAGUE:
        return []
    named = [f"{group}={each}" for group, options in groups.items() for each in same(word, options)]
    there = None if keys is None else {*keys}
    found: list[str] = []
    for target in meanings(word):
        key, _, value = target.partition("=")
        is_key = "." in key and (there is None or key in there)
        if is_key or value in groups.get(key, ()):
            found.append(target)
    return list(dict.fromkeys([*named, *([] if plain(word) in ABSENT else found)]))


_TARGET = re.compile(r"^_target_: \S*?(\w+)$", re.MULTILINE)


def _of_class(group: str, name: str, options: Iterable[str], folders: Sequence[Path]) -> list[str]:
    """Return the one option whose class bears a name, if it is the only one: ``StepLR`` is ``step``."""
    found = []
    for option in options:
        file = option_file(group, option, folders)
        target = _TARGET.search(file.read_text(encoding="utf-8")) if file else None
        if target and plain(target[1]) == plain(name):
            found.append(option)
    return found if len(found) == 1 else []


def owners_of(key: str, groups: Groups, folders: Sequence[Path]) -> list[str]:
    """Return the options of a group that have a dotted key, read from their files: ``betas`` belongs to Adam's kind."""
    group, _, name = key.partition(".")
    found = []
    for option in groups.get(group, ()) if group != "study" else ():
        keys = _keys(group, option, folders)
        if name in keys or (name.startswith(f"{option}.") and name.removeprefix(f"{option}.") in keys):
            found.append(option)
    return found


def _keys(group: str, option: str, folders: Sequence[Path]) -> set[str]:
    file = option_file(group, option, folders)
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _LOADER) if file else None
    except Exception:  # a tag fails in as many ways as there are tags
        return set()
    return {str(key) for key in flatten(content)} if isinstance(content, dict) else set()


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
