"""Files of the driver's that workers read on machines that may not see them."""

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, SupportsIndex

FOLDER = "HPSEARCH_SENT"
"""The environment variable of a worker with the folder of what its machine was sent, under the driver's paths."""


class SentFile(str):
    """The path of a file of the driver's; to a worker whose machine was sent it, that of the copy."""

    __slots__ = ()

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        return _received, (str(self),)


def _received(path: str) -> SentFile:
    copy = copy_of(path, Path(os.environ[FOLDER])) if FOLDER in os.environ else None
    return SentFile(copy if copy is not None and copy.is_file() else path)


def copy_of(path: str, folder: Path) -> Path:
    """Return where the copy of what the driver has at a path lies in a folder of what was sent."""
    return folder / Path(path).relative_to(Path(path).anchor)


def sent_files(value: Any) -> Iterator[SentFile]:
    """Yield the files of the driver's that a value names: a call with its arguments, or a configuration."""
    if isinstance(value, SentFile):
        yield value
    elif isinstance(value, partial):
        yield from sent_files([value.args, value.keywords])
    elif isinstance(value, Mapping):
        yield from sent_files([*value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from sent_files(each)
