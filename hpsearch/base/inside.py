"""Names and links that would lead out of a study's folder."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.media import MEDIA

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}(@[0-9a-f]{4,32})?")
"""That of a folder; behind an @, for one among several of a tracking store, the beginning of its uid."""
_TRIALS = "trials"
_OURS = re.compile(rf"({MEDIA}|settings\.\w+|(log|layers|last|best|end|samples|reports|resume)\.\w+)")
"""Files of ours in the folder of a trial."""


def check_name(name: str) -> str:
    """Return the name of a study, which is that of its folder.

    Raises:
        ConfigError: it is none, as `..`, an absolute path or one of several folders.
    """
    if not is_name(name):
        raise ConfigError(f"'{name}': is no name of a study, which has letters, digits, '.', '_' and '-' alone")
    return name


def is_name(text: str) -> bool:
    """Return whether a text can be the name of a study."""
    return _NAME.fullmatch(text) is not None


def inside(folder: Path, path: str | Path) -> Path:
    """Return the place of a file that a record names.

    Args:
        folder: that it must lie in.
        path: relative to the folder.

    Raises:
        StorageError: it lies elsewhere, or links lead there.
    """
    if not is_inside(folder, folder / path):
        raise StorageError(f"{folder}: its record names {path}, which lies outside")
    return folder / path


def is_inside(folder: Path, path: Path) -> bool:
    """Return whether a path lies in a folder once its links are followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def check_links(folder: Path) -> None:
    """Refuse a study's folder in which links lead out of it, where files of ours lie.

    Args:
        folder: of the study, which need not be there. In the folders of its trials a program of the user's may leave
            links under names of its own: nothing of ours is read or written there.

    Raises:
        StorageError: there is such a link.
    """
    for entry in _links(folder):
        if not is_inside(folder, Path(entry.path)):
            raise StorageError(f"{entry.path}: is a link that leads out of {folder}; remove it, or put the file there")


def _links(folder: Path) -> Iterator[os.DirEntry[str]]:
    for entry in _entries(folder):
        if entry.is_symlink():
            yield entry
        elif entry.name == _TRIALS and entry.is_dir():
            for trial in _entries(entry.path):
                yield from (trial,) if trial.is_symlink() else _ours(trial)
        elif entry.is_dir():
            yield from filter(os.DirEntry.is_symlink, _entries(entry.path))


def _ours(trial: "os.DirEntry[str]") -> Iterator["os.DirEntry[str]"]:
    """Yield the links of a trial's folder that are in the places of files."""
    for entry in _entries(trial.path):
        if entry.is_symlink() and _OURS.fullmatch(entry.name):
            yield entry
        elif entry.name == MEDIA:
            for shown in _entries(entry.path):
                yield from (shown,) if shown.is_symlink() else filter(os.DirEntry.is_symlink, _entries(shown.path))


def _entries(folder: str | Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
