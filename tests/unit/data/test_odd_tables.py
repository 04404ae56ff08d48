"""Tables of odd columns: whatever stands in them, they are read rightly or refused in one line."""

import math
import warnings
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.base.errors import HpsearchError
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.check import look
from hpsearch.data.table import Table

DAYS = pd.date_range("2024-02-27", periods=5)
CYCLES = {
    "whole": [3, -1, 7, 0],
    "fractions": [0.5, -2.25, 1e-3],
    "booleans": [True, False, True],
    "constant": [4.0],
    "huge": [1e300, -1e308, 1e39],
    "tiny": [5e-324, 1e-200, 0.0],
    "seconds": [1_790_000_000, 1_790_000_001],
    "keys": [2**60, 2**60 + 1, 2**63 - 1],
    "gaps": [1.0, math.nan, 2.0],
    "no numbers": [math.nan],
    "nothing": [None],
    "infinite": [1.0, math.inf, -math.inf],
    "texts": ["red", "green", "blue"],
    "empty texts": ["", " ", "red"],
    "texts of numbers": ["1", "2.5", "-3e4"],
    "texts of gaps": ["1", "NA", "null", "?"],
    "other scripts": ["č", "日本", "\N{ZERO WIDTH SPACE}", "a\nb", 'a"b', "a,b;c"],
    "long text": ["x" * 5000, "y"],
    "mixed": [1, "red", 2.5, None, True],
    "days": list(DAYS),
    "days with zones": list(DAYS.tz_localize("Europe/Berlin")),
    "days as texts": ["2024-02-28", "2024-03-01T12:00:00+01:00"],
    "durations": list(pd.to_timedelta([1, 90, 3600], unit="s")),
    "lists": [[1, 2], [3]],
    "tables": [{"a": 1}, {"a": 2}],
    "bytes": [b"a", b"\xff"],
    "decimals": [Decimal("1.10"), Decimal("-2")],
    "nullable whole": pd.array([1, None, 3], dtype="Int64"),
    "nullable booleans": pd.array([True, None, False], dtype="boolean"),
    "nullable fractions": pd.array([0.5, None], dtype="Float64"),
    "nullable keys": pd.array([2**60, None, 2**60 + 1], dtype="Int64"),
    "unsigned keys": np.array([2**64 - 1, 0], np.uint64),
    "categories": pd.Categorical(["b", "a", "b"], categories=["a", "b", "c"]),
    "categories of numbers": pd.Categorical([10, 2, 10], categories=[10, 2]),
    "half precision": np.array([0.5, 1.5], np.float16),
    "bytes of numbers": np.array([0, 255], np.uint8),
}
NAMES = ["a", "b", "a", "", " b", "1", "a=b", "seed", "valid/loss", "point", "kind.x", "x[0]", "ä", "Unnamed: 0", "a.1"]
TARGETS = ["texts", "booleans", "whole", "fractions", "constant", "nothing", "gaps", "categories", "nullable whole"]
TARGETS += ["days", "mixed", "lists", "infinite", "keys", "empty texts", "decimals"]


def cycle(kind, rows):
    values = CYCLES[kind]
    places = np.arange(rows) % len(values)
    if isinstance(values, list):
        return pd.Series([values[place] for place in places])
    return pd.Series(values[places] if isinstance(values, np.ndarray) else values.take(places))


TABLES = st.fixed_dictionaries({
    "rows": st.sampled_from([1, 2, 3, 40, 40, 40]),
    "columns": st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*CYCLES])), min_size=0, max_size=4),
    "target": st.sampled_from([*TARGETS, "texts", "texts"]),
    "form": st.sampled_from(["csv", "parquet"]),
    "coded": st.booleans(),
    "fields": st.fixed_dictionaries({
        "missing": st.sampled_from(["refuse", "drop", "median", "most_frequent", "constant"]),
        "task": st.sampled_from(["classification", "classification", "regression"]),
        "categories": st.sampled_from(["one_hot", "ordinal", "frequency", "hash"]),
        "scaling": st.sampled_from(["standardize", "minmax", "log", "none"]),
        "target_scaling": st.sampled_from(["none", "none", "standardize"]),
        "valid_fraction": st.sampled_from([0.2, 0.5]),
    }),
})


