"""What the files of options say of themselves: their first lines, their keys and the comments behind them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hpsearch.base.conditions import space_word
from hpsearch.base.errors import ConfigError, SpaceError, hint
from hpsearch.base.grammar import shown_text
from hpsearch.base.near import nearest_keys
from hpsearch.base.plain import flatten
from hpsearch.config.groups import CONF, describe_groups, option_file
from hpsearch.config.suggestions import for_word

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[\w.=<>\[\], -]+?):(?= |$)")
_COMMENT = re.compile(r"(?:^|\s)#\s?(?P<text>.*)$")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PACKAGE = re.compile(r"^# @package (\S+)", re.MULTILINE)
_BLOCKS = ("space", "nuisance")
_OVERRIDE = re.compile(r"^override /")


@dataclass(frozen=True, slots=True)
class OptionKey:
    """One key of an option.

    Attributes:
        key: dotted, as it is written on a command line.
        value: its default, as it is written there; empty for a table of keys.
        comment: what the file says behind it.
    """

    key: str
    value: str
    comment: str


@dataclass(frozen=True, slots=True)
class OptionFile:
    """What the file of an option says.

    Attributes:
        about: its first lines.
        target: the class or function that is built, with what is said behind it; empty where nothing is.
        chooses: the options of other groups that it chooses, ``group=option``.
        keys: in the order of the file.
    """

    about: str
    target: str
    chooses: tuple[str, ...]
    keys: tuple[OptionKey, ...]


def read_option(group: str, option: str, config_dirs: Sequence[str | Path] = ()) -> OptionFile:
    """Return what the file of an option says; whatever is wrong in it is told when it is used.

    Args:
        group: the group.
        option: one of its options.
        config_dirs: folders with configuration of your own.

    Returns:
        What it says; an option that is not there is refused with what may be meant.
    """
    folders = [Path(folder).expanduser() for folder in config_dirs]
    file = option_file(group, option, folders)
    if file is None:
        from hpsearch.config.messages import no_such_option  # loads hydra, for which help has no time

        refusal = no_such_option(group, option, describe_groups(folders), folders, "the command line")
        raise refusal
    return _read(file, group)


def first_lines(group: str, config_dirs: Sequence[str | Path] = ()) -> dict[str, str]:
    """Return the options of a group with what their files say first.

    Args:
        group: the group.
        config_dirs: folders with configuration of your own.
    """
    options = describe_groups(config_dirs).get(group, ())
    return {option: read_option(group, option, config_dirs).about for option in options}


def root_keys(table: str) -> tuple[OptionKey, ...]:
    """Return the keys of the root that belong to no group: ``budget``, ``seed``.

    Args:
        table: name of a key of the root; of another one there are none.
    """
    keys = _read(CONF / "config.yaml", "").keys
    return tuple(each for each in keys if each.key.split(".")[0] == table)


def same_keys(key: str, config_dirs: Sequence[str | Path] = ()) -> dict[str, OptionKey]:
    """Return a dotted key of a group in each of the options that have it.

    Args:
        key: such as ``optimizer.lr``.
        config_dirs: folders with configuration of your own.
    """
    group = key.partition(".")[0]
    found = {}
    for option in describe_groups(config_dirs).get(group, ()):
        for each in read_option(group, option, config_dirs).keys:
            if each.key == key:
                found[option] = each
    return found


def unknown(word: str, commands: Sequence[str], config_dirs: Sequence[str | Path] = ()) -> ConfigError:
    """Return the error for a word of which there is no help.

    Args:
        word: as given.
        commands: names of commands.
        config_dirs: folders with configuration of your own.
    """
    groups = describe_groups(config_dirs)
    roots = {each.key.partition(".")[0] for each in _read(CONF / "config.yaml", "").keys}
    keys = {each.key for group in groups for option in groups[group] for each in _keys_of(group, option, config_dirs)}
    near = for_word(word, groups) or hint(nearest_keys(word, [*groups, *roots, *commands, *keys]))
    return ConfigError(
        f"--help {word}: no such command, group or key{near} (groups: {', '.join(groups)}; others: --help)"
    )


def _keys_of(group: str, option: str, config_dirs: Sequence[str | Path]) -> tuple[OptionKey, ...]:
    return () if group == "study" else read_option(group, option, config_dirs).keys


def _read(file: Path, group: str) -> OptionFile:
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except Exception:  # a tag before something else fails in as many ways as there are tags
        content = None
    content = {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}
    package = _PACKAGE.search(text)
    prefix = group if package is None else package[1].removeprefix("_global_")
    comments = _comments(text)
    chosen = content.pop("defaults", [])
    return OptionFile(
        about=_about(text, content),
        target="  ".join(filter(None, [str(content.pop("_target_", "")), comments.get("_target_", "")])),
        chooses=tuple(_chosen(chosen)),
        keys=tuple(_option_keys(content, comments, f"{prefix}." if prefix else "")),
    )


def _about(text: str, content: Mapping[str, Any]) -> str:
    """Return the comment on top; of a study its question where it has one, and of others' files nothing else."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.lstrip("# ").strip())
    study = content.get("study")
    question = study.get("question") if isinstance(study, dict) else None
    return str(question or " ".join(filter(None, lines)))


