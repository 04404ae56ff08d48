import numpy as np
import pandas as pd
import pytest

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.cells import Cells
from hpsearch.data.table import Table
from tests.support.data_files import write_table


@pytest.fixture
def path(tmp_path):
    return write_table(tmp_path / "table.csv", rows=12)


def table(path, /, **fields):
    roles = {"target": "kind", "drop": ["id", "price"], "categorical": ["colour"]}
    return Table(**{"path": str(path), "batch_size": 4, **roles, **fields})


def test_categories_become_columns_and_classes_are_sorted(path):
    frame, arrays = pd.read_csv(path), table(path).arrays(test=False)
    assert arrays.x.shape == (12, 5)
    assert np.array_equal(arrays.x[:, 0], frame["size"]) and np.array_equal(arrays.x[:, 1], frame["weight"])
    for column, colour in enumerate(("blue", "green", "red"), 2):
        assert np.array_equal(arrays.x[:, column], frame["colour"] == colour)
    assert arrays.class_names == ("a", "b")
    assert np.array_equal(arrays.y, frame["kind"] == "b")


def test_features_are_taken_in_the_order_given(path):
    arrays = table(path, features=["weight", "size"], categorical=[], drop=[]).arrays(test=False)
    frame = pd.read_csv(path)
    assert np.array_equal(arrays.x, frame[["weight", "size"]])


def test_a_regression_with_two_targets(path):
    source = table(path, target=["price", "size"], drop=["id", "kind"], task="regression")
    splits = source.load()
    assert (splits.task, splits.num_outputs, splits.in_shape) == ("regression", 2, (4,))
    assert splits.train.y.shape == (10, 2)
    assert np.allclose(splits.train.y[:, 0], 2 * splits.train.y[:, 1] + 1, atol=1e-3)


def test_parquet_reads_the_same(path, tmp_path):
    other = tmp_path / "table.parquet"
    pd.read_csv(path).to_parquet(other)
    first, second = table(path).arrays(test=False), table(other).arrays(test=False)
    assert np.array_equal(first.x, second.x) and np.array_equal(first.y, second.y)


def test_numbers_as_classes_are_sorted_as_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{(2, 10, 1)[i % 3]}\n" for i in range(9)))
    arrays = Table(path=str(path), target="y").arrays(test=False)
    assert arrays.class_names == ("1", "2", "10")
    assert arrays.y[:3].tolist() == [1, 2, 0]


def test_a_test_file_is_read_with_the_categories_of_the_training_file(path, tmp_path):
    other = tmp_path / "test.csv"
    lines = path.read_text().splitlines()
    other.write_text("\n".join([lines[0], *(line for line in lines[1:] if ",red," in line)]) + "\n")
    splits = table(path, test_path=str(other)).load(test=True)
    assert len(splits.test) == 4 and splits.test.x.shape[1] == 5
    other.write_text(lines[0] + "\n" + lines[1].replace("red", "pink") + "\n")
    with pytest.raises(DataError, match=r"test.csv: column 'colour', row 1 is 'pink': training knows blue, green, red"):
        table(path, test_path=str(other)).load(test=True)


def change(path, row, column, value):
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[row][lines[0].index(column)] = value
    path.write_text("\n".join(map(",".join, lines)) + "\n")


def refused(path, **fields):
    with pytest.raises(DataError) as error:
        table(path, **fields).arrays(test=False)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("weight", "heavy", "column 'weight', row 7 is 'heavy': must be a number, or list it in data.categorical"),
        ("weight", "inf", "column 'weight', row 7 is 'inf': must be a number"),
        ("size", "", "column 'size', row 7 is empty (1 rows are)"),
        ("colour", "", "column 'colour', row 7 is empty"),
        ("kind", "", "column 'kind', row 7 is empty"),
    ],
)
def test_a_bad_cell_is_named_with_file_column_and_row(path, column, value, said):
    change(path, 7, column, value)
    assert refused(path).startswith(f"{path}: {said}")


def test_text_in_a_column_of_numbers_that_was_not_declared(path):
    assert refused(path, categorical=[]) == (
        f"{path}: column 'colour', row 1 is 'red': must be a number, or list it in data.categorical"
    )


def test_a_missing_column_is_named_with_the_nearest(path):
    said = refused(path, target="kindd")
    assert said == f"{path}: no column 'kindd', did you mean 'kind'? (it has: id, size, weight, colour, price, kind)"
    assert "no column 'idd'" in refused(path, drop=["idd"])
    assert "no column 'hue'" in refused(path, categorical=["hue"])
    assert "no column 'height'" in refused(path, features=["height"], categorical=[])


def test_numbers_to_predict_are_no_classes(path):
    said = refused(path, target="price", drop=["id", "kind"])
    assert said == f"{path}: column 'price' has 12 different values in 12 rows; data.task=regression predicts numbers"


def test_files_that_are_no_tables(tmp_path):
    assert refused(tmp_path / "no.csv") == f"{tmp_path / 'no.csv'}: no such file"
    for name in ("empty.csv", "broken.parquet"):
        (tmp_path / name).write_bytes(b"")
        assert refused(tmp_path / name).startswith(f"{tmp_path / name}: cannot be read as a table (")
    (tmp_path / "head.csv").write_text("a,b\n")
    assert refused(tmp_path / "head.csv") == f"{tmp_path / 'head.csv'}: the table has no rows"
    (tmp_path / "one.csv").write_text("kind\n" + "a\nb\n" * 4)
    assert refused(tmp_path / "one.csv", drop=[], categorical=[]).endswith("no column is left to predict from")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"path": None}, "data.path = None: must be a .csv or .parquet file"),
        ({"test_path": 3}, "data.test_path = 3: must be a .csv or .parquet file"),
        ({"target": None}, "data.target = None: must be the name of a column"),
        (
            {"target": 3},
            "data.target = 3: must be the name of a column; a name that is a number is quoted twice",
        ),
        ({"target": True}, "data.target = True: must be the name of a column; YAML reads yes, no, on and off as true"),
        (
            {"drop": ["a", False]},
            "data.drop = ['a', False]: must be a list of names of columns; YAML reads yes, no, on and off as true",
        ),
        ({"target": []}, "data.target = []: a classification needs one column"),
        ({"target": ["a", "b"]}, "data.target = ['a', 'b']: a classification needs one column"),
        ({"features": "size"}, "data.features = 'size': must be a list of names of columns"),
        ({"drop": [1]}, "data.drop = [1]: must be a list of names of columns"),
        ({"task": "ranking"}, "data.task = 'ranking'"),
        ({"drop": ["colour"]}, "data: column 'colour' is a feature and also a target or dropped"),
        ({"features": ["kind"], "categorical": []}, "data: column 'kind' is a feature and also a target or dropped"),
        ({"features": ["size"]}, "data.categorical: 'colour' is not among data.features"),
    ],
)
def test_bad_roles(fields, said):
    with pytest.raises(ConfigError) as error:
        table("t.csv", **fields)
    assert str(error.value).startswith(said)


def test_a_wide_table_is_read_with_a_few_looks_at_its_names(tmp_path, monkeypatch):
    path = tmp_path / "wide.csv"
    path.write_text(",".join([*(f"c{n}" for n in range(300)), "y"]) + "\n" + ",".join(["1.5"] * 301) + "\n")
    looks, names = [], Cells.names.fget
    monkeypatch.setattr(Cells, "names", property(lambda cells: looks.append(1) or names(cells)))
    assert Table(path=str(path), target="y", task="regression").arrays(False).x.shape == (1, 300)
    assert len(looks) < 5
