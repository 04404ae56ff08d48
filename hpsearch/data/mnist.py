"""MNIST and Fashion-MNIST: labelled images in four IDX files, found in the usual folders, else downloaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hpsearch.base.contents import Place, place_of
from hpsearch.base.errors import DataError
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.download import fetch
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
    files_say_all: ClassVar[bool] = True
    torchvision_name: ClassVar[str]
    debian_name: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]]
    url: ClassVar[str]
    sha256: ClassVar[Mapping[str, str]]

    valid_fraction: float = 0.1
    root: str | None = None

    def arrays(self, test: bool) -> Arrays:
        """Read one pair of files; the other is not opened.

        Args:
            test: the test images instead of the training images.

        Returns:
            [N, 1, H, W] images of unsigned bytes and their labels.

        Raises:
            DataError: when a file is missing or damaged, or the two do not fit.
        """
        images_path, labels_path = self._files(_stems(test))
        images, labels = read(images_path, axes=3), read(labels_path, axes=1)
        if len(images) != len(labels):
            raise DataError(f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels")
        return Arrays(images[:, None], labels, self.class_names, where=str(labels_path))

    def places(self) -> dict[str, Place]:
        """Return the files that are there, of both parts."""
        pairs = [(stems, self._found(stems)) for stems in (_stems(False), _stems(True))]
        return {stem: place_of(path) for stems, paths in pairs for stem, path in zip(stems, paths, strict=False)}

    def _folders(self) -> list[Path]:
        base = Path(self.root or "data").expanduser()
        usual = [] if self.root is not None else [Path("/usr/share/datasets") / self.debian_name]
        return [base, base / self.torchvision_name / "raw", *usual]

    def _found(self, stems: Sequence[str]) -> list[Path]:
        """Return the files in the first folder that has all of them; none where no folder does."""
        for folder in self._folders():
            paths = [path for stem in stems if (path := _existing(folder / stem))]
            if len(paths) == len(stems):
                return paths
        return []

    def _files(self, stems: Sequence[str]) -> list[Path]:
        if paths := self._found(stems):
            return paths
        folders = self._folders()
        looked = ", ".join(f"{folder}{'' if folder.is_dir() else ' (no such folder)'}" for folder in folders)
        missing = f"no {' and '.join(stems)} (or .gz) in {looked}"
        if self.root is not None:
            raise DataError(f"data.root = {self.root!r}: {missing}")
        return [self._download(f"{stem}.gz", missing) for stem in stems]

    def _download(self, name: str, missing: str) -> Path:
        return fetch(self.url + name, self.sha256[name], self.debian_name, f"{type(self).__name__}: {missing}")


@dataclass(frozen=True, kw_only=True)
class MNIST(IdxImages):
    """60,000 training and 10,000 test images of handwritten digits, 28x28 pixels of 0 to 255.

    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition,
    Proceedings of the IEEE 86(11), 1998.
    """

    torchvision_name: ClassVar = "MNIST"
    debian_name: ClassVar = "mnist"
    class_names: ClassVar = tuple("0123456789")
    url: ClassVar = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    sha256: ClassVar = {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }


@dataclass(frozen=True, kw_only=True)
class FashionMNIST(IdxImages):
    """60,000 training and 10,000 test images of clothes, 28x28 pixels of 0 to 255, ten balanced classes.

    Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms, arXiv:1708.07747, 2017.
    """

    torchvision_name: ClassVar = "FashionMNIST"
    debian_name: ClassVar = "fashion-mnist"
    class_names: ClassVar = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    url: ClassVar = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
    sha256: ClassVar = {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    }


def _stems(test: bool) -> tuple[str, str]:
    part = "t10k" if test else "train"
    return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"


def _existing(path: Path) -> Path | None:
    return next((file for file in (path, path.with_name(f"{path.name}.gz")) if file.is_file()), None)
