"""The parts of a study that are read, or downloaded, when they are asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from hpsearch.base.errors import StorageError
from hpsearch.base.layer_rows import sound_rows
from hpsearch.base.media import Medium, media_of
from hpsearch.base.types import TrialId
from hpsearch.tracking.events import TrialRecord

K = TypeVar("K")
V = TypeVar("V")
Media: TypeAlias = Mapping[TrialId, Mapping[Medium, bytes]]


class Lazy(Mapping[K, V]):
    """A mapping whose values are read, or downloaded, when they are asked for.

    Args:
        keys: that it has.
        read: returns the value of a key.
    """

    def __init__(self, keys: Iterable[K], read: Callable[[K], V]) -> None:
        self._keys, self._read = dict.fromkeys(keys), read

    def __getitem__(self, key: K) -> V:
        if key not in self._keys:
            raise KeyError(key)
        return self._read(key)

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def rows_of(read: Callable[[TrialId], Any]) -> Callable[[TrialId], Sequence[Mapping[str, Any]]]:
    """Return what reads the rows of layers of a trial; a file that cannot be read has none."""

    def rows(trial: TrialId) -> Sequence[Mapping[str, Any]]:
        try:
            found = read(trial)
        except (OSError, ValueError, StorageError):
            return []
        return sound_rows(found)

    return rows


def media_by_trial(records: Iterable[TrialRecord], read: Callable[[TrialRecord, Medium], bytes]) -> Media:
    """Return what trials logged beside numbers; a file that cannot be read is empty."""

    def content(record: TrialRecord, medium: Medium) -> bytes:
        try:
            return read(record, medium)
        except (OSError, StorageError):
            return b""

    known = {record.id: record for record in records if media_of(record.artifacts)}
    return Lazy(known, lambda trial: Lazy(media_of(known[trial].artifacts), partial(content, known[trial])))
