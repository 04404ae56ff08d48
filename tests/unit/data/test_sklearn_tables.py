import numpy as np
import pytest

from hpsearch.base.errors import DataError
from hpsearch.data import sklearn_tables
from hpsearch.data.sklearn_tables import BreastCancer, Diabetes, Wine


@pytest.mark.parametrize(("source", "load"), [(BreastCancer(), "load_breast_cancer"), (Wine(), "load_wine")])
def test_classes_are_those_of_scikit_learn(source, load):
    import sklearn.datasets

    bunch, arrays = getattr(sklearn.datasets, load)(), source.arrays(test=False)
    assert np.array_equal(arrays.x, bunch.data) and np.array_equal(arrays.y, bunch.target)
    assert arrays.class_names == tuple(bunch.target_names)


def test_diabetes_is_that_of_scikit_learn():
    from sklearn.datasets import load_diabetes

    bunch, arrays = load_diabetes(scaled=False), Diabetes().arrays(test=False)
    assert np.array_equal(arrays.x, bunch.data) and np.array_equal(arrays.y, bunch.target)
    splits = Diabetes().load()
    assert (splits.task, splits.num_outputs, splits.in_shape) == ("regression", 1, (10,))
    assert splits.train.y.mean().abs() < 1e-5 and splits.train.y.std(correction=0).item() == pytest.approx(1)


def test_a_missing_file_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"wine_data\.csv: no such file in this scikit-learn"):
        sklearn_tables.Wine().arrays(test=False)
