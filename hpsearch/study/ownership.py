"""Whose folder a study's is: its lock, and the configuration that it was started with."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hpsearch.base.errors import StorageError
from hpsearch.config.compose import Composition, diff
from hpsearch.search.storage import study_lock

SINGLE = "single"
STUDY_FILE = "study.yaml"
RUN_TIME = ("launcher", "tracker", "storage", "budget")
"""Where and how much to run: not part of what a study is."""


@contextmanager
def owned(folder: Path, study: Mapping[str, Any], anew: bool, line: Callable[[str], None]) -> Iterator[bool]:
    """Hold a study's lock, with its configuration compared, or written when the study is new.

    Args:
        folder: of the study; created if need be.
        study: what it is; see `described`.
        anew: whether an earlier study of this name is moved aside.
        line: shows one line.

    Yields:
        Whether one was moved aside. A study of another configuration raises a StorageError.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        moves = anew and (folder / STUDY_FILE).exists()
        if moves:
            line(f"the earlier study is kept in {move_aside(folder)}")
            stack.enter_context(locked(folder))
        if (folder / STUDY_FILE).exists():
            _refuse_changes(folder, study)
        else:
            write_yaml(folder / STUDY_FILE, study)
        yield moves


def described(composition: Composition, space: Mapping[str, str]) -> dict[str, Any]:
    """Return what a study is: its name, question and command, its space and its configuration."""
    return {
        "name": composition.study_name,
        "question": composition.config["study"]["question"],
        "command": composition.command,
        "space": dict(space),
        "config": composition.config,
    }


def _refuse_changes(folder: Path, study: Mapping[str, Any]) -> None:
    old, new = (_identity(each) for each in (read_yaml(folder / STUDY_FILE), study))
    if old != new:
        changes = "; ".join(diff(old, new).splitlines())
        raise StorageError(
            f"study '{folder.name}' was started with another configuration ({changes}); "
            "choose another study.name, or study.restart=true to start again"
        )


def _identity(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a study's description that a resumed one must share."""
    config = {key: value for key, value in study["config"].items() if key not in RUN_TIME}
    config["study"] = {key: value for key, value in config["study"].items() if key not in ("restart", "question")}
    if "stages" in config:  # what a failed gate does may change after it failed
        config["stages"] = {name: {**each, "on_fail": ""} for name, each in config["stages"].items()}
    return {"config": config, "space": dict(study["space"])}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create a study's folder if need be and hold its lock.

    Yields:
        Nothing; the lock is held inside the block.

    Raises:
        StorageError: the folder cannot be written, or another driver holds the lock.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot create {folder}: {error.strerror}") from None
    single = folder.name == SINGLE
    what = "another single trial, one at a time in a folder," if single else f"study '{folder.name}'"
    with study_lock(folder, what):
        yield


def move_aside(folder: Path) -> Path:
    """Rename a study's folder after the present time, so that the study can start again."""
    target = folder.with_name(f"{folder.name}.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    return folder.rename(target)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file.

    Returns:
        Its table; empty when there is no file.

    Raises:
        StorageError: it holds no table.
    """
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} is damaged ({str(error).splitlines()[0]})") from None
    if not isinstance(content, dict):
        raise StorageError(f"{path} is damaged: it holds {content!r} and no table")
    return content


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a YAML file, keys in the order given, through a temporary file that is on the disk before its renaming."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        yaml.safe_dump(dict(content), file, sort_keys=False, allow_unicode=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
