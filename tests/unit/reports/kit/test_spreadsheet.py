"""Tables as CSV that may be opened in a spreadsheet."""

import io
import math

import pandas as pd
import pytest

from hpsearch.base.printed import visible
from hpsearch.reports.kit.spreadsheet import as_csv, inert

COMPUTED = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://a")', "＝1")
KEPT = (*("-0.5", "+1e-3", "-inf", "nan", "1e3", "relu", "a=b", "", "mlp-2", "(=1)"), -0.5, 3, True, None, math.pi)


@pytest.mark.parametrize("cell", COMPUTED)
def test_a_cell_that_begins_like_a_formula_is_text(cell):
    assert inert(cell) == f"'{visible(cell)}"


@pytest.mark.parametrize("cell", KEPT)
def test_numbers_and_usual_texts_stay(cell):
    assert inert(cell) is cell


def test_a_table_without_formulas_is_written_as_pandas_writes_it():
    frame = pd.DataFrame({
        **{"n": [1, 2, 3], "x": [0.1, math.nan, -math.inf], "flag": [True, False, True]},
        **{"mixed": [1, None, 0.5], "text": ["a,b", 'c"d', "-0.5"], "whole": pd.array([1, None, 3], dtype="Int64")},
    })
    mixed = frame.astype({"mixed": object}).assign(mixed=pd.Series([1, None, "b"], dtype=object))
    for each in (frame, mixed, frame.iloc[:0]):
        assert as_csv(each) == each.to_csv(index=False, lineterminator="\n")


def test_headings_are_cells_too_and_columns_of_one_name_stay():
    frame = pd.DataFrame([["a", "=b", "c"]], columns=["=x", "y", "y"])
    assert as_csv(frame) == "'=x,y,y\na,'=b,c\n"
    assert pd.read_csv(io.StringIO(as_csv(frame))).shape == (1, 3)
