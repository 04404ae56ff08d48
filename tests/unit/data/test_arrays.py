import math

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.arrays import Arrays, check_class_weights, check_classes, checked, keep_classes, weigh_classes


def arrays(y, names="abcd", x=None):
    y = np.asarray(y)
    return Arrays(np.zeros((len(y), 2)) if x is None else x, y, tuple(names), where="file.npz")


def test_no_samples_are_refused():
    for names in ("abcd", ""):
        with pytest.raises(DataError, match=r"^file\.npz: there are no samples$"):
            checked(arrays([], names=names))


def test_kept_classes_are_renumbered_in_the_order_given():
    x = np.arange(6)[:, None]
    kept = keep_classes(arrays([0, 1, 2, 3, 1, 2], x=x), (2, 1))
    assert kept.x[:, 0].tolist() == [1, 2, 4, 5]
    assert kept.y.tolist() == [1, 0, 1, 0]
    assert kept.class_names == ("c", "b")


def test_none_keeps_everything():
    everything = arrays([0, 1])
    assert keep_classes(everything, None) is everything


def test_a_class_there_is_not_and_a_regression():
    with pytest.raises(ConfigError, match=r"data\.classes = 4: must be a whole number from 0 to 3"):
        keep_classes(arrays([0, 1]), (1, 4))
    with pytest.raises(ConfigError, match=r"data\.classes = \[0, 1\]: a regression has no classes"):
        keep_classes(arrays([0.5, 1.0], names=""), (0, 1))


@pytest.mark.parametrize("value", [3, (1,), (1, 1), (0, 1.0), (0, True), "01", ()])
def test_bad_classes(value):
    with pytest.raises(ConfigError, match=r"data\.classes = .*: must be a list of at least two different"):
        check_classes(value)


def test_balanced_weights_count_every_class_alike():
    y = [0] * 6 + [1] * 3 + [2] * 1
    weights = weigh_classes(arrays(y, names="abc"), "balanced")
    assert weights == pytest.approx((10 / 18, 10 / 9, 10 / 3))
    assert sum(weights[c] for c in y) == pytest.approx(10)


def test_given_weights_are_kept():
    assert weigh_classes(arrays([0, 1], names="ab"), (1, 3)) == (1.0, 3.0)
    assert weigh_classes(arrays([0, 1], names="ab"), None) is None


@pytest.mark.parametrize(
    ("y", "names", "weights", "message"),
    [
        ([0, 1], "ab", (1, 2, 3), "data.class_weights = [1, 2, 3]: 3 weights, but there are 2 classes"),
        ([0, 0], "ab", "balanced", "data.class_weights = 'balanced': the training part has no sample of class 'b'"),
        ([0.5], "", "balanced", "data.class_weights = 'balanced': a regression has no classes, use null"),
    ],
)
def test_weights_that_do_not_fit(y, names, weights, message):
    with pytest.raises(ConfigError) as error:
        weigh_classes(arrays(y, names), weights)
    assert str(error.value) == message


@pytest.mark.parametrize("value", ["balance", (1.0, 0.0), (1.0, math.inf), (-1.0,), 2.0, ("1",)])
def test_bad_weights(value):
    with pytest.raises(ConfigError, match=r"data\.class_weights = "):
        check_class_weights(value)


NAN = np.zeros((3, 1, 4, 4))
NAN[2, 0, 1, 3] = math.nan
BAD = {
    "nan pixel": (arrays([0, 1, 0], x=NAN), "file.npz: x[2, 0, 1, 3] = nan: must be finite"),
    "infinite target": (arrays([0.0, math.inf], names=""), "file.npz: y[1] = inf: must be finite"),
    "label outside": (arrays([0, 1, 4, 9]), "file.npz: labels from 0 to 9: 4 classes need 0 to 3 (first: sample 2)"),
    "negative label": (arrays([0, -1]), "file.npz: labels from -1 to 0: 4 classes need 0 to 3 (first: sample 1)"),
    "fraction of a class": (arrays([0, 0.5]), "file.npz: y[1] = 0.5: must be the number of a class"),
    "one-hot labels": (
        arrays([[0, 1], [1, 0]]),
        "file.npz: labels of shape (2, 2): must be one class number per sample",
    ),
    "one class": (arrays([0, 0], names="a"), "file.npz: only one class ('a'): there is nothing to tell apart"),
    "fewer labels": (arrays([0, 1], x=np.zeros((3, 2))), "file.npz: 3 inputs but 2 labels"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_samples_are_one_line_with_file_and_place(case):
    samples, said = BAD[case]
    with pytest.raises(DataError) as error:
        checked(samples)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_whole_numbers_stored_as_floats_are_labels():
    assert checked(arrays([0.0, 3.0])).y.tolist() == [0, 3]
