"""CIFAR-10."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hpsearch.base import intake
from hpsearch.base.contents import Place, place_of
from hpsearch.base.errors import DataError
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.download import fetch

FOLDER, ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
PICKLED = ("cifar-10-batches-py", "cifar-10-python.tar.gz")
SHAPE = (3, 32, 32)
TRAINING_BATCHES, TEST_BATCH = [f"data_batch_{i}.bin" for i in range(1, 6)], "test_batch.bin"
RECORD = 1 + 3 * 32 * 32
"""Bytes of one image: its label, then its pixels by channel and row."""
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"


@dataclass(frozen=True, kw_only=True)
class CIFAR10(DataSource):
    """50,000 training and 10,000 test images of animals and vehicles, 3x32x32 bytes, ten balanced classes.

    The binary version is read, from its folder or its archive; the pickled one never is, because a pickle can run any
    program. With `root`, they are looked for there; they are there or it is an error. Without, in ``./data``, else the
    archive is downloaded once into the user's cache.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.

    Attributes:
        root: folder of the batches or of the archive; None looks in the usual places.
    """

    own_test: ClassVar[bool] = True
    files_say_all: ClassVar[bool] = True
    class_names: ClassVar = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )

    valid_fraction: float = 0.1
    root: str | None = None

    def arrays(self, test: bool) -> Arrays:
        """Read the five training batches or the test batch.

        Args:
            test: the test images instead of the training images.

        Returns:
            [N, 3, 32, 32] images of unsigned bytes and their labels.
        """
        names = [TEST_BATCH] if test else TRAINING_BATCHES
        found = self._folder(names)
        if isinstance(found, Path) and found.is_dir():
            contents = {str(found / name): intake.read(found / name) for name in names}
        else:
            contents = _unpacked(found, names)
        records = np.concatenate([_records(where, content) for where, content in contents.items()])
        images = records[:, 1:].reshape(-1, *SHAPE)
        return Arrays(images, records[:, 0], self.class_names, where=str(found))

    def places(self) -> dict[str, Place]:
        """Return the folder of the batches, or their archive, where one is there."""
        found = self._found(TRAINING_BATCHES)
        return {} if found is None else {"root": place_of(found, (".bin",))}

    def _found(self, names: list[str]) -> Path | None:
        base = Path(self.root or "data").expanduser()
        for folder in (base, base / FOLDER):
            if all((folder / name).is_file() for name in names):
                return folder
        return base / ARCHIVE if (base / ARCHIVE).is_file() else None

    def _folder(self, names: list[str]) -> Path:
        """Return the folder of the batches, or their archive."""
        if found := self._found(names):
            return found
        base = Path(self.root or "data").expanduser()
        hint = next(
            (
                f"; {base / name} is the pickled version, which is not read"
                for name in PICKLED
                if (base / name).exists()
            ),
            "",
        )
        missing = f"no {names[0]} and no {ARCHIVE} in {base}{'' if base.is_dir() else ' (no such folder)'}{hint}"
        if self.root is not None:
            raise DataError(f"data.root = {self.root!r}: {missing}")
        return fetch(URL, SHA256, "cifar-10", f"{type(self).__name__}: {missing}")


def _unpacked(archive: Path, names: list[str]) -> dict[str, bytes]:
    """Read files out of an archive, without writing any."""
    content = intake.unpacked(archive, intake.read(archive), ".gz")
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as files:
            members = {name: files.getmember(f"{FOLDER}/{name}") for name in names}
            return {f"{archive}:{name}": _member(files, member) for name, member in members.items()}
    except KeyError as error:
        raise DataError(f"{archive}: {error.args[0]}") from None
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise DataError(f"{archive}: damaged archive ({error})") from error


def _member(files: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = files.extractfile(member) if member.isreg() else None  # a link may lead to itself
    return file.read() if file else b""


def _records(where: str, content: bytes) -> NDArray[np.uint8]:
    if not content or len(content) % RECORD:
        raise DataError(f"{where}: {len(content)} bytes, expected a multiple of {RECORD}, the size of an image")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    wrong = np.flatnonzero(records[:, 0] > 9)
    if len(wrong):
        raise DataError(f"{where}: image {wrong[0]} has label {records[wrong[0], 0]}, expected 0 to 9")
    return records