def _chosen(defaults: Any) -> list[str]:
    """Return what the ``defaults`` of a study choose."""
    entries = [entry for entry in defaults if isinstance(entry, dict)] if isinstance(defaults, list) else []
    return [f"{_OVERRIDE.sub('', str(key))}={shown_text(value)}" for entry in entries for key, value in entry.items()]


def _option_keys(content: Mapping[str, Any], comments: Mapping[str, str], prefix: str) -> list[OptionKey]:
    """Return keys and tables of keys, these where something is said of them."""
    found: list[OptionKey] = []
    said: set[str] = set()
    for key, value in flatten(content).items():
        if key == "study.question":
            continue
        parts = key.split(".")
        for end in range(1, len(parts)):
            above = ".".join(parts[:end])
            if comments.get(above) and above not in said:
                said.add(above)
                found.append(OptionKey(f"{prefix}{above}", "", comments[above]))
        if parts[0] in _BLOCKS and len(parts) > 1:
            name = "/".join(_clauses(content[parts[0]], key.removeprefix(f"{parts[0]}.")))
            found.append(OptionKey(_space_word(name, str(value), parts[0]), "", comments.get(key, "")))
        elif parts[-1] != "_partial_":
            inner = [said for name, said in comments.items() if name.startswith(f"{key}.") and said]
            comment = "; ".join(filter(None, [comments.get(key, ""), *inner]))
            found.append(OptionKey(f"{prefix}{key}", _written(value), comment))
    return found


def _space_word(name: str, expression: str, block: str) -> str:
    """Return the word of an expression; as it stands where its name is malformed, which whoever composes it says."""
    try:
        return space_word(name, expression, block)
    except SpaceError:
        return f"{block}.{name}={expression}"


def _written(value: Any) -> str:
    """Return a value as a command line has it; YAML alone takes ``1e-3`` for a text, and OmegaConf does not."""
    is_number = isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value)
    return str(value) if is_number else shown_text(value)


def _clauses(block: Mapping[str, Any], rest: str) -> list[str]:
    """Return the conditions and the key of which a dotted path through a block of expressions is made."""
    for name, inner in sorted(block.items(), key=lambda entry: -len(str(entry[0]))):  # ...=0.5 before ...=0
        if rest.startswith(f"{name}.") and isinstance(inner, Mapping) and "=" in str(name):
            return [str(name), *_clauses(inner, rest.removeprefix(f"{name}."))]
    return [rest]


def _comments(text: str) -> dict[str, str]:
    """Return the comment behind every key of a YAML text, by dotted key; one that goes on in a line of its own too."""
    comments: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    last = ""
    for line in text.splitlines():
        bare = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), line)
        comment = _COMMENT.search(bare)
        said = line[comment.start("text") :].strip() if comment else ""
        key = _KEY.match(bare)
        if key:
            indent = len(key["indent"])
            above = [each for each in above if each[0] < indent] + [(indent, line[key.start("key") : key.end("key")])]
            last = ".".join(name for _, name in above)
            comments[last] = said
        elif said and last and line.startswith(" ") and line.lstrip().startswith("#"):
            comments[last] = f"{comments[last]} {said}".strip()
    return comments
