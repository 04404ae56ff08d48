"""Data sets of labelled images in four IDX files: found in the usual folders, else downloaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hpsearch.base.errors import DataError
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.download import check_folder, fetch
from hpsearch.data.idx import read


@dataclass(frozen=True, kw_only=True)
class IdxImages(DataSource):
    """Images and labels in files named as MNIST's: ``train-images-idx3-ubyte`` and so on, plain or gzip (``.gz``).

    With `root`, the files are looked for in that folder and in torchvision's layout under it (``NAME/raw``); they are
    there or it is an error. Without, in ``./data``, the same way, then in the folder of Debian's package, else they
    are downloaded once into the user's cache.

    Attributes:
        root: folder of the files; None looks in the usual places.
    """

    own_test: ClassVar[bool] = True
    torchvision_name: ClassVar[str]
    debian_name: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]]
    url: ClassVar[str]
    sha256: ClassVar[Mapping[str, str]]

    valid_fraction: float = 0.1
    root: str | None = None

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy."""
        super().__post_init__()
        check_folder("data.root", self.root)

    def arrays(self, test: bool) -> Arrays:
        """Read one pair of files; the other is not opened.

        Args:
            test: the test images instead of the training images.

        Returns:
            [N, 1, H, W] images of unsigned bytes and their labels.

        Raises:
            DataError: when a file is missing or damaged, or the two do not fit.
        """
        part = "t10k" if test else "train"
        images_path, labels_path = self._files((f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"))
        images, labels = read(images_path, axes=3), read(labels_path, axes=1)
        if len(images) != len(labels):
            raise DataError(f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels")
        return Arrays(images[:, None], labels, self.class_names, where=str(labels_path))

    def _files(self, stems: Sequence[str]) -> list[Path]:
        base = Path(self.root or "data").expanduser()
        folders = [base, base / self.torchvision_name / "raw"]
        if self.root is None:
            folders.append(Path("/usr/share/datasets") / self.debian_name)
        for folder in folders:
            if None not in (paths := [_existing(folder / stem) for stem in stems]):
                return [path for path in paths if path]
        looked = ", ".join(f"{folder}{'' if folder.is_dir() else ' (no such folder)'}" for folder in folders)
        missing = f"no {' and '.join(stems)} (or .gz) in {looked}"
        if self.root is not None:
            raise DataError(f"data.root = {self.root!r}: {missing}")
        return [self._download(f"{stem}.gz", missing) for stem in stems]

    def _download(self, name: str, missing: str) -> Path:
        return fetch(self.url + name, self.sha256[name], self.debian_name, f"{type(self).__name__}: {missing}")


def _existing(path: Path) -> Path | None:
    return next((file for file in (path, path.with_name(f"{path.name}.gz")) if file.is_file()), None)
