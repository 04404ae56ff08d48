"""A table in a CSV or Parquet file, its columns' roles declared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import ConfigError, DataError, check_choice, nearest
from hpsearch.data.arrays import TASKS, Arrays
from hpsearch.data.base import DataSource

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 12
"""Columns and values that a message lists."""


@dataclass(frozen=True, kw_only=True)
class Table(DataSource):
    """Rows of a CSV file (its first line names the columns) or a Parquet file.

    A column is a target, a feature or dropped; a feature is a number unless it is declared categorical: then each of
    its values becomes a column of 0 and 1. The values, and the names of the classes, are those of the whole file,
    sorted. Every cell that is used must be filled in.

    Attributes:
        path: ``.csv`` (also compressed) or ``.parquet``.
        target: the column to predict; several for a regression with several outputs.
        features: the columns to predict it from; None takes all that are neither targets nor dropped.
        drop: columns to leave out.
        categorical: features that are names of something.
        task: ``classification`` or ``regression``.
        test_path: the same for the test part; None where there is none.
    """

    path: str | None = None
    target: str | Sequence[str] | None = None
    features: Sequence[str] | None = None
    drop: Sequence[str] = ()
    categorical: Sequence[str] = ()
    task: str = "classification"
    test_path: str | None = None
    batch_size: int | str = 32
    scaling: str = "standardize"

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy.

        Raises:
            ConfigError: naming the key, its value and what is allowed.
        """
        super().__post_init__()
        for name in ("path", "test_path"):
            value = getattr(self, name)
            if not (isinstance(value, str) and value) and (name == "path" or value is not None):
                raise ConfigError(f"data.{name} = {value!r}: must be a .csv or .parquet file")
        check_choice("data.task", self.task, TASKS)
        for name in ("target", "features", "drop", "categorical"):
            value = getattr(self, name)
            given = [value] if isinstance(value, str) and name == "target" else value
            optional = name == "features" and value is None
            if not optional and not (isinstance(given, list | tuple) and all(isinstance(each, str) for each in given)):
                what = "the name of a column" if name == "target" else "a list of names of columns"
                raise ConfigError(f"data.{name} = {value!r}: must be {what}")
            object.__setattr__(self, name, None if given is None else tuple(given))
        self._check_roles()

    def _check_roles(self) -> None:
        assert self.target is not None
        if not self.target or (len(self.target) > 1 and self.task == "classification"):
            raise ConfigError(f"data.target = {list(self.target)}: a {self.task} needs one column")
        if twice := sorted({*self.target, *self.drop} & {*(self.features or ()), *self.categorical}):
            raise ConfigError(f"data: column '{twice[0]}' is a feature and also a target or dropped")
        if self.features is not None and (outside := sorted(set(self.categorical) - set(self.features))):
            raise ConfigError(f"data.categorical: '{outside[0]}' is not among data.features")

    def has_test(self) -> bool:
        """Return whether a file of the test part is named."""
        return self.test_path is not None

    def arrays(self, test: bool) -> Arrays:
        """Read the table.

        Args:
            test: that of the test part.

        Returns:
            [N, F] numbers and the targets.
        """
        path = str(self.test_path if test else self.path)
        reference = _Columns.of(str(self.path))
        columns = _Columns.of(path) if test else reference
        features = self._features(reference)
        parts = [
            columns.indicators(name, reference.values(name)) if name in self.categorical else columns.numbers(name)
            for name in features
        ]
        x = np.column_stack(parts) if parts else np.empty((len(columns.frame), 0))
        names, y = self._targets(columns, reference)
        return Arrays(x, y, names, where=path)

    def _features(self, columns: "_Columns") -> Sequence[str]:
        assert self.target is not None
        for name in (*self.target, *self.drop, *self.categorical):
            columns.check(name)
        if self.features is not None:
            return self.features
        others = [str(name) for name in columns.frame.columns if name not in (*self.target, *self.drop)]
        if not others:
            raise DataError(f"{columns.path}: no column is left to predict from")
        return others

    def _targets(self, columns: "_Columns", reference: "_Columns") -> tuple[tuple[str, ...], NDArray[Any]]:
        assert self.target
        if self.task == "regression":
            return (), np.column_stack([columns.numbers(name) for name in self.target])
        (name,) = self.target
        known = reference.values(name)
        if 2 * len(known) > len(reference.frame):
            many = f"{len(known)} different values in {len(reference.frame)} rows"
            raise DataError(f"{reference.path}: column '{name}' has {many}; data.task=regression predicts numbers")
        return known, columns.indicators(name, known).argmax(1)


@dataclass(frozen=True, eq=False)
class _Columns:
    """The columns of one file."""

    path: str
    frame: "pd.DataFrame"

    @classmethod
    def of(cls, path: str) -> "_Columns":
        import pandas as pd

        file = Path(path).expanduser()
        try:
            if file.suffix == ".parquet":
                frame = pd.read_parquet(file)
            else:
                frame = pd.read_csv(file, low_memory=False, skipinitialspace=True)
        except FileNotFoundError:
            raise DataError(f"{path}: no such file") from None
        except Exception as error:  # parsers and codecs raise errors of many kinds
            raise DataError(f"{path}: cannot be read as a table ({' '.join(str(error).split())})") from error
        if frame.empty:
            raise DataError(f"{path}: the table has no rows")
        return cls(path, frame)

    def check(self, name: str) -> None:
        """Refuse a column that is not there."""
        known = [str(column) for column in self.frame.columns]
        if name not in known:
            shown = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
            raise DataError(f"{self.path}: no column '{name}'{nearest(name, known)} (it has: {shown})")

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers."""
        import pandas as pd

        self.check(name)
        column = self.frame[name]
        self._check_filled(name, column.isna())
        numbers: NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            found = f"row {wrong[0] + 1} is {str(column.iloc[wrong[0]])!r}"
            raise DataError(f"{self.path}: column '{name}', {found}: must be a number, or list it in data.categorical")
        return numbers

    def texts(self, name: str) -> NDArray[np.str_]:
        """Return a column as text; whole numbers without a point."""
        self.check(name)
        column = self.frame[name]
        self._check_filled(name, column.isna())
        return np.array([str(value) for value in column.tolist()])

    def values(self, name: str) -> tuple[str, ...]:
        """Return the different values of a column, numbers in their order, else by name."""
        found = np.unique(self.texts(name)).tolist()
        try:
            return tuple(sorted(found, key=float))
        except ValueError:
            return tuple(found)

    def indicators(self, name: str, values: tuple[str, ...]) -> NDArray[np.float64]:
        """Return [N, len(values)] with a 1 where a row has a value."""
        texts = self.texts(name)
        found: NDArray[np.bool_] = texts[:, None] == np.array(values)
        strange = np.flatnonzero(~found.any(1))
        if len(strange):
            shown = ", ".join(values[:SHOWN]) + (", ..." if len(values) > SHOWN else "")
            where = f"column '{name}', row {strange[0] + 1} is '{texts[strange[0]]}'"
            raise DataError(f"{self.path}: {where}: training knows {shown}")
        return found.astype(np.float64)

    def _check_filled(self, name: str, empty: "pd.Series[bool]") -> None:
        if empty.any():
            row = int(np.argmax(empty.to_numpy())) + 1
            raise DataError(f"{self.path}: column '{name}', row {row} is empty ({int(empty.sum())} rows are)")
