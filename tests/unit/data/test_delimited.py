import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.errors import DataError
from hpsearch.data.table import Table

ROWS = [(i / 4 - 1.5, 1000 + 7 * i, ("NA", "Köln", "None", "null")[i % 4], ("ja", "nein")[i % 2]) for i in range(12)]
NAMES = ("size", "count", "town", "kind")


def text(delimiter=",", decimal=".", end="\n", header=True):
    cells = [(str(size).replace(".", decimal), *map(str, rest)) for size, *rest in ROWS]
    return end.join(delimiter.join(row) for row in ([NAMES] if header else []) + cells) + end


def read(path, **fields):
    fields = {"target": "kind", "categorical": ["town"], "categories": "ordinal", **fields}
    return Table(path=str(path), batch_size=4, **fields).arrays(test=False)


def is_right(arrays):
    towns = sorted({row[2] for row in ROWS})
    assert arrays.x[:, 0].tolist() == [row[0] for row in ROWS]
    assert arrays.x[:, 1].tolist() == [row[1] for row in ROWS]
    assert [towns[int(place)] for place in arrays.x[:, 2]] == [row[2] for row in ROWS]
    assert [arrays.class_names[number] for number in arrays.y] == [row[3] for row in ROWS]


def said(path, **fields):
    with pytest.raises(DataError) as error:
        read(path, **fields)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
@pytest.mark.parametrize("form", [",.", ";.", ";,", "\t.", "\t,", "|.", " ."])
def test_every_form_is_read_to_the_same_numbers_and_the_guess_is_said(tmp_path, encoding, form):
    path, (delimiter, decimal) = tmp_path / "t.csv", form
    path.write_bytes(text(delimiter, decimal).encode(encoding))
    arrays = read(path)
    is_right(arrays)
    note = " ".join(arrays.notes)
    assert (delimiter != ",") == ("delimiter" in note) and (decimal == ",") == ("decimal comma" in note)
    assert (not encoding.startswith("utf-8")) == ("encoding" in note)


@pytest.mark.parametrize(
    "content",
    {
        "lines of Windows": text(end="\r\n"),
        "lines of old Macs": text(end="\r"),
        "Excel's first line": "sep=;\n" + text(";", ","),
        "quoted cells": text().replace("Köln", '"Köln"').replace("ja", '"ja"'),
        "quoted decimal commas": "\n".join(
            ",".join(f'"{cell}"' for cell in line.split(";")) for line in text(";", ",").strip().split("\n")
        ),
        "an empty cell behind every row": text().replace("ja\n", "ja,\n").replace("nein\n", "nein,\n"),
        "blanks around cells": text().replace(",", " , "),
        "blank lines": text().replace("\n", "\n\n"),
    }.items(),
    ids=lambda item: item[0],
)
def test_what_programs_write_is_read(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content[1].encode())
    is_right(read(path))


def test_compressed_files_are_read(tmp_path):
    for ending, pack in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        path = tmp_path / f"t.csv{ending}"
        path.write_bytes(pack(text(";", ",").encode("latin-1")))
        is_right(read(path))
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.csv", text())
    is_right(read(path))


def test_a_file_without_names_is_refused_until_that_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text(header=False))
    assert said(path).startswith(f"{path}: its first line holds numbers (-1.5, 1000, NA, ja): say data.header=false")
    is_right(read(path, header=False, target=3, categorical=[2]))


def test_names_that_are_numbers_name_the_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text().replace("size,count,town,kind", "0,1,2,3"))
    is_right(read(path, target="3", categorical=["2"]))