def written(folder, drawn):
    """Write the table drawn, as far as its form can hold it; return the file and its columns."""
    columns = [(name, cycle(kind, drawn["rows"])) for name, kind in drawn["columns"]]
    columns.append(("kind", cycle(drawn["target"], drawn["rows"])))
    frame = pd.concat([column for _, column in columns], axis=1)
    frame.columns = [name for name, _ in columns]
    path = folder / f"t.{drawn['form']}"
    path.unlink(missing_ok=True)
    if drawn["form"] == "csv":
        frame.to_csv(path, index=False)
    else:
        try:
            frame.to_parquet(path)
        except Exception:  # one of two columns of one name, a column of several types: no such file can be
            return None, frame
    return path, frame


def check(folder, drawn):
    """Return whether the table was read; refuse anything but a right reading and one line."""
    path, frame = written(folder, drawn)
    if path is None:
        return None
    names = [name for name, kind in drawn["columns"] if drawn["coded"] and cycle(kind, 1).dtype.kind not in "iuf"]
    fields = {**drawn["fields"], "categorical": list(dict.fromkeys(names))}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            source = Table(path=str(path), target="kind", batch_size="full", **fields)
            arrays = source.arrays(test=False)
            splits = source.load()
            facts = look(splits, 1000)
    except HpsearchError as error:
        assert str(error) and "\n" not in str(error), error
        return False
    rows = len(splits.train) + len(splits.valid)
    dropping = drawn["fields"]["missing"] == "drop"  # rows without a class at once, the others with the split
    kept = frame if len(arrays) == drawn["rows"] else frame[frame["kind"].notna()]
    assert len(arrays) == len(kept) and (dropping or rows == len(kept) == drawn["rows"])
    assert facts.not_finite == 0 and splits.train.x.isfinite().all() and splits.valid.x.isfinite().all()
    if splits.task == "classification":
        assert len(splits.class_names) > 1 and splits.train.y.max() < len(splits.class_names)
    for name, kind in drawn["columns"]:
        if kind in ("whole", "fractions", "gaps", "huge", "tiny", "nullable whole") and arrays.columns.count(name) == 1:
            wanted = kept[name].to_numpy(np.float64, na_value=np.nan)
            read = arrays.x[:, arrays.columns.index(name)]
            np.testing.assert_array_equal(read, wanted, err_msg=f"{name}: {kind}")
    return True


@settings(max_examples=60, deadline=None, derandomize=True)
@given(drawn=TABLES)
def test_a_table_of_odd_columns_is_read_rightly_or_refused_in_one_line(drawn, tmp_path_factory):
    check(tmp_path_factory.getbasetemp(), drawn)


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("kind", CYCLES)
def test_every_kind_of_column_ends_so(tmp_path, kind, form):
    plain = {"missing": "median", "task": "classification", "categories": "one_hot", "scaling": "standardize"}
    fields = {**plain, "target_scaling": "none", "valid_fraction": 0.2}
    columns = [("size", "fractions"), ("odd", kind)]
    for coded in (False, True):
        drawn = {"rows": 40, "columns": columns, "target": "texts", "form": form, "coded": coded, "fields": fields}
        read = check(tmp_path, drawn)
        assert kind not in ("whole", "fractions", "booleans", "gaps", "nullable whole", "tiny", "seconds") or read


@dataclass(frozen=True, kw_only=True, eq=False)
class Own(DataSource):
    """A source of one's own that returns a DataFrame and a Series."""

    frame: pd.DataFrame
    labels: pd.Series

    def arrays(self, test):
        return Arrays(self.frame, self.labels)


@pytest.mark.parametrize("place", ["input", "label"])
@pytest.mark.parametrize("kind", CYCLES)
def test_every_kind_of_column_of_a_frame_of_ones_own_ends_so(kind, place):
    odd, numbers, labels = cycle(kind, 40), cycle("fractions", 40), cycle("texts", 40)
    frame = pd.DataFrame({"size": numbers, "odd": odd if place == "input" else numbers})
    source = Own(frame=frame, labels=odd if place == "label" else labels, batch_size="full", scaling="standardize")
    try:
        splits = source.load()
    except HpsearchError as error:
        assert str(error) and "\n" not in str(error)
        return
    assert len(splits.train) + len(splits.valid) == 40 and splits.train.x.isfinite().all()
    if splits.task == "regression":
        assert splits.train.y.isfinite().all()
    else:
        assert len(splits.class_names) == len(set(map(str, odd if place == "label" else labels)))


@pytest.mark.long
@settings(max_examples=3000, deadline=None)
@given(drawn=TABLES)
def test_many_tables_of_odd_columns_are_read_rightly_or_refused_in_one_line(drawn, tmp_path_factory):
    check(tmp_path_factory.getbasetemp(), drawn)
