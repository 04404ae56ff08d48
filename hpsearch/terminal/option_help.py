"""The help pages of groups, options and keys, from the comments in their files."""

from collections.abc import Sequence
from pathlib import Path

from hpsearch.study.option_files import OptionKey, first_lines, read_option, root_keys, same_keys, unknown
from hpsearch.study.options import available_options
from hpsearch.terminal.help import COMMANDS, PROGRAM, command_help, rows, wrapped


def help_pages(words: Sequence[str], config_dirs: Sequence[str | Path] = ()) -> str:
    """Return the help pages of words; those behind a command are its own.

    Args:
        words: commands, groups, options or keys; at least one.
        config_dirs: folders with configuration of your own.
    """
    asked = words[:1] if words[0] in COMMANDS else words
    return "\n\n".join(help_on(word, config_dirs) for word in asked)


def help_on(word: str, config_dirs: Sequence[str | Path] = ()) -> str:
    """Return the help page of one word.

    Args:
        word: a command, ``GROUP``, ``GROUP=OPTION``, a key of the root such as ``budget``, or a dotted key; the plus of
            ``+study=NAME`` may be there.
        config_dirs: folders with configuration of your own.

    Returns:
        The page. What is none of these is refused with what it may mean.
    """
    word = word.lstrip("+")
    if word in COMMANDS:
        return command_help(word)
    available = available_options(config_dirs)
    groups = {*available.groups, "study"}
    group, is_option, option = word.partition("=")
    if is_option and group in groups:
        return _option(group, option, config_dirs)
    if word in groups:
        return _group(word, available.defaults.get(word), config_dirs)
    if keys := root_keys(word):
        return "\n".join([f"{word}: keys of no group", "", *_keys(keys)])
    if options := same_keys(word, config_dirs):
        listed = [
            (f"{word.partition('.')[0]}={name}", f"{each.value}  {each.comment}".strip())
            for name, each in options.items()
        ]
        return "\n".join([f"{word}: its default in every option that has it", "", *rows(listed)])
    refusal = unknown(word, [*COMMANDS], config_dirs)
    raise refusal


def _group(group: str, default: str | None, config_dirs: Sequence[str | Path]) -> str:
    """Return the options of a group with their first lines, and the keys of the default."""
    options = first_lines(group, config_dirs)
    plus = "+" if group == "study" else ""
    more = f"{PROGRAM} --help {plus}{group}=OPTION lists the keys of an option."
    lines = [f"{plus}{group}=OPTION{'' if default is None else '; * is the default'}", ""]
    lines += rows([(f"{name}*" if name == default else name, about) for name, about in options.items()])
    keys = _keys(read_option(group, default, config_dirs).keys) if default else []
    lines += ["", f"keys of {group}={default}", *keys] if keys else []
    return "\n".join([*lines, "", more])


def _option(group: str, option: str, config_dirs: Sequence[str | Path]) -> str:
    """Return what an option is, what it chooses, and its keys."""
    read = read_option(group, option, config_dirs)
    lines = [f"{'+' if group == 'study' else ''}{group}={option}", *wrapped(read.about)]
    lines += ["", "class", f"  {read.target}"] if read.target else []
    lines += ["", "chooses", *(f"  {word}" for word in read.chooses)] if read.chooses else []
    lines += ["", "keys (KEY=VALUE)", *_keys(read.keys)] if read.keys else []
    return "\n".join(lines)


def _keys(keys: Sequence[OptionKey]) -> list[str]:
    return rows([(f"{each.key}={each.value}" if each.value else each.key, each.comment) for each in keys])
