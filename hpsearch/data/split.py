"""Seeded stratified splits."""

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.rng import address


def stratified(
    strata: NDArray[np.int64], size: int, seed: int, purpose: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows into two parts that keep the share of every stratum.

    Stratum c gives ``size * n_c / n`` rows, rounded by largest remainder so that the parts have the sizes asked for.
    Within a stratum the rows are ranked by a seeded order that does not depend on `size`, so the parts chosen for
    growing sizes contain each other, up to the rounding.

    Args:
        strata: [N] stratum of each row, such as its class.
        size: rows of the second part.
        seed: seed of the order.
        purpose: what the split is for; different purposes are independent.

    Returns:
        The indices of the N - size rows left and of the `size` rows chosen, each in ascending order.
    """
    ranked = _order(len(strata), seed, purpose)
    ranked = ranked[np.argsort(strata[ranked], kind="stable")]
    counts = np.unique(strata, return_counts=True)[1]
    rank = np.arange(len(strata)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = rank < np.repeat(_apportion(counts, size), counts)
    return np.sort(ranked[~chosen]), np.sort(ranked[chosen])


def kfold(strata: NDArray[np.int64], folds: int, fold: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows into one fold of a stratified k-fold cross-validation and the rest.

    The rows, in a seeded order within each stratum, are dealt out to the folds in turn: the sizes of the folds differ
    by at most one row, and so do each stratum's shares of them.

    Source: R. Kohavi, A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection,
    IJCAI 1995.

    Args:
        strata: [N] stratum of each row, such as its class.
        folds: number of folds.
        fold: which one, from 0.
        seed: seed of the order.

    Returns:
        The indices of the rest and of the fold, each in ascending order.
    """
    ranked = _order(len(strata), seed, "folds")
    ranked = ranked[np.argsort(strata[ranked], kind="stable")]
    chosen = np.arange(len(strata)) % folds == fold
    return np.sort(ranked[~chosen]), np.sort(ranked[chosen])


def _order(n: int, seed: int, purpose: str) -> NDArray[np.int64]:
    # numpy promises the raw stream of a bit generator for ever, but not that of Generator.permutation.
    return np.argsort(np.random.PCG64(address(seed, "split", purpose)).random_raw(n), kind="stable")


def _apportion(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    whole, rest = np.divmod(counts * size, counts.sum())
    largest = np.argsort(-rest, kind="stable")[: size - whole.sum()]
    whole[largest] += 1
    return whole
