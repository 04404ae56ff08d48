"""What lies on the disk, as digests; a file whose size, times and number there are the same is not read again."""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any

from hpsearch.base.environment import revealed
from hpsearch.base.plain import stable_hash

SETTLED_SEC = 2.0
"""A file that was changed less than this before it was read may change again within one tick of its clock."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A file, or the files of a folder, that samples are read from.

    Attributes:
        path: of the file or folder.
        endings: of the files of a folder that count, in lower case; empty: all. Hidden ones never do.
    """

    path: str
    endings: tuple[str, ...] = ()

    def files(self) -> list[Path]:
        """Return the files, in order."""
        root = Path(self.path)
        return sorted(_within(root, self.endings)) if root.is_dir() else [root]


@dataclass(frozen=True, slots=True)
class Content:
    """What a place holds.

    Attributes:
        place: the file or folder.
        digest: 16 hex digits of the SHA-256 of a file; of a folder, of the names and bytes of its files.
        size: bytes, of all files.
        files: how many there are.
        stamp: digest of size, times and number on the disk of every file; empty where one had just been changed.
    """

    place: Place
    digest: str
    size: int
    files: int
    stamp: str = field(compare=False)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Content":
        """Return what `asdict` made a dictionary of, with lists for tuples as JSON has them."""
        place = Place(fields["place"]["path"], tuple(fields["place"]["endings"]))
        return cls(**{**fields, "place": place})


@dataclass(frozen=True, slots=True)
class DataState:
    """What trials are trained on, as it was read.

    Attributes:
        files: contents by the role of a file.
        samples: digest of the samples, of a source whose files do not say all; else empty.
        rows: samples, those of a test part of its own left out; 0 where they were not counted.
        columns: shape of one input; empty where it is not known.
    """

    files: Mapping[str, Content] = field(default_factory=dict)
    samples: str = ""
    rows: int = 0
    columns: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """One digest of all of it, the empty string where nothing is known."""
        known = {role: content.digest for role, content in self.files.items()}
        return stable_hash({"files": known, "samples": self.samples}) if known or self.samples else ""

    @property
    def of_files(self) -> "DataState":
        """The same without the samples."""
        return DataState(self.files)

    @property
    def fields(self) -> dict[str, Any]:
        """The state as JSON holds it; `of` takes it."""
        return {"digest": self.digest, **asdict(self)}

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "DataState":
        """Return the state that `fields` came from, on record or not."""
        fields = revealed(fields)
        files = {role: Content.of(content) for role, content in fields["files"].items()}
        return cls(files, fields["samples"], fields["rows"], tuple(fields["columns"]))

    def differences(self, before: "DataState") -> list[str]:
        """Return what is not as it was before, in words."""
        found = []
        if self.rows and before.rows and self.rows != before.rows:
            found.append(f"rows {before.rows} -> {self.rows}")
        if self.columns and before.columns and self.columns != before.columns:
            found.append(f"columns {_shape(before.columns)} -> {_shape(self.columns)}")
        for role in sorted(self.files.keys() | before.files.keys()):
            found.extend(_changed(role, before.files.get(role), self.files.get(role)))
        if self.samples != before.samples:
            found.append(f"digest of the samples {before.samples or 'none'} -> {self.samples or 'none'}")
        return found


_seen: dict[Place, Content] = {}


def content_of(place: Place, known: Content | None = None) -> Content | None:
    """Return what a place holds, None where nothing is there.

    Args:
        place: a file, or a folder with all that lies in it.
        known: what it held before, also in an earlier process; its bytes are read only where its stamp differs.
    """
    began = time.time()
    try:
        found = [(file, file.stat()) for file in place.files()]
    except OSError:
        return None
    regular = [(file, stat) for file, stat in found if S_ISREG(stat.st_mode)]  # a pipe or a device has no content
    if found and not regular:
        return None
    files, stats = [file for file, _ in regular], [stat for _, stat in regular]
    numbers = [(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for stat in stats]
    stamp = stable_hash({"files": [[str(file), *each] for file, each in zip(files, numbers, strict=True)]})
    for earlier in (_seen.get(place), known):
        if earlier is not None and earlier.place == place and earlier.stamp == stamp:
            return earlier
    newest = max((max(stat.st_mtime, stat.st_ctime) for stat in stats), default=0.0)
    size, settled = sum(stat.st_size for stat in stats), newest < began - SETTLED_SEC
    content = Content(place, _digest(place, files), size, len(files), stamp if settled else "")
    _seen[place] = content
    return content


def contents_of(places: Mapping[str, Place], known: Mapping[str, Content] | None = None) -> dict[str, Content]:
    """Return what places hold by their role, those left out where nothing is."""
    known = known or {}
    found = {role: content_of(place, known.get(role)) for role, place in places.items()}
    return {role: content for role, content in found.items() if content is not None}


def named_in(values: Mapping[str, Any]) -> dict[str, Place]:
    """Return the files and folders that values name, as absolute paths; folders that hold the working folder excepted.

    Args:
        values: by name; only texts and paths are looked at.
    """
    here, found = Path.cwd().resolve(), {}
    for name, value in values.items():
        path = _existing(value) if isinstance(value, str | os.PathLike) else None
        if path is not None and not here.is_relative_to(path.resolve()):
            found[name] = Place(str(path))
    return found


def place_of(path: str | os.PathLike[str], endings: tuple[str, ...] = ()) -> Place:
    """Return where a path leads, from the working folder."""
    return Place(str(Path.cwd() / Path(path).expanduser()), endings)


def _existing(value: str | os.PathLike[str]) -> Path | None:
    try:
        path = Path(place_of(value).path)
        return path if str(value) and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # no path at all: too long, a null byte, a user that is not known
        return None


def _within(root: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of a folder, through links to folders too, each folder once."""
    entered: set[Path] = set()
    for folder, inner, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in entered:
            inner.clear()
            continue
        entered.add(real)
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and (not endings or name.lower().endswith(endings)):
                yield Path(folder, name)


def _digest(place: Place, files: list[Path]) -> str:
    digest, root = hashlib.sha256(), Path(place.path)
    for file in files:
        if file != root:
            digest.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _shape(columns: tuple[int, ...]) -> str:
    return "x".join(map(str, columns))


def _changed(role: str, before: Content | None, now: Content | None) -> Iterator[str]:
    if before is None or now is None:
        content, what = (now, "is new") if before is None else (before, "is gone")
        assert content is not None
        yield f"{role} {content.place.path} {what}"
    elif before.digest != now.digest:
        sizes = f"size {before.size} -> {now.size} bytes, " if before.size != now.size else ""
        files = f"files {before.files} -> {now.files}, " if before.files != now.files else ""
        yield f"{role} {now.place.path}: {files}{sizes}digest {before.digest} -> {now.digest}"
