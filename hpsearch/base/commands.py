"""Commands as they are printed: they name what is the user's own, so that a shell in the same folder runs them.

A function of a script or a notebook is found by no shell: in place of a command stands a comment with the call that
does the same from Python.
"""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from hpsearch.base.passwords import without_password
from hpsearch.base.words import assignments

LOCAL_MODULE = "hpsearch_given"
"""Module of the functions that no other process can import."""
OUTSIDE = "hpsearch.trial.outside.train"
"""What a configuration names as the training of a trial that is handed out and trained outside."""

PROGRAM = "hpsearch.trial.command.run"
"""What a configuration names as the training of a trial that is a program."""

SCRIPT = "script"
"""Key of the configuration of a trial that was a script by itself: its path and its arguments."""


FOLDERS = ("--config-dir", "--path")
"""Options of the command line that name a folder of the user's."""


def command(*words: str) -> str:
    """Return words as a command line of ours, without the passwords of addresses."""
    return shlex.join(["python", "-m", "hpsearch", *map(without_password, words)])


def ui_command(config: Mapping[str, Any], *names: str) -> str:
    """Return the command that opens the tracking store of a study.

    Args:
        config: of the study.
        names: of the study whose trials it opens with.

    Returns:
        The command, without the password of an address; empty where the study has no tracking store.
    """
    tracker = config.get("tracker", {})
    if str(tracker.get("_target_")).endswith(".NoTracker"):
        return ""
    uri = tracker.get("uri")
    return command("ui", *names, *([f"tracker.uri={uri}"] if uri else []))


def own_words(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a command line that name a user's config folders and packages, and where these are found."""
    kept, before = [], ""
    for word in words:
        if before in FOLDERS or word.startswith(FOLDERS) or word.lstrip("+").startswith("plugins="):
            kept.append(word)
        before = word
    return tuple(kept)


def local_function(config: Mapping[str, Any]) -> str | None:
    """Return the name of the function of a script or a notebook that trains a configuration; None for another one."""
    module, _, name = str(config.get("trainer", {}).get("_target_")).rpartition(".")
    return name if module == LOCAL_MODULE else None


def shown_path(path: str) -> str:
    """Return what a function at a dotted path is called to whoever wrote it."""
    return "the program" if path == PROGRAM else path.removeprefix(f"{LOCAL_MODULE}.")


def script_command(config: Mapping[str, Any]) -> str | None:
    """Return the command that runs the script again that a trial was; None for any other."""
    return f"python {config[SCRIPT]}" if SCRIPT in config else None


def is_outside(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration's trials are handed out and trained outside."""
    return str(config.get("trainer", {}).get("_target_")) == OUTSIDE


def is_program(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration's trials are runs of a program."""
    return str(config.get("trainer", {}).get("_target_")) == PROGRAM


def not_seeded(config: Mapping[str, Any]) -> str:
    """Return what is not promised of a program that is not told its seed, in a sentence; empty for any other."""
    if not is_program(config) or "{seed}" in str(config["trainer"]["command"]):
        return ""
    return (
        "the command has no {seed}: all seeds may give the same numbers, or none the same twice, and no trial is "
        "promised to be the same again"
    )


def from_outside(params: Mapping[str, Any]) -> str:
    """Return what stands in a command's place for a trial that was trained outside, by its hyperparameters."""
    return f"# trained outside, with {assignments(params)}"


def from_python(call: str) -> str:
    """Return a call that stands in a command's place, as a shell passes over it."""
    return f"# from Python: {call}"
