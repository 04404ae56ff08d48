"""Files of trials that go between the driver and a node that does not see the driver's folder."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hpsearch.base.contents import content_of, place_of
from hpsearch.base.files import replacement
from hpsearch.base.leftovers import is_temporary
from hpsearch.launch.ray.terms import Piece

_PIECE = 16 * 2**20


def digest_of(path: str | Path) -> str:
    """Return the digest of a file, or of a folder; empty where nothing is there."""
    content = content_of(place_of(str(path)))
    return "" if content is None else content.digest


class Folder:
    """The folder of a trial, and which of its files the other side has.

    Args:
        path: where it is.
        name: what the driver calls it.
        attempt: of the trial, whose files they are.
    """

    def __init__(self, path: Path, name: str, attempt: int = 1) -> None:
        self.path, self.name, self.attempt = path, name, attempt
        self._known: dict[str, tuple[int, int, int]] = {}

    def news(self) -> Iterator[Piece]:
        """Return what the other side does not have, file by file, the removed ones at last."""
        found = dict(_files(self.path))
        for name, state in found.items():
            if self._known.get(name) != state:
                yield from pieces(self.path / name, self.name, name)
                self._known[name] = state
        for name in self._known.keys() - found.keys():
            del self._known[name]
            yield Piece(self.name, name, None)

    def clear(self) -> None:
        """Remove its files."""
        for name, _ in _files(self.path):
            (self.path / name).unlink(missing_ok=True)

    def take(self) -> None:
        """Note that the other side has all that is here."""
        self._known = dict(_files(self.path))


def pieces(path: Path, folder: str, name: str) -> Iterator[Piece]:
    """Return a file in pieces; one that is gone meanwhile has none."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        first, data = True, file.read(_PIECE)
        while True:
            following = file.read(_PIECE)
            yield Piece(folder, name, data, first, last=not following)
            if not following:
                return
            first, data = False, following


def pieces_in(folder: Path) -> Iterator[Piece]:
    """Return every file of a folder in pieces, under the folder's own name."""
    for name, _ in _files(folder):
        yield from pieces(folder / name, str(folder), name)


class Writer:
    """Writes files that come in pieces, each in one move when its last piece is there.

    Args:
        durable: whether to wait until they are on the disk.
    """

    def __init__(self, durable: bool) -> None:
        self._durable = durable
        self._parts: dict[tuple[Path, str], list[bytes]] = {}

    def take(self, piece: Piece, folder: Path) -> None:
        """Take a piece of a file in a folder.

        Raises:
            ValueError: its name leads out of the folder.
        """
        name = PurePosixPath(piece.name)
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"a file of a trial cannot be named {piece.name!r}")
        path = folder / name
        if piece.data is None:
            path.unlink(missing_ok=True)
            return
        parts = [] if piece.first else self._parts.pop((folder, piece.name), [])
        parts.append(piece.data)
        if not piece.last:
            self._parts[folder, piece.name] = parts
            return
        with replacement(path, self._durable) as temporary, temporary.open("wb") as file:
            file.writelines(parts)


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Return the files below a folder that are no link and no temporary file, and what changes with each."""
    for here, _, names in os.walk(folder):
        for name in names:
            path = Path(here, name)
            if is_temporary(name) or path.is_symlink() or not path.is_file():
                continue
            with suppress(FileNotFoundError):
                found = path.stat()
                yield path.relative_to(folder).as_posix(), (found.st_ino, found.st_size, found.st_mtime_ns)
