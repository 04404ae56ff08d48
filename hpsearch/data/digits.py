"""scikit-learn's handwritten digits."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource


@dataclass(frozen=True, kw_only=True)
class Digits(DataSource):
    """1,797 real images of handwritten digits, 8x8 pixels of 0 to 16, about 180 of each class.

    They come inside scikit-learn, so this source needs no file and no network.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    1998 (its test set).
    """

    files_say_all: ClassVar[bool] = True

    def arrays(self, test: bool) -> Arrays:  # noqa: ARG002 - it has no test part of its own
        """Read all images."""
        table = _table()
        x = table[:, :-1].reshape(-1, 1, 8, 8).astype(np.float32)
        return Arrays(x, table[:, -1].astype(np.int64), tuple("0123456789"))


def _table() -> NDArray[np.float64]:
    # Importing scikit-learn takes about a second in every worker; the file alone takes hundredths.
    package = importlib.util.find_spec("sklearn")
    folders = package.submodule_search_locations if package else None
    path = Path(next(iter(folders or ("",)))) / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack((bunch.data, bunch.target))
