"""The format of what is kept: one number, in everything that a later version reads again.

Whoever changes what a file means counts `FORMAT` up by one, and adds to `UPGRADES` a function for each kind of content
whose meaning it changed. Content without a number is of format 1: it was written before there were others.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hpsearch.base.errors import StorageError

FORMAT = 1
"""The format that is written, and the newest one that is read."""
KEY = "format"
"""The field that says it, in a table of ours."""
TAG = "hpsearch.format"
"""The name that says it where others keep what is theirs: tags of a run, metadata, attributes of Optuna's study."""
_FIRST = 1
_SHOWN = 40

Kind: TypeAlias = Literal["study", "event", "search", "checkpoint", "weights", "run", "choice", "state"]
"""``study``: a description, ``study.yaml``; ``event``: a line of an event file, the configuration of a trial in one of
them; ``search``: attributes of Optuna's study; ``checkpoint``: ``last.pt``, ``end.pt``; ``weights``: metadata of
``best.safetensors``; ``run``: the record in the tags of an MLflow run; ``choice``: how trials are fused; ``state``:
what a loop of a user's own goes on from."""

UPGRADES: Mapping[tuple[Kind, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""By kind of content and its format: what makes content of the next format of it. A kind without one is the same in
both formats."""


def stamped(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return content with the format that it is written in."""
    return {**content, KEY: FORMAT}


def check_format(content: Mapping[str, Any], where: Path | str) -> int:
    """Return the format of content that was read.

    Args:
        content: a table, with its format or without one.
        where: it was read, for messages.

    Returns:
        The format, from 1 on.

    Raises:
        StorageError: it is a newer one, or what it says of its format is no number of one.
    """
    found = content.get(KEY, _FIRST)
    if type(found) is not int or found < _FIRST:
        said = f"{KEY} = {repr(found)[:_SHOWN]} is no format: must be a whole number from {_FIRST} on"
        raise StorageError(f"{where}: {said}; restore it or move it aside")
    if found > FORMAT:
        raise StorageError(
            f"{where}: is of format {found}, and this hpsearch reads formats up to {FORMAT}: update hpsearch"
        )
    return found


def upgraded(content: dict[str, Any], kind: Kind, where: Path | str) -> dict[str, Any]:
    """Return content that was read, as the present format has it.

    Args:
        content: a table, with its format or without one.
        kind: what it is.
        where: it was read, for messages.

    Returns:
        The same where nothing is older, else content of the present format; for errors see `check_format`.
    """
    found = check_format(content, where)
    if found == FORMAT:
        return content
    for number in range(found, FORMAT):
        upgrade = UPGRADES.get((kind, number))
        content = content if upgrade is None else upgrade(content)
    return stamped(content)


def untagged(tags: Mapping[str, Any], kind: Kind, where: Path | str) -> dict[str, Any]:
    """Return what `upgraded` does of tags, whose values may all be texts.

    Args:
        tags: by name, the format under `TAG`.
        kind: what they are.
        where: they were read, for messages.
    """
    found = tags.get(TAG, _FIRST)
    number = int(found) if isinstance(found, str) and found.isascii() and found.isdecimal() else found
    return upgraded({**tags, KEY: number}, kind, where)
