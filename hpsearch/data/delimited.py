"""Delimited text: its encoding, delimiter, header and decimal sign, as they are said or as the file shows them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.base import intake
from hpsearch.base.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = (",", ";", "\t", "|", " ")
"""A blank stands for any number of blanks, and is looked for where no other one fits."""
DECIMALS = (".", ",")
LOOKED_AT = 10_000
"""Rows by which a file shows its form."""

_NAMES = {"\t": "tab", " ": "blanks"}
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""Byte-order marks; those of four bytes begin like one of two."""
_OTHERS = (
    (b"PK\x03\x04", "an Excel workbook or an archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"\x1f\x8b", "compressed: its name must end in .gz"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
)


@dataclass(frozen=True)
class Form:
    """How a delimited file is written; what is None the file shows.

    Attributes:
        delimiter: one of `DELIMITERS`.
        decimal: one of `DECIMALS`.
        encoding: of Python's names.
        header: whether the first line names the columns; else they are named 0, 1, 2 and so on.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None


def read_delimited(
    path: Path, form: Form, named: Sequence[str], texts: Collection[str]
) -> "tuple[pd.DataFrame, tuple[str, ...]]":
    """Read a delimited file; only an empty cell is missing.

    Args:
        path: the file; the endings .gz, .bz2, .xz and .zip say that it is compressed.
        form: how it is written.
        named: columns that it must have.
        texts: columns that are read as they stand, never as numbers.

    Returns:
        The table, and what was guessed in a sentence, if anything was.

    Raises:
        DataError: the file is no table, or shows two forms that it can have; the message names the options.
    """
    import pandas as pd

    texts = frozenset(texts)
    text, encoding = decoded(path, form.encoding)
    text, said = _without_separator_line(text)
    delimiter = form.delimiter or said or _delimiter(path, text, named if form.header is not False else ())
    rows = _records(text, delimiter, LOOKED_AT)
    if not rows:
        raise DataError(f"{path}: cannot be read as a table (it is empty)")
    header = _has_header(path, rows[0], form.header, named)
    names = _names_of(path, rows[0] if header else [str(place) for place in range(len(rows[0]))])
    body = rows[1:] if header else rows
    width = _width(path, names, body)
    decimal = form.decimal or _decimal(path, delimiter, names, body, texts)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=r"\s+" if delimiter == " " else delimiter,
            header=0 if header else None,
            names=[*names, *map(str, range(len(names), width))],
            usecols=range(len(names)),
            index_col=False,
            dtype=dict.fromkeys([name for name in names if name in texts], "str"),
            keep_default_na=False,
            na_values=[""],
            decimal=decimal,
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({' '.join(str(error).split())})") from error
    frame.attrs["decimal"] = decimal
    guessed = [f"delimiter {_shown(delimiter)}"] if form.delimiter is None and delimiter != "," else []
    guessed += ["decimal comma"] if form.decimal is None and decimal == "," else []
    guessed += [f"encoding {encoding}"] if form.encoding is None and encoding != "utf-8" else []
    return frame, (f"{path} is read with {', '.join(guessed)}",) if guessed else ()


def decoded(path: Path, encoding: str | None) -> tuple[str, str]:
    """Return the text of a file and its encoding.

    A byte-order mark says it. Without one it is UTF-8 if it can be, UTF-16 where every other byte is 0, and otherwise
    Windows-1252, which holds Latin-1.

    Args:
        path: the file.
        encoding: None to find out.

    Returns:
        The text without its mark, and the encoding.

    Raises:
        DataError: it is no text, or not in the encoding.
    """
    data, ending = intake.read(path), path.suffix.lower()
    if ending in intake.PACKED:
        data = intake.unpacked(path, data, ending)
    for start, what in _OTHERS:
        if data[: len(start)].lower() == start.lower():
            raise DataError(f"{path}: cannot be read as a table (it is {what})")
    try:
        if encoding is not None:
            return data.decode(encoding).removeprefix("\ufeff"), encoding
        for mark, name in _MARKS:
            if data.startswith(mark):
                return data[len(mark) :].decode(name), name
        if b"\0" in data:
            return _two_bytes(path, data)
        return data.decode("utf-8"), "utf-8"
    except LookupError:
        raise DataError(f"data.encoding = '{encoding}': Python knows no such encoding") from None
    except UnicodeDecodeError as error:
        if encoding is None and error.encoding == "utf-8":
            return _one_byte(path, data, error.start)
        said = f"data.encoding = '{encoding}': " if encoding else ""
        raise DataError(
            f"{said}{path}: byte {error.start} (0x{data[error.start]:02x}) is none of {error.encoding}"
        ) from error


def _two_bytes(path: Path, data: bytes) -> tuple[str, str]:
    zeros = [data[start::2].count(0) / max(1, len(data) // 2) for start in (0, 1)]
    if max(zeros) < 0.3 or min(zeros) > 0.1:
        raise DataError(f"{path}: cannot be read as a table (it holds bytes of 0 and is no text)")
    name = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    return data.decode(name), name


def _one_byte(path: Path, data: bytes, first: int) -> tuple[str, str]:
    """Decode what is not UTF-8, unless most of it is and some bytes are damaged."""
    text = data.decode("utf-8", "surrogateescape")
    bad = sum("\udc80" <= char <= "\udcff" for char in text)
    good = sum(char > "\x7f" for char in text) - bad
    if good > bad:
        raise DataError(
            f"{path}: byte {first} (0x{data[first]:02x}) is not UTF-8, as the rest is: mend it, or say data.encoding"
        )
    try:
        return data.decode("cp1252"), "cp1252 (Latin-1)"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _without_separator_line(text: str) -> tuple[str, str | None]:
    """Cut off the line ``sep=;`` that Excel writes, and return what it says."""
    found = re.match(r"\"?sep=(.)\"?\r?\n", text, re.IGNORECASE)
    return (text[found.end() :], found[1]) if found else (text, None)


def _records(text: str, delimiter: str, count: int) -> list[list[str]]:
    lines = io.StringIO(text, newline="")
    if delimiter == " ":
        rows = [line.split() for line in islice(lines, count)]
    else:
        rows = list(islice(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), count))
    return [[cell.strip() for cell in row] for row in rows if row]


def _delimiter(path: Path, text: str, named: Sequence[str]) -> str:
    """Return the delimiter that gives every row the same number of cells and the first one the names needed."""
    tried: dict[str, list[list[str]]] = {}
    for mark in DELIMITERS:
        try:
            rows = _records(text, mark, LOOKED_AT)
        except csv.Error:
            continue
        if rows and len(rows[0]) > 1:
            tried[mark] = rows
    even = {mark: rows for mark, rows in tried.items() if len({len(row) for row in rows}) == 1}
    if len(even) > 1:
        even.pop(" ", None)
    found = even or tried
    if len(found) > 1 and (having := {m: r for m, r in found.items() if set(named) <= set(r[0])}):
        found = having
    if len(found) > 1:
        numbers = {mark: _share_of_numbers(rows) for mark, rows in found.items()}
        found = {mark: rows for mark, rows in found.items() if numbers[mark] == max(numbers.values())}
    if len(found) > 1 and even:
        marks = " and ".join(_shown(mark) for mark in found)
        raise DataError(f"{path}: {marks} both divide every row alike: say data.delimiter")
    return next(iter(found), ",")


def _share_of_numbers(rows: Sequence[Sequence[str]]) -> float:
    cells = [cell for row in rows for cell in row]
    return sum(_NUMBER.fullmatch(cell) is not None for cell in cells) / len(cells)


def _has_header(path: Path, first: Sequence[str], header: bool | None, named: Sequence[str]) -> bool:
    if header is not None:
        return header
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell)]
    if not numbers or list(first) == [str(place) for place in range(len(first))]:
        return True
    if named and set(named) <= set(first) and not any(_NUMBER.fullmatch(name) for name in named):
        return True
    raise DataError(
        f"{path}: its first line holds numbers ({', '.join(first[:4])}{', ...' if len(first) > 4 else ''}): say "
        "data.header=false where it is a row, its columns are then named 0, 1, 2, or data.header=true where it names "
        "them"
    )


def _names_of(path: Path, first: Sequence[str]) -> list[str]:
    names = [name or f"Unnamed: {place}" for place, name in enumerate(first)]
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise DataError(f"{path}: two columns are named '{twice}'")
    return names


def _width(path: Path, names: Sequence[str], body: Sequence[Sequence[str]]) -> int:
    """Return the number of cells of a row; one more than names where all rows end in an empty one."""
    if body and all(len(row) == len(names) + 1 and not row[-1] for row in body):
        return len(names) + 1
    for number, row in enumerate(body, 1):
        if len(row) != len(names):
            raise DataError(f"{path}: cannot be read as a table (row {number} has {len(row)} cells, not {len(names)})")
    return len(names)


def _decimal(
    path: Path, delimiter: str, names: Sequence[str], body: Sequence[Sequence[str]], texts: Collection[str]
) -> str:
    """Return the decimal sign; every number that has one must have the same, and one must be no thousand."""
    places = [place for place, name in enumerate(names) if name not in texts]
    cells = {row[place] for row in body for place in places if place < len(row)}
    points = sorted(cell for cell in cells if _POINT.fullmatch(cell))
    commas = sorted(cell for cell in cells if _COMMA.fullmatch(cell))
    if points and commas:
        raise DataError(f"{path}: holds '{commas[0]}' and '{points[0]}': say data.decimal, or list texts as such")
    signed = commas or points
    if signed and (commas or delimiter != ",") and all(_GROUPED.fullmatch(cell) for cell in signed):
        whole, part = re.split("[.,]", signed[0])
        raise DataError(
            f"{path}: '{signed[0]}' may be {whole}{part} or {whole}.{part}, and every number that has a "
            f"{'comma' if commas else 'point'} looks so: say data.decimal='{signed[0][len(whole)]}' where it is decimal"
        )
    return "," if commas else "."


def _shown(delimiter: str) -> str:
    return _NAMES.get(delimiter, f"'{delimiter}'")
