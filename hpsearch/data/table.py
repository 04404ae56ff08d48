"""A table in a CSV or Parquet file, its columns' roles declared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.contents import Place, place_of
from hpsearch.base.errors import ConfigError, DataError, check_choice, check_int
from hpsearch.data.arrays import TASKS, Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.cells import CODES, Cells
from hpsearch.data.delimited import DECIMALS, DELIMITERS, Form
from hpsearch.data.parting import check_one_way

ROLES = ("target", "features", "drop", "categorical")


@dataclass(frozen=True, kw_only=True)
class Table(DataSource):
    """Rows of a delimited text file (its first line names the columns) or a Parquet file.

    A column is a target, a feature or dropped; a feature is a number unless it is declared categorical. The values of a
    category, and the names of the classes, are those of the whole file, sorted; in them only an empty cell is missing,
    and in a column of numbers also NA, N/A, NaN, null, None, ? and -. How the file is written is found out, and said
    where it is not UTF-8 with commas and decimal points.

    A category becomes numbers by `categories`: ``one_hot``, a column of 0 and 1 for each value; ``ordinal``, the place
    of its value; ``frequency``, the share of the file's rows with its value, 0 for one that is new in the test file;
    ``hash``, 1 or −1 in one of `hash_columns` columns by a hash of its value (Weinberger et al., Feature Hashing for
    Large Scale Multitask Learning, ICML 2009). None of them looks at the target.

    Attributes:
        path: ``.parquet``, or text with any other ending (also compressed).
        target: the column to predict; several for a regression with several outputs.
        features: the columns to predict it from; None takes all that have no other role.
        drop: columns to leave out.
        categorical: features that are names of something.
        categories: one of `hpsearch.data.cells.CODES`.
        hash_columns: columns that ``hash`` makes of a category.
        groups: column whose rows of one value stay in one part; it is no feature.
        time: column of numbers or dates by which parts follow one another; it is no feature.
        task: ``classification`` or ``regression``.
        test_path: the same for the test part; None where there is none.
        delimiter: of text, one of `hpsearch.data.delimited.DELIMITERS`; None: the one that fits.
        decimal: ``.`` or ``,``; None: the one that numbers have.
        encoding: of text; None: its mark, UTF-8, UTF-16 or Windows-1252.
        header: whether the first line names the columns, else they are named 0, 1, 2; None: it does, unless it holds
            numbers, which is refused.
    """

    files_say_all: ClassVar[bool] = True

    path: str | None = None
    target: str | Sequence[str] | None = None
    features: Sequence[str] | None = None
    drop: Sequence[str] = ()
    categorical: Sequence[str] = ()
    categories: str = "one_hot"
    hash_columns: int = 16
    groups: str | None = None
    time: str | None = None
    task: str = "classification"
    test_path: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
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
        check_choice("data.categories", self.categories, CODES)
        check_choice("data.delimiter", self.delimiter, (None, *DELIMITERS))
        check_choice("data.decimal", self.decimal, (None, *DECIMALS))
        check_choice("data.header", self.header, (None, True, False))
        check_int("data.hash_columns", self.hash_columns, 1)
        if self.decimal is not None and self.decimal == self.delimiter:
            raise ConfigError(f"data.decimal = {self.decimal!r}: is data.delimiter too")
        for name in ("encoding", "groups", "time"):
            value = getattr(self, name)
            if name != "encoding" and self.header is False and isinstance(value, int):
                object.__setattr__(self, name, str(value))
            elif not (value is None or (isinstance(value, str) and value)):
                what = "an encoding that Python knows" if name == "encoding" else "the name of a column"
                raise ConfigError(f"data.{name} = {value!r}: must be {what}, or null")
        for name in ROLES:
            object.__setattr__(self, name, self._role(name))
        self._check_roles()

    def _role(self, name: str) -> tuple[str, ...] | None:
        value = getattr(self, name)
        given = [value] if isinstance(value, str | int) and name == "target" else value
        if given is None and name == "features":
            return None
        if self.header is False and isinstance(given, list | tuple):
            given = [str(each) if isinstance(each, int) else each for each in given]
        if not (isinstance(given, list | tuple) and all(isinstance(each, str) for each in given)):
            what = "the name of a column" if name == "target" else "a list of names of columns"
            raise ConfigError(f"data.{name} = {value!r}: must be {what}{_how_to_quote(name, value)}")
        return tuple(given)

    def _check_roles(self) -> None:
        assert self.target is not None
        if not self.target or (len(self.target) > 1 and self.task == "classification"):
            raise ConfigError(f"data.target = {list(self.target)}: a {self.task} needs one column")
        check_one_way(self.groups, self.time)
        features = (*(self.features or ()), *self.categorical)
        if twice := sorted({*self.target, *self.drop} & {*features}):
            raise ConfigError(f"data: column '{twice[0]}' is a feature and also a target or dropped")
        for key, column in (("groups", self.groups), ("time", self.time)):
            if column is not None and column in (*self.target, *self.drop, *features):
                raise ConfigError(f"data.{key} = '{column}': has another role as well, and leaves the inputs")
        if self.features is not None and (outside := sorted(set(self.categorical) - set(self.features))):
            raise ConfigError(f"data.categorical: '{outside[0]}' is not among data.features")

    def has_test(self) -> bool:
        """Return whether a file of the test part is named."""
        return self.test_path is not None

    def places(self) -> dict[str, Place]:
        """Return the files, by field."""
        paths = {"path": self.path, "test_path": self.test_path}
        return {name: place_of(path) for name, path in paths.items() if path is not None}

    def arrays(self, test: bool) -> Arrays:
        """Read the table.

        Args:
            test: that of the test part.

        Returns:
            [N, F] numbers and the targets.
        """
        reference = self._read(str(self.path))
        cells = self._read(str(self.test_path)) if test else reference
        parts, columns = [np.empty((len(cells.frame), 0))], []
        categorical = set(self.categorical)
        for name in self._features(reference):
            if name in categorical:
                part, names = cells.coded(name, reference, self.categories, self.hash_columns)
            else:
                part, names = cells.numbers(name)[:, None], [name]
            parts.append(part)
            columns += names
        classes, y = self._targets(cells, reference)
        return Arrays(
            np.column_stack(parts),
            y,
            classes,
            where=cells.path,
            columns=tuple(columns),
            groups=None if self.groups is None else cells.texts(self.groups),
            time=None if self.time is None else cells.times(self.time),
            notes=tuple(dict.fromkeys((*reference.notes, *cells.notes))),
        )

    def _read(self, path: str) -> Cells:
        assert self.target is not None
        form = Form(self.delimiter, self.decimal, self.encoding, self.header)
        extra = [name for name in (self.groups, self.time) if name is not None]
        texts = [*self.categorical, *self.drop, *extra, *(self.target if self.task == "classification" else ())]
        named = [*self.target, *self.drop, *self.categorical, *(self.features or ()), *extra]
        cells = Cells.of(path, form, named, texts, self.missing != "refuse", (*self.target, *extra))
        if self.missing != "drop":
            return cells
        return cells.without_empty([*(self.target if self.task == "classification" else ()), *extra])

    def _features(self, cells: Cells) -> Sequence[str]:
        assert self.target is not None
        extra = [name for name in (self.groups, self.time) if name is not None]
        for name in (*self.target, *self.drop, *self.categorical, *extra):
            cells.check(name)
        if self.features is not None:
            return self.features
        taken = {*self.target, *self.drop, *extra}
        others = [name for name in cells.names if name not in taken]
        if not others:
            raise DataError(f"{cells.path}: no column is left to predict from")
        return others

    def _targets(self, cells: Cells, reference: Cells) -> tuple[tuple[str, ...], NDArray[Any]]:
        assert self.target
        if self.task == "regression":
            gaps = self.missing == "drop"
            return (), np.column_stack([cells.numbers(name, gaps) for name in self.target])
        (name,) = self.target
        known = reference.values(name)
        if 2 * len(known) > len(reference.frame):
            many = f"{len(known)} different values in {len(reference.frame)} rows"
            raise DataError(f"{reference.path}: column '{name}' has {many}; data.task=regression predicts numbers")
        return known, cells.classes(name, known)


def _how_to_quote(name: str, value: Any) -> str:
    """Return how a column is named whose name YAML and Hydra read as something else than text."""
    given = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(each, bool) for each in given):
        return "; YAML reads yes, no, on and off as true and false: put the name in quotes"
    if isinstance(value, int | float):
        return f"; a name that is a number is quoted twice: 'data.{name}=\"{value}\"'"
    return ""
