"""One-line messages: what is not there and what is near, and what Hydra's and YAML's errors say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import MissingConfigException
from yaml import MarkedYAMLError

from hpsearch.base.errors import ConfigError, first_line
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS
from hpsearch.base.plain import flatten
from hpsearch.config.groups import CONF, describe_groups, option_file, shown
from hpsearch.config.suggestions import for_key, for_option

Choice = str | list[str] | None


def all_keys(config: dict[str, Any]) -> set[str]:
    """Return every dotted key: leaves and what holds them."""
    parts = [key.split(".") for key in flatten(config)]
    return {".".join(part[: end + 1]) for part in parts for end in range(len(part))}


def no_such_key(
    key: str, known: Iterable[str], groups: Mapping[str, Sequence[str]], folders: Sequence[Path], source: str
) -> ConfigError:
    """Return the error for a key that is not there, with what may be meant.

    Args:
        key: dotted key.
        known: dotted keys that are there, and groups.
        groups: every group and its options.
        folders: the user's config folders.
        source: where it was given.
    """
    hint, correction = for_key(key, known, groups, folders)
    return ConfigError(f"{key}: no such key{hint} (from {source})").with_correction(correction)


def no_such_option(
    group: str,
    option: Any,
    groups: Mapping[str, Sequence[str]],
    folders: Sequence[Path],
    source: str,
    error: type[ConfigError] = ConfigError,
    of: str = "",
) -> ConfigError:
    """Return the error for an option that is not there, with what may be meant.

    Args:
        group: the group.
        option: as given.
        groups: every group and its options.
        folders: the user's config folders.
        source: where it was given.
        error: its class.
        of: what stands in front of it.
    """
    hint, correction = for_option(group, str(option), groups, folders)
    known = ", ".join(groups.get(group, ()))
    message = f"{of}{group}={value_text(option)}: no such option{hint} (known: {known}; from {source})"
    return error(message).with_correction(correction)


def source_file(key: str, choices: Mapping[str, Choice], folders: Sequence[Path]) -> str:
    """Return the file that gives a dotted key its value in the absence of a study and overrides."""
    parts = key.split(".")
    parts = ["trainer", *parts] if parts[0] == ARGS else parts  # whose option names the function
    for end in range(len(parts), 0, -1):
        option = choices.get("/".join(parts[:end]))
        if isinstance(option, list):
            option = next((name for name in option if name in parts[end:]), option[0])
        file = option_file("/".join(parts[:end]), option, folders) if option else None
        if file:
            return shown(file)
    return shown(CONF / "config.yaml")


def hydra_error(error: Exception, folders: Sequence[Path]) -> ConfigError:
    """Return what an error of Hydra, OmegaConf or YAML says, on one line, as an error of ours.

    Args:
        error: of Hydra, OmegaConf or YAML.
        folders: the user's config folders.
    """
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        source = re.match("In '([^']+)'", text)
        group, _, option = error.missing_cfg_file.rpartition("/")
        found = f"{source[1]}.yaml" if source else str(CONF)
        return no_such_option(group, option, describe_groups(folders), folders, found)
    return ConfigError(hydra_message(error))


def hydra_message(error: Exception) -> str:
    """Return what an error of Hydra, OmegaConf or YAML says, on one line."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        return f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: {error.problem}"
    return first_line(error) or type(error).__name__
