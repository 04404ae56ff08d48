"""What the driver, the gateway and the actors say to each other."""

import os
from dataclasses import dataclass
from typing import Any, TypeAlias

Said: TypeAlias = tuple[int, bytes, bytes]
"""What an actor says: the number of one of its workers, kind and payload of a frame of that, or one of those below."""
NAMED = b"N"  # what the worker process is called: a text
NEED = b"F"  # files that its node does not see: a pickle of their paths
FILE = b"P"  # a piece of a file of a trial: a pickle of a `Piece`

Order: TypeAlias = tuple[Any, ...]
"""What an actor is to do: the name of a method of `Agent`, then its arguments."""

Place: TypeAlias = tuple[str, tuple[int, int] | None]
"""A folder of the driver's machine, and its `mark` there."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every worker needs.

    Attributes:
        cpus: of Ray's that it takes; 0 on a cluster of its own, which has no other use.
        threads: that it computes with.
        gpus: that it takes, or the share of one; 0 where there are none.
        log_limit: bytes that a log may have.
        folder: in which the driver works.
        path: where the driver looks for modules.
        module: of this package that it imports at once, before it is told what to train; empty for none.
    """

    cpus: int
    threads: int
    gpus: float
    log_limit: int
    folder: Place
    path: tuple[Place, ...]
    module: str


@dataclass(frozen=True, slots=True)
class Opening:
    """How the gateway finds a cluster.

    Attributes:
        address: of the cluster; None: start one on this machine.
        modules: files and folders of modules that the nodes need.
        temporary: for the files of a cluster of its own, in a folder that is closed to others.
    """

    address: str | None
    modules: tuple[str, ...]
    temporary: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a batch or a call needs of the driver's files.

    Attributes:
        token: a file beside the folders of the trials, and what is in it; None for a call.
        files: others, each with the digest of what it holds.
    """

    token: tuple[str, str] | None
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file.

    Attributes:
        folder: of the trial, as the driver knows it.
        name: of the file in it.
        data: what follows; None: the file is gone.
        first: whether the file begins with it.
        last: whether it ends with it.
    """

    folder: str
    name: str
    data: bytes | None
    first: bool = True
    last: bool = True


def mark(folder: str) -> tuple[int, int] | None:
    """Return what tells a folder from others of its name on other machines: its number, and when it last changed."""
    try:
        found = os.stat(folder)  # noqa: PTH116 (of every entry of a path)
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def place(folder: str) -> Place:
    """Return a folder of this machine, to be looked for on another."""
    return folder, mark(folder)


def is_here(place: Place) -> bool:
    """Return whether this machine sees a folder of another one."""
    folder, known = place
    return known is not None and mark(folder) == known
