"""The cells of a table: columns as numbers, as texts, and as codes of categories."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base import intake
from hpsearch.base.errors import DataError, nearest
from hpsearch.data.delimited import Form, read_delimited
from hpsearch.data.labels import in_order

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 12
"""Columns and values that a message lists."""
CODES = ("one_hot", "ordinal", "frequency", "hash")
MISSING = ("na", "n/a", "nan", "null", "none", "?", "-", "#n/a")
"""Cells of a column of numbers that are missing, whatever their case."""
ABSENT = "(missing)"
"""What an empty cell of a category is, where missing values are filled in."""
EXACT = 2**53
"""Whole numbers up to which float64 tells all apart."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The columns of one file.

    Attributes:
        path: of the file.
        frame: its columns, named by texts.
        gaps: whether cells may be empty.
        needed: columns without which a row is none, such as the target.
        notes: what was guessed in reading it, a sentence each.
    """

    path: str
    frame: "pd.DataFrame"
    gaps: bool = False
    needed: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, path: str, form: Form, named: Sequence[str], texts: Sequence[str], gaps: bool, needed: Sequence[str] = ()
    ) -> "Cells":
        """Read a file.

        Args:
            path: a Parquet file, or a delimited one.
            form: how a delimited one is written.
            named: columns that it must have.
            texts: columns that are no numbers.
            gaps: whether cells may be empty.
            needed: columns without which a row is none.

        Returns:
            Its cells.

        Raises:
            DataError: it is missing, no table, or has no rows.
        """
        import pandas as pd

        file, notes = Path(path).expanduser(), tuple[str, ...]()
        try:
            if file.suffix == ".parquet":
                with intake.opened(file) as opened:
                    frame = pd.read_parquet(opened).reset_index(drop=True)
                frame.columns = pd.Index([str(name) for name in frame.columns])
            else:
                frame, notes = read_delimited(file, form, named, texts)
        except FileNotFoundError:
            raise DataError(f"{path}: no such file") from None
        except DataError:
            raise
        except Exception as error:  # parsers and codecs raise errors of many kinds
            raise DataError(f"{path}: cannot be read as a table ({' '.join(str(error).split())})") from error
        if frame.empty:
            raise DataError(f"{path}: the table has no rows")
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()][0]
            raise DataError(f"{path}: two columns are named '{twice}'")
        return cls(path, frame, gaps, needed, list(notes))

    def without_empty(self, names: Sequence[str]) -> "Cells":
        """Return the rows in which no cell of some columns is empty, and say how many are dropped.

        Raises:
            DataError: a column is not there, or no row is left.
        """
        for name in names:
            self.check(name)
        frame, notes = self.frame, list(self.notes)
        for name in names:
            empty = frame[name].isna()
            if empty.all():
                raise DataError(f"{self.path}: column '{name}' is empty: data.missing=drop leaves no row")
            if empty.any():
                notes.append(f"{self.path}: {empty.sum()} of {len(frame)} rows are dropped, for no value of '{name}'")
                frame = frame[~empty]
        return replace(self, frame=frame, notes=notes)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.frame.columns)

    def check(self, name: str) -> None:
        """Refuse a column that is not there."""
        if name not in self.frame.columns:
            shown = ", ".join(self.names[:SHOWN]) + (", ..." if len(self.names) > SHOWN else "")
            raise DataError(f"{self.path}: no column '{name}'{nearest(name, self.names)} (it has: {shown})")

    def numbers(self, name: str, gaps: bool | None = None) -> NDArray[np.float64]:
        """Return a column of numbers, nan where a cell is missing and may be.

        Args:
            name: of the column.
            gaps: whether its cells may be missing; None: what holds for the table.

        Returns:
            [N] numbers.

        Raises:
            DataError: a cell is no number, or missing; it is named.
        """
        import pandas as pd

        self.check(name)
        column = self.frame[name]
        if column.dtype.kind in "mM":
            raise DataError(f"{self.path}: column '{name}' holds {column.dtype}: drop it, or name it in data.time")
        empty = column.isna().to_numpy()
        if column.dtype.kind in "buif":
            numbers: NDArray[np.float64] = column.to_numpy(np.float64, na_value=np.nan)
            self._check_exact(name, column)
        else:
            if column.dtype == object:  # pandas takes bytes for texts
                column = column.map(str, na_action="ignore")
            texts = column.astype("str").str.strip()
            if self.frame.attrs.get("decimal") == ",":
                texts = texts.str.replace(",", ".", regex=False)
            numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
            said = texts.str.lower().isin(MISSING).to_numpy() & ~empty
            numbers = np.where(said, np.nan, numbers)
            empty = empty | said
            if said.any() and (self.gaps if gaps is None else gaps):
                words = ", ".join(sorted({f"'{text}'" for text in texts[said]}))
                count = int(said.sum())
                self.notes.append(f"{self.path}: {words} in column '{name}' is read as missing ({count} cells)")
        wrong = np.flatnonzero(~np.isfinite(numbers) & ~empty)
        if len(wrong):
            found = f"row {self._row(wrong[0])} is {str(column.iloc[wrong[0]])!r}"
            raise DataError(f"{self.path}: column '{name}', {found}: must be a number, or list it in data.categorical")
        self._check_filled(name, empty, self.gaps if gaps is None else gaps)
        return numbers

    def texts(self, name: str, gaps: bool = False) -> NDArray[np.str_]:
        """Return a column as text: whole numbers without a point, an empty cell as `ABSENT` where `gaps` allow it."""
        self.check(name)
        column = self.frame[name]
        empty = column.isna().to_numpy()
        self._check_filled(name, empty, gaps)
        cells = zip(column.tolist(), empty.tolist(), strict=True)
        return np.array([ABSENT if absent else _text(value) for value, absent in cells])

    def values(self, name: str, gaps: bool = False) -> tuple[str, ...]:
        """Return the different values of a column, numbers in their order, else by name.

        Args:
            name: of the column.
            gaps: whether an empty cell is a value of its own.

        Returns:
            The values.

        Raises:
            DataError: two of them are the same number, such as 1 and 1.0.
        """
        found = in_order(np.unique(self.texts(name, gaps)).tolist())
        if _as_numbers(found):
            plain = sorted((value for value in found if value != ABSENT), key=float)
            for one, other in pairwise(plain):
                if float(one) == float(other):
                    raise DataError(f"{self.path}: column '{name}' holds '{one}' and '{other}': write them alike")
        return found

    def numbered(self, name: str, values: tuple[str, ...], gaps: bool = False) -> NDArray[np.int64]:
        """Return which of the values each row has; -1 for none of them. 1.0 and 1 are the same."""
        found, inverse = np.unique(self.texts(name, gaps), return_inverse=True)
        known = {value: place for place, value in enumerate(values)}
        numbers = _as_numbers(values)
        places = [known.get(text, numbers.get(_number(text), -1)) for text in found.tolist()]
        return np.array(places, np.int64)[inverse]

    def classes(self, name: str, values: tuple[str, ...], gaps: bool = False) -> NDArray[np.int64]:
        """Return `numbered` of a column whose values must all be known, see `Cells.numbered`."""
        places = self.numbered(name, values, gaps)
        strange = np.flatnonzero(places < 0)
        if len(strange):
            shown = ", ".join(values[:SHOWN]) + (", ..." if len(values) > SHOWN else "")
            where = f"column '{name}', row {self._row(strange[0])} is '{self.texts(name, gaps)[strange[0]]}'"
            raise DataError(f"{self.path}: {where}: training knows {shown}")
        return places

    def coded(self, name: str, reference: "Cells", codes: str, width: int) -> tuple[NDArray[np.float64], list[str]]:
        """Return a category as columns of numbers, see `hpsearch.data.table.Table`.

        Args:
            name: of the column.
            reference: the file of the training part.
            codes: one of `CODES`.
            width: columns of ``hash``.

        Returns:
            [N, columns] numbers, and their names.
        """
        if self.gaps and (empty := int(self.frame[name].isna().sum())):
            self.notes.append(f"{self.path}: {empty} empty cells of column '{name}' are a value of their own")
        if codes == "hash":
            texts, inverse = np.unique(self.texts(name, self.gaps), return_inverse=True)
            hashes = [zlib.crc32(text.encode()) for text in texts.tolist()]
            signs = np.array([1.0 if zlib.crc32(b"+" + text.encode()) % 2 else -1.0 for text in texts.tolist()])
            table = np.zeros((len(texts), width))
            table[np.arange(len(texts)), [each % width for each in hashes]] = signs
            return table[inverse], [f"{name}#{place}" for place in range(width)]
        values = reference.values(name, self.gaps)
        if codes == "frequency":
            places = reference.numbered(name, values, self.gaps)
            shares = np.append(np.bincount(places, minlength=len(values)) / len(places), 0.0)
            return shares[self.numbered(name, values, self.gaps)][:, None], [name]
        places = self.classes(name, values, self.gaps)
        if codes == "ordinal":
            return places[:, None].astype(np.float64), [name]
        return np.eye(len(values))[places], [f"{name}={value}" for value in values]

    def times(self, name: str) -> NDArray[Any]:
        """Return a column of times: numbers, or microseconds since 1970 of dates as ISO 8601 writes them.

        Raises:
            DataError: a cell is neither; it is named.
        """
        import pandas as pd

        self.check(name)
        column = self.frame[name]
        empty = column.isna().to_numpy()
        self._check_filled(name, empty, False)
        if column.dtype.kind in "uif":
            return np.asarray(column)
        if column.dtype.kind != "M":
            numbers = pd.to_numeric(column, errors="coerce")
            if numbers.notna().all():
                return np.asarray(numbers)
            dates = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
            if dates.isna().any():
                row = int(dates.isna().to_numpy().argmax())
                found = f"row {self._row(row)} is {str(column.iloc[row])!r}"
                raise DataError(f"{self.path}: column '{name}', {found}: must be a number or a date such as 2026-01-31")
            column = dates
        since: NDArray[Any] = pd.DatetimeIndex(column).as_unit("us").asi8
        return since

    def _check_filled(self, name: str, empty: NDArray[np.bool_], gaps: bool) -> None:
        if gaps or not empty.any():
            return
        row = int(np.argmax(empty))
        value = self.frame[name].iloc[row]
        what = repr(value) if isinstance(value, str) else "empty"
        ways = "data.missing says what to do, or drop it"
        if name in self.needed:
            ways = "data.missing=drop leaves such rows out"
        found = f"row {self._row(row)} is {what} ({int(empty.sum())} rows are)"
        raise DataError(f"{self.path}: column '{name}', {found}: {ways}")

    def _row(self, place: Any) -> int:
        """Return which row of the file it is, from 1, also where rows were left out."""
        return int(self.frame.index[place]) + 1

    def _check_exact(self, name: str, column: "pd.Series[Any]") -> None:
        if column.dtype.kind not in "iu" or not column.notna().any():
            return
        if max(abs(int(column.max())), abs(int(column.min()))) <= EXACT:
            return
        if column.nunique() != column.astype(np.float64).nunique():
            raise DataError(
                f"{self.path}: column '{name}' holds whole numbers that float64 cannot tell apart, such as "
                f"{column.iloc[0]}: drop it, or list it in data.categorical"
            )


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_numbers(values: Sequence[str]) -> dict[float | None, int]:
    """Return the place of each value by its number; empty unless all values are numbers."""
    numbers = {_number(value): place for place, value in enumerate(values) if value != ABSENT}
    return {} if None in numbers else numbers
