import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import torch

from hpsearch.data.digits import Digits


def test_images_and_labels_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    bunch, arrays = load_digits(), Digits().arrays(test=False)
    assert np.array_equal(arrays.x[:, 0], bunch.images)
    assert np.array_equal(arrays.y, bunch.target)
    assert arrays.class_names == tuple(map(str, bunch.target_names))


def test_without_the_file_scikit_learn_is_asked(monkeypatch):
    expected = Digits().arrays(test=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: find_spec(name) if name != "sklearn" else None)
    arrays = Digits().arrays(test=False)
    assert np.array_equal(arrays.x, expected.x) and np.array_equal(arrays.y, expected.y)


def test_splits():
    splits = Digits(test_fraction=0.2).load(test=True)
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [1150, 288, 359]
    assert splits.in_shape == (1, 8, 8) and splits.num_outputs == 10
    assert splits.train.x.min() == 0 and splits.train.x.max() == 1
    assert torch.equal(splits.train.x * 16, (splits.train.x * 16).round())


def test_reading_loads_no_heavy_library():
    code = """
import sys
from hpsearch.data.digits import Digits
Digits().read()
print(sorted({"torch", "sklearn", "scipy", "pandas"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
