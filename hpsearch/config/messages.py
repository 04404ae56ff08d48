"""One-line messages: what is not there and what is near, and what Hydra's and YAML's errors say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import MissingConfigException
from yaml import MarkedYAMLError

from hpsearch.base.errors import nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS
from hpsearch.base.plain import flatten
from hpsearch.config.groups import CONF, option_file, shown

Choice = str | list[str] | None


def all_keys(config: dict[str, Any]) -> set[str]:
    """Return every dotted key: leaves and what holds them."""
    parts = [key.split(".") for key in flatten(config)]
    return {".".join(part[: end + 1]) for part in parts for end in range(len(part))}


def did_you_mean(key: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest of the known keys; ``lr`` is near to ``optimizer.lr``."""
    ordered = sorted(known)
    ending = [other for other in ordered if other.endswith(f".{key}")]
    return f", did you mean '{ending[0]}'?" if ending else nearest(key, ordered)


def no_such_key(key: str, known: Iterable[str]) -> str:
    """Return the message for a misspelt key."""
    return f"{key}: no such key{did_you_mean(key, known)}"


def no_such_option(group: str, option: Any, options: Sequence[str], source: str) -> str:
    """Return the message for an unknown option, with the nearest one there is."""
    hint = nearest(str(option), options)
    return f"{group}={value_text(option)}: no such option{hint} (known: {', '.join(options)}; from {source})"


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


def hydra_message(error: Exception) -> str:
    """Return what an error of Hydra, OmegaConf or YAML says, on one line."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        return f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: {error.problem}"
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        source = re.match("In '([^']+)'", text)
        group, _, option = error.missing_cfg_file.rpartition("/")
        return no_such_option(group, option, error.options, f"{source[1]}.yaml" if source else str(CONF))
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
