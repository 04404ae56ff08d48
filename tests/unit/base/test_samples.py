import pickle

import numpy as np
import pytest
from safetensors.numpy import save

from hpsearch.base.samples import SAMPLES, read_samples, write_samples

RIGHT = np.asarray([[1, 0, 1, 1, 0, 0, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 1, 1]], np.float32)
LOSSES = np.asarray([[0.25, 0.5, 1.0], [0.75, 0.5, 2.0]], np.float32)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / SAMPLES
    units = {"valid": np.asarray([0, 0, 1, 1, 2, 2, 3, 3, 3], np.int32)}
    write_samples(path, "k", {"valid/acc": RIGHT, "test/loss": LOSSES}, units, "group")
    return path


def test_results_are_read_as_means_over_the_evaluations(file):
    found = read_samples(file, "k")
    assert found.values["valid/acc"].tolist() == [1, 0.5, 1, 1, 0, 0, 0.5, 1, 1]
    assert found.values["test/loss"].tolist() == [0.5, 0.5, 1.5]
    assert found.units["valid"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3] and found.unit == "group"


def test_right_and_wrong_take_a_bit_each(tmp_path):
    write_samples(tmp_path / SAMPLES, "k", {"valid/acc": np.ones((1, 10_000), np.float32)}, {})
    assert (tmp_path / SAMPLES).stat().st_size < 10_000 / 8 + 300
    assert read_samples(tmp_path / SAMPLES, "k").unit == "sample"


def test_no_file_another_trials_and_a_damaged_one_hold_nothing(file, tmp_path):
    whole = file.read_bytes()
    assert read_samples(tmp_path / "none", "k") is None and read_samples(file, "other") is None
    damaged = {
        "cut": whole[:-9],
        "empty": b"",
        "text": b"not a file of tensors",
        "no metadata": save({"valid/acc": LOSSES}),
        "a size that is no number": save(
            {"bits:valid/acc": np.zeros((1, 2), np.uint8)}, {"key": "k", "unit": "sample"}
        ),
        "a bad count": save(
            {"bits:valid/acc": np.zeros((1, 2), np.uint8)}, {"key": "k", "unit": "sample", "bits:valid/acc": "x"}
        ),
    }
    for name, content in damaged.items():
        file.write_bytes(content)
        assert read_samples(file, "k") is None, name


def test_nothing_in_a_file_is_run(file, tmp_path):
    class Runs:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    file.write_bytes(pickle.dumps(Runs()))
    assert read_samples(file, "k") is None
    assert not (tmp_path / "ran").exists()
