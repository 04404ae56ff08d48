import pickle

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.npz import Npz
from tests.support.data_files import write_npz


def saved(tmp_path, **arrays):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    return str(path)


def test_grey_images_get_a_channel_and_classes_are_counted(tmp_path):
    source = Npz(path=str(write_npz(tmp_path / "a.npz")), x_test="x_test", y_test="y_test")
    splits = source.load(test=True)
    assert splits.in_shape == (1, 6, 6) and splits.class_names == ("0", "1", "2")
    assert [len(splits.train), len(splits.valid), len(splits.test)] == [72, 18, 30]
    with np.load(tmp_path / "a.npz") as archive:
        assert np.array_equal(source.arrays(test=True).x[:, 0], archive["x_test"])


def test_layouts(tmp_path):
    x = np.random.default_rng(0).normal(size=(9, 4, 5, 3))
    path = saved(tmp_path, images=x, labels=np.arange(9)[:, None] % 3)
    last = Npz(path=path, x="images", y="labels", layout="channels_last").arrays(test=False)
    assert last.x.shape == (9, 3, 4, 5) and last.x[2, 1, 3, 4] == x[2, 3, 4, 1] and last.y.shape == (9,)
    assert Npz(path=path, x="images", y="labels").arrays(test=False).x.shape == (9, 4, 5, 3)


def test_features_and_a_regression(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 4))
    path = saved(tmp_path, x=x, y=x[:, :2])
    splits = Npz(path=path, task="regression", batch_size=4).load()
    assert (splits.in_shape, splits.num_outputs, splits.task) == ((4,), 2, "regression")


def refused(path, **fields):
    with pytest.raises(DataError) as error:
        Npz(path=str(path), batch_size=1, **fields).load()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_missing_arrays_are_named_with_those_there(tmp_path):
    path = saved(tmp_path, x_train=np.zeros((3, 2)), y=np.arange(3))
    assert refused(path) == f"{path}: no array 'x' (it has: x_train, y)"
    assert "no array 'x_trian', did you mean 'x_train'?" in refused(path, x="x_trian")


def test_arrays_that_do_not_fit(tmp_path):
    labels = np.arange(6) % 2
    pixels = np.ones((6, 3, 3))
    pixels[4, 1, 2] = np.nan
    cases = {
        "x[4, 0, 1, 2] = nan": {"x": pixels, "y": labels},
        "6 inputs but 5 labels": {"x": np.zeros((6, 2)), "y": labels[:5]},
        "'x' has shape (6,), expected": {"x": np.zeros(6), "y": labels},
        "'y' holds <U1, expected numbers": {"x": np.zeros((6, 2)), "y": np.array(list("ababab"))},
        "labels from -1 to 1": {"x": np.zeros((6, 2)), "y": labels * 2 - 1},
        "only one class ('0')": {"x": np.zeros((6, 2)), "y": labels * 0},
        "y[0] = 0.5: must be the number of a class": {"x": np.zeros((6, 2)), "y": labels + 0.5},
    }
    for said, arrays in cases.items():
        path = saved(tmp_path, **arrays)
        assert refused(path).startswith(f"{path}: {said}")
    path = saved(tmp_path, x=np.zeros((6, 2)), y=np.arange(6))
    assert refused(path, num_classes=4).startswith(
        f"{path}: labels from 0 to 5: 4 classes need 0 to 3 (first: sample 4)"
    )


def test_pickled_objects_are_refused(tmp_path):
    path = saved(tmp_path, x=np.array([{"a": 1}, None]), y=np.arange(2))
    pickled = tmp_path / "pickled.npz"
    pickled.write_bytes(pickle.dumps({"x": 1}))
    for file in (path, pickled):
        message = refused(file)
        assert "holds a pickle, which can run code" in message and "allow_pickle" not in message


def test_files_that_are_no_archives(tmp_path):
    assert refused(tmp_path / "no.npz") == f"{tmp_path / 'no.npz'}: cannot be read as .npz (no such file)"
    (tmp_path / "text.npz").write_text("hello")
    assert "text.npz: cannot be read as .npz" in refused(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert refused(tmp_path / "one.npy") == f"{tmp_path / 'one.npy'}: holds one array, expected an .npz archive"
    whole = write_npz(tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    assert "cut.npz: cannot be read as .npz" in refused(tmp_path / "cut.npz")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"path": None}, "data.path = None: must be an .npz file"),
        ({"x_test": "a"}, "data.x_test = 'a', data.y_test = None: name both or neither"),
        ({"layout": "NHWC"}, "data.layout = 'NHWC'"),
        ({"num_classes": 1}, "data.num_classes = 1"),
        ({"task": None}, "data.task = None"),
        ({"x_test": "a", "y_test": "b", "test_fraction": 0.2}, "data.test_fraction = 0.2: Npz has its own test part"),
    ],
)
def test_bad_settings(fields, said):
    with pytest.raises(ConfigError) as error:
        Npz(**{"path": "a.npz", **fields})
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.arange(1, 11), "labels from 1 to 10: subtract 1, classes are numbered from 0; or say data.num_classes"),
        (np.array([0, 1, 3] * 3), "3 different labels from 0 to 3, and none is 2"),
        (np.array([0, 1, 2_000_000] * 3), "3 different labels from 0 to 2000000, and none is 2"),
    ],
)
def test_labels_that_number_no_classes_are_refused_until_their_number_is_said(tmp_path, y, said):
    path = saved(tmp_path, x=np.random.default_rng(0).normal(size=(len(y), 2)), y=y)
    with pytest.raises(DataError) as error:
        Npz(path=path, batch_size=2).read()
    assert str(error.value).startswith(f"{path}: {said}") and "\n" not in str(error.value)
    if y.max() < 100:
        assert len(Npz(path=path, batch_size=2, num_classes=int(y.max()) + 1).read().train.class_names) == y.max() + 1


def test_groups_and_times_are_arrays_too(tmp_path):
    n = 30
    arrays = {"x": np.random.default_rng(0).normal(size=(n, 2)), "y": np.arange(n) % 2, "who": np.arange(n) // 3}
    path = saved(tmp_path, **arrays, when=np.datetime64("2026-01-01") + np.arange(n))
    parts = Npz(path=path, groups="who", batch_size=2).read()
    assert not set(parts.train.groups) & set(parts.valid.groups)
    parts = Npz(path=path, time="when", batch_size=2).read()
    assert parts.train.time.max() < parts.valid.time.min()
    with pytest.raises(ConfigError, match=r"data\.groups = 'who', data.time = 'when': parts are made by one of them"):
        Npz(path=path, groups="who", time="when")
    with pytest.raises(DataError, match="no array 'whom', did you mean 'who'"):
        Npz(path=path, groups="whom").read()
