import numpy as np
import pytest
import torch

from hpsearch.base.types import DataFault
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import Splits
from hpsearch.data.check import fault, look
from hpsearch.data.part import Split


def splits(train, valid, y=None, task="classification", outputs=3):
    def part(x):
        x = torch.as_tensor(x, dtype=torch.float32)
        labels = torch.arange(len(x)) % outputs if task == "classification" else x[:, :1]
        return Split(x, labels)

    first = part(train) if y is None else Split(torch.as_tensor(train, dtype=torch.float32), torch.as_tensor(y))
    names = tuple("abc"[:outputs]) if task == "classification" else ()
    return Splits(first, part(valid), None, tuple(first.x.shape[1:]), outputs, task, names, "digest")


def test_repeats_leaks_and_contradictions_equal_a_comparison_of_all_pairs():
    random = np.random.default_rng(0)
    train, valid = random.integers(0, 3, (40, 3)), random.integers(0, 3, (20, 3))
    labels = random.integers(0, 3, 40)
    found = look(splits(train, valid, labels), 1000)
    pairs = (train[:, None] == train[None]).all(2)
    assert found.repeats["train"] == 40 - len(np.unique(train, axis=0))
    assert found.leaks == {"train, valid": int((valid[:, None] == train[None]).all(2).any(1).sum())}
    assert found.contradictions == int((pairs & (labels[:, None] != labels[None])).any(1).sum())
    assert found.counts == tuple(np.bincount(labels, minlength=3).tolist())
    assert found.leaks["train, valid"] and found.contradictions


def test_minus_zero_is_zero():
    found = look(splits([[0.0, 1.0], [5.0, 1.0]], [[-0.0, 1.0]]), 10)
    assert found.leaks == {"train, valid": 1}


def test_moments_equal_numpys_in_one_pass_of_many_batches():
    x = np.random.default_rng(0).normal(100, [1, 50, 0], (2500, 3))
    found = look(splits(x, x[:5]), 10_000)
    stored = x.astype(np.float32).astype(np.float64)
    assert found.rms == pytest.approx(np.sqrt((stored**2).mean()), rel=1e-6)
    assert found.scales == pytest.approx(stored[:, 1].std() / stored[:, 0].std(), rel=1e-5)
    assert (found.constant, found.features) == (1, 3)
    assert (found.low, found.high) == (stored.min(), stored.max())


def test_a_part_is_looked_at_up_to_so_many_rows():
    found = look(splits(np.arange(30.0)[:, None], [[1.0]]), 7)
    assert found.looked_at == {"train": 7, "valid": 1} and found.samples["train"] == 30


def test_what_is_not_finite_is_counted_and_targets_are_measured():
    found = look(
        splits([[1.0], [np.inf], [np.nan]], [[1.0]], y=[[1.0], [2.0], [4.0]], task="regression", outputs=1), 10
    )
    assert found.not_finite == 2
    assert found.target_std == pytest.approx(np.std([1, 2, 4]))


@pytest.mark.parametrize(
    ("y", "names", "known"),
    [
        ([1, 2, 3], "abc", DataFault.LABELS_FROM_ONE),
        ([0, 1, 3], "abc", None),
        ([0, 0, 0], "a", DataFault.ONE_CLASS),
        ([0.0, np.nan, 1.0], "", DataFault.NOT_FINITE),
    ],
)
def test_a_refused_data_set_has_a_known_mistake_or_none(y, names, known):
    assert fault(Arrays(np.zeros((3, 2)), np.array(y), tuple(names))) == known


def test_sentences_are_the_same_whatever_their_padding():
    train, valid = [[2, 3, 0, 0], [4, 0, 0, 0], [2, 3, 0, 0]], [[2, 3], [3, 2]]
    y = [[0, 1, -100, -100], [1, -100, -100, -100], [0, 0, -100, -100]]
    parts = Split(torch.tensor(train), torch.tensor(y)), Split(torch.tensor(valid), torch.tensor([[0, 1], [1, 0]]))
    found = look(Splits(*parts, None, (4,), 2, "classification", ("a", "b"), "digest", vocabulary=5), 10)
    assert (found.repeats["train"], found.leaks, found.contradictions) == (1, {"train, valid": 1}, 2)
    assert (found.counts, found.words, found.scales) == ((3, 2), 5, 1.0)
