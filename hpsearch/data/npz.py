"""Arrays in a NumPy archive."""

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpsearch.base import intake
from hpsearch.base.contents import Place, place_of
from hpsearch.base.errors import ConfigError, DataError, check_choice, check_int, first_line, nearest
from hpsearch.data.arrays import TASKS, Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.labels import counted
from hpsearch.data.parting import check_one_way

_NPY = b"\x93NUMPY"
_HEADERS: Mapping[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Readers of headers by version; later ones are for records, whose names are no arrays of numbers."""
_PICKLED = "it holds a pickle, which can run code when it is read; save arrays of numbers"
LAYOUTS = ("channels_first", "channels_last")


@dataclass(frozen=True, kw_only=True)
class Npz(DataSource):
    """Inputs and targets in an ``.npz`` file, as `numpy.savez` writes it; pickled objects in it are refused.

    Inputs are features [N, F], grey images [N, H, W], or images [N, C, H, W] or [N, H, W, C] as `layout` says.

    Attributes:
        path: the file.
        x: name of the array of inputs.
        y: name of the array of labels or targets.
        x_test: name of the inputs of the test part; None where the file has none.
        y_test: name of the labels or targets of the test part.
        groups: name of an array [N]: the samples of one of its values stay in one part; None for none. That of the test
            part has ``_test`` behind its name.
        time: name of an array [N] of numbers or dates by which parts follow one another, likewise.
        task: ``classification`` or ``regression``.
        num_classes: number of classes; None counts up to the largest label.
        layout: ``channels_first`` or ``channels_last``.
    """

    files_say_all: ClassVar[bool] = True

    path: str | None = None
    x: str = "x"
    y: str = "y"
    x_test: str | None = None
    y_test: str | None = None
    groups: str | None = None
    time: str | None = None
    task: str = "classification"
    num_classes: int | None = None
    layout: str = "channels_first"

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy.

        Raises:
            ConfigError: naming the key, its value and what is allowed.
        """
        super().__post_init__()
        if not (isinstance(self.path, str) and self.path):
            raise ConfigError(f"data.path = {self.path!r}: must be an .npz file")
        check_choice("data.task", self.task, TASKS)
        check_choice("data.layout", self.layout, LAYOUTS)
        if self.num_classes is not None:
            check_int("data.num_classes", self.num_classes, 2)
        check_one_way(self.groups, self.time)
        if (self.x_test is None) != (self.y_test is None):
            raise ConfigError(f"data.x_test = {self.x_test!r}, data.y_test = {self.y_test!r}: name both or neither")

    def has_test(self) -> bool:
        """Return whether arrays of a test part are named."""
        return self.x_test is not None

    def places(self) -> dict[str, Place]:
        """Return the file."""
        return {"path": place_of(str(self.path))}

    def arrays(self, test: bool) -> Arrays:
        """Read one pair of arrays.

        Args:
            test: those of the test part.

        Returns:
            The samples.
        """
        wanted = [name for name in ((self.x_test, self.y_test) if test else (self.x, self.y)) if name is not None]
        extra = [f"{name}_test" if test else name for name in (self.groups, self.time) if name is not None]
        x, y, *further = _read(str(self.path), [*wanted, *extra])
        kept: dict[str, Any] = {"groups" if self.groups else "time": each for each in further}
        x = self._shaped(wanted[0], x)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if self.task == "regression":
            return Arrays(x, y.astype(np.float64), where=str(self.path), **kept)
        return Arrays(x, y, () if test else self._names(y), where=str(self.path), **kept)

    def _shaped(self, name: str, x: NDArray[Any]) -> NDArray[Any]:
        if x.ndim == 3:
            return x[:, None]
        if x.ndim == 4 and self.layout == "channels_last":
            return np.moveaxis(x, 3, 1)
        if x.ndim not in (2, 4):
            raise DataError(
                f"{self.path}: '{name}' has shape {x.shape}, expected [N, F], [N, H, W] or images of channels"
            )
        return x

    def _names(self, y: NDArray[Any]) -> tuple[str, ...]:
        if self.num_classes is not None:
            return tuple(map(str, range(self.num_classes)))
        return counted(y, f"{self.path}: ", "say data.num_classes")


def _read(path: str, names: list[str]) -> list[NDArray[Any]]:
    try:
        with intake.opened(Path(path).expanduser()) as file, zipfile.ZipFile(_archive(path, file)) as archive:
            members = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
            for name in names:
                if name not in members:
                    raise DataError(f"{path}: no array '{name}'{nearest(name, members)} (it has: {', '.join(members)})")
            arrays = [_array(f"{path}: '{name}'", archive, members[name]) for name in names]
    except DataError:
        raise
    except Exception as error:  # a damaged file fails in as many ways as there are places to damage
        reason = "no such file" if isinstance(error, FileNotFoundError) else first_line(error) or type(error).__name__
        if "allow_pickle" in reason:
            reason = _PICKLED
        raise DataError(f"{path}: cannot be read as .npz ({reason})") from error
    for name, array in zip(names[:2], arrays, strict=False):
        if array.dtype.kind not in "buif":
            raise DataError(f"{path}: '{name}' holds {array.dtype}, expected numbers")
    return arrays


def _archive(path: str, file: IO[bytes]) -> IO[bytes]:
    """Return a file that is an archive and no single array."""
    start = file.read(len(_NPY))
    file.seek(0)
    if start[:1] == b"\x80":
        raise ValueError(_PICKLED)
    if start == _NPY:
        raise DataError(f"{path}: holds one array, expected an .npz archive")
    return file


def _array(what: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Read an array whose header says what the archive says: memory is taken for no more than the file can hold."""
    whole = os.fstat(archive.fp.fileno()).st_size if archive.fp else 0
    most = whole if member.compress_type == zipfile.ZIP_STORED else intake.most_unpacked(member.compress_size)
    if member.file_size > most:
        raise DataError(f"{what}: {member.compress_size} bytes promise {member.file_size}: save it with numpy.savez")
    intake.check_fits(what, member.file_size)
    with archive.open(member) as file:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > member.file_size:
            raise DataError(f"{what}: shape {shape} in its header, but {member.file_size} bytes")
    with archive.open(member) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array
