from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import MissingIndicator, SimpleImputer

from hpsearch.base.errors import DataError, HpsearchError
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.missing import filled
from hpsearch.data.table import Table

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 5, (80, 3)).astype(float)
X[RANDOM.random(X.shape) < 0.2] = np.nan
X[:, 2] = np.arange(80)


@dataclass(frozen=True, kw_only=True)
class Gaps(DataSource):
    """A frame with missing cells."""

    batch_size: int | str = "full"
    scaling: str = "none"

    def arrays(self, test):
        return Arrays(pd.DataFrame(X, columns=["a", "b", "row"]), pd.Series(np.arange(80) % 2))


@pytest.mark.parametrize("how", ["median", "most_frequent", "constant"])
def test_what_is_filled_in_is_what_sklearn_fits_on_the_training_part(how):
    splits = Gaps(missing=how, missing_value=-7.0).load()
    train, valid = (X[part.x[:, 2].long().numpy()] for part in (splits.train, splits.valid))
    imputer = SimpleImputer(strategy=how, fill_value=-7.0).fit(train)
    shown = MissingIndicator().fit(train)
    for part, raw in ((splits.train, train), (splits.valid, valid)):
        assert np.allclose(part.x, np.hstack([imputer.transform(raw), shown.transform(raw)]))
    assert splits.in_shape == (5,) and f"missing values are filled in ({how}), most in column '" in splits.notes[-1]
    assert Gaps(missing=how, missing_indicator=False).load().in_shape == (3,)


def test_rows_are_dropped_and_counted():
    splits, whole = Gaps(missing="drop").load(), ~np.isnan(X).any(1)
    assert len(splits.train) + len(splits.valid) == whole.sum()
    assert splits.notes[-1] == f"{80 - whole.sum()} of 80 rows are dropped, for a missing value"


def test_missing_cells_are_refused_unless_it_is_said_what_to_do():
    with pytest.raises(DataError, match=r"x\[\d+, \d\] = nan: must be finite"):
        Gaps().load()


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.full((4, 1), np.nan), "column '0' has no value in the training part"),
        (np.full((4, 1, 2, 2), np.nan), "16 inputs are missing: data.missing=median fills in features, not images"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(x, said):
    with pytest.raises(DataError, match=said):
        filled([Arrays(x, np.zeros(4))], "median", 0.0, True)


def test_an_empty_category_is_a_value_and_words_are_missing_in_numbers_only(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("size,town,kind\n" + "NA,NA,a\n1.5,,b\n2.5,Ulm,a\n?,Ulm,b\n" * 4)
    table = Table(path=str(path), target="kind", categorical=["town"], batch_size=4, missing="median")
    arrays = table.arrays(test=False)
    assert arrays.columns == ("size", "town=(missing)", "town=NA", "town=Ulm")
    assert arrays.notes == (
        f"{path}: '?', 'NA' in column 'size' is read as missing (8 cells)",
        f"{path}: 4 empty cells of column 'town' are a value of their own",
    )
    assert np.isfinite(table.load().train.x.numpy()).all()


@pytest.mark.parametrize("role", ["target", "groups", "time"])
def test_rows_without_a_class_a_group_or_a_time_are_refused_or_dropped(tmp_path, role):
    path = tmp_path / "t.csv"
    kinds, places = ["a", "b"] * 6, [str(place) for place in range(12)]
    (kinds if role == "target" else places)[3] = (kinds if role == "target" else places)[7] = ""
    path.write_text("size,kind,place\n" + "".join(f"{i},{kinds[i]},{places[i]}\n" for i in range(12)))
    roles = {role: "place"} if role != "target" else {"drop": ["place"]}

    def table(how):
        return Table(path=str(path), target="kind", batch_size=4, missing=how, scaling="none", **roles)

    column = "kind" if role == "target" else "place"
    for how in ("refuse", "median"):
        said = rf"column '{column}', row 4 is empty \(2 rows are\): data.missing=drop leaves such rows out$"
        with pytest.raises(DataError, match=said):
            table(how).load()
    arrays = table("drop").arrays(test=False)
    assert arrays.x[:, 0].tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
    assert np.asarray(arrays.y).tolist() == [0, 1, 0, 0, 1, 0, 0, 1, 0, 1]
    assert table("drop").load().notes[0] == f"{path}: 2 of 12 rows are dropped, for no value of '{column}'"
    path.write_text(path.read_text().replace("10,a,", "ten,a,"))
    with pytest.raises(DataError, match="row 11 is 'ten'"):  # of the file
        table("drop").load()


def test_classes_of_which_every_one_is_missing_leave_no_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("size,kind\n" + "1,\n" * 4)
    with pytest.raises(DataError, match=r"column .kind. is empty: data\.missing=drop leaves no row"):
        Table(path=str(path), target="kind", missing="drop").load()


CELLS = st.sampled_from([
    "",
    "NA",
    "1",
    "2.5",
    "-3e10",
    "1e39",
    "1,5",
    "text",
    "2020-01-02",
    "None",
    "true",
    "ä",
    '"',
    "inf",
    "0x1",
    " ",
])
COLUMN = st.one_of(
    st.lists(CELLS, min_size=12, max_size=12),
    CELLS.map(lambda cell: [cell] * 12),
    st.integers(0, 2**70).map(lambda start: [str(start + i) for i in range(12)]),
    st.lists(st.floats(allow_nan=False), min_size=12, max_size=12).map(lambda cells: [repr(cell) for cell in cells]),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(COLUMN, min_size=1, max_size=3),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["refuse", "drop", "median", "constant"]),
    st.sampled_from([[], ["c0"]]),
)
def test_a_table_of_odd_columns_is_read_or_refused_in_one_line(tmp_path_factory, columns, delimiter, how, categorical):
    path = tmp_path_factory.getbasetemp() / "odd.csv"
    names = [f"c{place}" for place in range(len(columns))]
    lines = [[*names, "kind"], *([*cells, "ab"[i % 2]] for i, cells in enumerate(zip(*columns, strict=True)))]
    path.write_bytes("\n".join(delimiter.join(line) for line in lines).encode())
    try:
        splits = Table(path=str(path), target="kind", categorical=categorical, batch_size=2, missing=how).load()
    except HpsearchError as error:
        assert "\n" not in str(error) and str(error)
        return
    assert splits.train.x.isfinite().all() and splits.valid.x.isfinite().all() and splits.num_outputs == 2
    assert how == "drop" or len(splits.train) + len(splits.valid) == 12
