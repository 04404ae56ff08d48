import numpy as np
import pytest

from hpsearch.data.split import kfold, stratified


def labels(*counts):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@pytest.mark.parametrize("counts", [(50, 50), (97, 3, 41, 1), (1, 1, 1, 200), (60,)])
@pytest.mark.parametrize("fraction", [0.05, 1 / 3, 0.9])
def test_parts_are_disjoint_cover_all_rows_and_keep_the_shares(counts, fraction):
    y = labels(*counts)
    size = round(fraction * len(y))
    rest, chosen = stratified(y, size, seed=3, purpose="valid")
    assert len(chosen) == size
    assert sorted(np.concatenate((rest, chosen))) == list(range(len(y)))
    assert (np.diff(rest) > 0).all() and (np.diff(chosen) > 0).all()
    for c, count in enumerate(counts):
        assert abs((y[chosen] == c).sum() - count * size / len(y)) < 1


def test_the_largest_remainder_is_rounded_up():
    y = np.array([0] * 30 + [1] * 70)
    assert y[stratified(y, 1, seed=0, purpose="valid")[1]].tolist() == [1]
    assert np.bincount(y[stratified(y, 12, seed=0, purpose="valid")[1]]).tolist() == [4, 8]


def test_labels_need_not_be_consecutive():
    y = np.array([7, 7, 7, 7, 2, 2])
    assert sorted(y[stratified(y, 3, seed=0, purpose="valid")[1]]) == [2, 7, 7]


def test_a_larger_part_contains_a_smaller_one():
    y = labels(40, 40, 40)
    small, large = (set(stratified(y, size, seed=1, purpose="train_size")[1]) for size in (30, 60))
    assert small < large


def test_the_seed_and_the_purpose_choose_the_rows():
    y = labels(100, 100)

    def chosen(seed, purpose):
        return stratified(y, 50, seed, purpose)[1].tolist()

    assert chosen(0, "valid") == chosen(0, "valid")
    assert chosen(0, "valid") != chosen(1, "valid")
    assert chosen(0, "valid") != chosen(0, "test")


def test_every_row_is_chosen_equally_often():
    y = np.zeros(10, np.int64)
    hits = sum(np.bincount(stratified(y, 3, seed, "valid")[1], minlength=10) for seed in range(2000))
    assert abs(hits / 2000 - 0.3).max() < 0.05


def test_rows_are_the_same_on_every_version_of_numpy():
    assert stratified(np.array([0, 1] * 10), 6, seed=0, purpose="valid")[1].tolist() == [5, 6, 9, 10, 13, 16]


@pytest.mark.parametrize(("n", "classes", "folds"), [(100, 3, 5), (97, 4, 10), (12, 2, 12), (20, 1, 3)])
def test_folds_are_disjoint_stratified_and_cover_everything(n, classes, folds):
    strata = np.random.default_rng(0).integers(0, classes, n)
    parts = [kfold(strata, folds, fold, 1) for fold in range(folds)]
    held_out = np.concatenate([chosen for _, chosen in parts])
    assert sorted(held_out.tolist()) == list(range(n))
    for rest, chosen in parts:
        assert sorted([*rest, *chosen]) == list(range(n))
        assert n // folds <= len(chosen) <= -(-n // folds)
        assert np.array_equal(np.sort(chosen), chosen)
    for stratum in range(classes):
        sizes = [int((strata[chosen] == stratum).sum()) for _, chosen in parts]
        assert max(sizes) - min(sizes) <= 1


def test_folds_are_seeded():
    strata = np.zeros(50, np.int64)
    first, again, other = (kfold(strata, 5, 0, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
