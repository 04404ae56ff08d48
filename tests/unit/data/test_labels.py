import re

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.arrays import Arrays
from hpsearch.data.labels import completed, positive_class


def made(y, x=None, **fields):
    return completed(Arrays(np.zeros((len(y), 2)) if x is None else x, y, **fields))


@pytest.mark.parametrize(
    ("y", "names", "numbers"),
    [
        (np.array([0, 2, 1, 2]), ("0", "1", "2"), [0, 2, 1, 2]),
        (np.array([True, False, True]), ("0", "1"), [1, 0, 1]),
        (np.array(["dog", "cat", "dog"]), ("cat", "dog"), [1, 0, 1]),
        (np.array(["10", "2", "1"]), ("1", "2", "10"), [2, 1, 0]),
        (pd.Series(["b", "a", "b"]), ("a", "b"), [1, 0, 1]),
        (pd.Series(["b", "a", "b"], dtype="category"), ("a", "b"), [1, 0, 1]),
        (pd.Series([1, 0, 1], dtype="Int64"), ("0", "1"), [1, 0, 1]),
        (pd.DataFrame({"y": [0, 1, 0]}), ("0", "1"), [0, 1, 0]),
    ],
)
def test_labels_that_are_whole_numbers_or_texts_make_a_classification(y, names, numbers):
    arrays = made(y)
    assert arrays.task == "classification" and arrays.class_names == names
    assert arrays.y.astype(int).tolist() == numbers


def test_targets_that_are_floats_make_a_regression():
    assert made(np.array([0.0, 1.0])).task == made(pd.Series([0.5, 2.0])).task == "regression"


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.arange(1, 11), "labels from 1 to 10: subtract 1, classes are numbered from 0; or name them in class_names"),
        (np.array([0, 1, 3]), "3 different labels from 0 to 3, and none is 2: number the classes 0 to 2, or "),
        (np.array([0, 1, 2_000_000]), "3 different labels from 0 to 2000000, and none is 2"),
        (np.array(["a", ""]), "label 1 is empty"),
        (pd.Series(["a", None]), "label 1 is empty"),
    ],
)
def test_labels_that_number_no_classes_are_refused_in_one_line(y, said):
    with pytest.raises(DataError) as error:
        made(y, where="file")
    assert str(error.value).startswith(f"file: {said}") and "\n" not in str(error.value)


def test_a_frame_keeps_its_columns_and_its_missing_cells():
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [0.5, 1.5]})
    arrays = made(np.array([0, 1]), frame)
    assert arrays.columns == ("a", "b") and np.isnan(arrays.x[1, 0]) and arrays.x[:, 1].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"a": ["x", "y"]}), "column 'a' holds str: must be numbers"),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"] * 2)}), "column 'a' holds datetime64"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "two columns are named 'a'"),
        (np.array([["1"], ["2"]], dtype=object), "inputs of dtype object: must be numbers"),
    ],
)
def test_inputs_that_are_no_numbers_are_refused_in_one_line(frame, said):
    with pytest.raises(DataError, match=said):
        made(np.array([0, 1]), frame)


def test_a_further_part_has_the_classes_the_task_and_the_columns_of_the_first():
    first = made(pd.Series(["b", "a", "c"]), pd.DataFrame({"p": [1, 2, 3], "q": [4, 5, 6]}))
    other = completed(Arrays(pd.DataFrame({"q": [9], "p": [8]}), pd.Series(["c"])), first)
    assert other.y.tolist() == [2] and other.class_names == first.class_names and other.x.tolist() == [[8, 9]]
    with pytest.raises(DataError, match="label 'd' is none of the classes a, b, c"):
        completed(Arrays(first.x, np.array(["d"])), first)
    with pytest.raises(DataError, match="columns p, r: training has p, q"):
        completed(Arrays(pd.DataFrame({"p": [1], "r": [2]}), np.array(["a"])), first)
    assert completed(Arrays(first.x, np.array([3, 7, 9])), made(np.array([0.5, 1.0]))).task == "regression"


@pytest.mark.parametrize(
    ("name", "names", "number"),
    [(None, ("no", "yes"), 1), ("no", ("no", "yes"), 0), ("yes", ("no", "yes"), 1), (0, ("0", "1"), 0), (None, (), 1)],
)
def test_the_positive_class_is_named(name, names, number):
    assert positive_class(name, names) == number


@pytest.mark.parametrize(
    ("name", "names", "said"),
    [
        ("maybe", ("no", "yes"), "data.positive = 'maybe': must be one of the classes no, yes"),
        (1, ("no", "yes"), "data.positive = 1: must be one of the classes no, yes"),
        ("a", ("a", "b", "c"), "data.positive = 'a': is one of two classes, and there are 3; use null"),
        ("a", (), "data.positive = 'a': is one of two classes, and the data is a regression; use null"),
    ],
)
def test_a_positive_class_that_there_is_not(name, names, said):
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}$"):
        positive_class(name, names)
