"""scikit-learn's small tables; they come inside it, so they need no file and no network."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from hpsearch.base.errors import DataError
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource


@dataclass(frozen=True, kw_only=True)
class SklearnTable(DataSource):
    """A table of features whose last column is the class; its first line names the classes."""

    file: ClassVar[str]
    files_say_all: ClassVar[bool] = True

    batch_size: int | str = 32
    scaling: str = "standardize"

    def arrays(self, test: bool) -> Arrays:  # noqa: ARG002 - it has no test part of its own
        """Read the table."""
        path = bundled(self.file)
        with path.open(encoding="utf-8") as file:
            names = tuple(file.readline().strip().split(",")[2:])
            table = np.loadtxt(file, delimiter=",")
        return Arrays(table[:, :-1], table[:, -1].astype(np.int64), names, where=str(path))


@dataclass(frozen=True, kw_only=True)
class BreastCancer(SklearnTable):
    """569 tumours with 30 measurements of their cells, malignant (212) or benign (357).

    Source: Street, Wolberg and Mangasarian, Nuclear Feature Extraction for Breast Tumor Diagnosis, 1993 (UCI Breast
    Cancer Wisconsin, Diagnostic).
    """

    file: ClassVar = "breast_cancer.csv"


@dataclass(frozen=True, kw_only=True)
class Wine(SklearnTable):
    """178 wines of three growers (59, 71, 48) with 13 chemical measurements.

    Source: Aeberhard and Forina, Wine, UCI Machine Learning Repository, 1991.
    """

    file: ClassVar = "wine_data.csv"


@dataclass(frozen=True, kw_only=True)
class Diabetes(DataSource):
    """442 patients with 10 measurements; the target is the progression of their diabetes a year later, 25 to 346.

    Source: Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression, Annals of Statistics 2004.
    """

    files_say_all: ClassVar[bool] = True

    batch_size: int | str = 32
    scaling: str = "standardize"
    target_scaling: str = "standardize"

    def arrays(self, test: bool) -> Arrays:  # noqa: ARG002 - it has no test part of its own
        """Read the table."""
        path = bundled("diabetes_data_raw.csv.gz")
        return Arrays(np.loadtxt(path), np.loadtxt(bundled("diabetes_target.csv.gz")), where=str(path))


def bundled(name: str) -> Path:
    """Return a data file of scikit-learn without importing it, which takes about a second in every worker.

    Args:
        name: of the file.

    Returns:
        Its path.

    Raises:
        DataError: this scikit-learn has no such file.
    """
    package = importlib.util.find_spec("sklearn")
    folders = (package.submodule_search_locations if package else None) or ("",)
    path = Path(next(iter(folders))) / "datasets" / "data" / name
    if not path.is_file():
        raise DataError(f"{path}: no such file in this scikit-learn")
    return path