def test_parquet_with_numbers_as_names_and_columns_of_whole_numbers(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame(ROWS).to_parquet(path)
    is_right(read(path, target="3", categorical=["2"]))


def test_what_is_said_is_not_guessed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(text(";", ",").encode("latin-1"))
    arrays = read(path, delimiter=";", decimal=",", encoding="latin-1", header=True)
    is_right(arrays)
    assert arrays.notes == ()


AMBIGUOUS = "x;kind\n" + "1.234;a\n2.345;b\n" * 4


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (AMBIGUOUS, "'1.234' may be 1234 or 1.234, and every number that has a point looks so: say data.decimal='.'"),
        (AMBIGUOUS.replace(".", ","), "'1,234' may be 1234 or 1.234, and every number that has a comma looks so"),
        ("x;z;kind\n" + "1,5;2.5;a\n1,25;3.5;b\n" * 3, "holds '1,25' and '2.5': say data.decimal"),
        ("x,x,kind\n" + "1,2,a\n2,3,b\n" * 3, "two columns are named 'x'"),
        ("x,kind\n1,a\n2,b,c\n" * 3, "cannot be read as a table (row 2 has 3 cells, not 2)"),
        ("z,kind\n" + "7,1,a\n8,2,b\n" * 3, "cannot be read as a table (row 1 has 3 cells, not 2)"),
        ("1;2|3\n" * 9, "';' and '|' both divide every row alike: say data.delimiter"),
        ("x,kind\n" + "1.234.567,a\n2,b\n" * 3, "column 'x', row 1 is '1.234.567': must be a number"),
        ("x,kind\n" + "1,1\n2,1.0\n3,2\n" * 3, "column 'kind' holds '1' and '1.0': write them alike"),
        ("x,kind\n" + "90071992547409921,a\n90071992547409920,b\n" * 3, "column 'x' holds whole numbers that float64"),
        ("x,kind\n" + "NA,a\n2,b\n" * 3, "column 'x', row 1 is 'NA' (3 rows are): data.missing says what to do"),
        (b"x,kind\n\xff\xc3\xa4\xc3\xb6\xc3\xbc,a\n", "byte 7 (0xff) is not UTF-8, as the rest is"),
        (b"x,kind\n\0\1\2\3\0\0\0,a\n", "cannot be read as a table (it holds bytes of 0 and is no text)"),
        (b"PK\x03\x04abc", "cannot be read as a table (it is an Excel workbook or an archive)"),
        (b"<!doctype html>", "cannot be read as a table (it is a web page)"),
        (b"", "cannot be read as a table (it is empty)"),
    ],
)
def test_what_has_two_meanings_or_none_is_refused_with_what_to_add(tmp_path, content, line):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said(path, categorical=[]).startswith(f"{path}: {line}")


def test_a_delimiter_said_makes_a_point_what_it_is(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(AMBIGUOUS)
    assert read(path, categorical=[], decimal=".").x[0, 0] == 1.234
    path.write_text(AMBIGUOUS.replace("2.345", "0.5"))
    assert read(path, categorical=[]).x[:2, 0].tolist() == [1.234, 0.5]


def test_labels_of_the_test_file_are_the_same_numbers(tmp_path):
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("x,kind\n" + "1,0\n2,1\n" * 4)
    test.write_text("x,kind\n" + "1,1.0\n2,0.0\n" * 4)
    table = Table(path=str(train), test_path=str(test), target="kind", batch_size=2)
    assert table.arrays(test=True).y.tolist() == [1, 0] * 4 and table.arrays(test=True).class_names == ("0", "1")


def test_codes_of_categories_look_at_the_training_file_alone(tmp_path):
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("town,kind\n" + "a,0\nb,1\na,1\nc,0\n" * 2)
    test.write_text("town,kind\n" + "a,0\nnew,1\n" * 2)

    def made(codes, test_part=True):
        options = {"categorical": ["town"], "categories": codes, "hash_columns": 4, "batch_size": 2}
        return Table(path=str(train), test_path=str(test), target="kind", **options).arrays(test_part)

    assert made("frequency").x[:2, 0].tolist() == [0.5, 0.0]
    assert made("ordinal", False).x[:4, 0].tolist() == [0, 1, 0, 2]
    hashed, again = made("hash").x, made("hash", False).x
    assert np.abs(hashed).sum(1).tolist() == [1] * 4 and np.array_equal(hashed[0], again[0])
    assert made("one_hot", False).columns == ("town=a", "town=b", "town=c")
    for codes in ("one_hot", "ordinal"):
        with pytest.raises(DataError, match="row 2 is 'new': training knows a, b, c"):
            made(codes)
