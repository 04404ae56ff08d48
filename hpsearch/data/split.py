"""Splits of rows: seeded and stratified, of whole groups, and by time."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

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


def grouped(
    strata: NDArray[np.int64], groups: NDArray[np.str_], shares: Sequence[float], seed: int, purpose: str
) -> NDArray[np.int64]:
    """Deal whole groups out to parts, so that the parts have their shares of every stratum as nearly as groups allow.

    Groups go to parts one by one, large before small and in a seeded order among those of a size within a factor of 2:
    each to the part for which ``Σ (n_pc − s_p N_c)² / (s_p N_c)`` grows least, with the rows n_pc that part p of share
    s_p has of stratum c, and N_c in all. Every part gets a group at least.

    Args:
        strata: [N] stratum of each row, such as its class.
        groups: [N] group of each row; there are as many groups as parts at least.
        shares: of each part, of sum 1.
        seed: seed of the order.
        purpose: what the parts are for; different purposes are independent.

    Returns:
        [N] number of each row's part.
    """
    names, of = np.unique(groups, return_inverse=True)
    stratum = np.unique(strata, return_inverse=True)[1]
    sizes = np.zeros((len(names), int(stratum.max()) + 1))
    np.add.at(sizes, (of, stratum), 1)
    wanted = np.outer(shares, sizes.sum(0))
    held, part_of = np.zeros_like(wanted), np.empty(len(names), np.int64)
    order = _order(len(names), seed, purpose)
    for group in order[np.argsort(-np.floor(np.log2(sizes.sum(1)[order])), kind="stable")]:
        rows = sizes[group]
        grows = (rows * (2 * (held - wanted) + rows) / wanted).sum(1)
        part_of[group] = int(grows.argmin())
        held[part_of[group]] += rows
    for part in range(len(shares)):
        if not (part_of == part).any():
            spare = np.flatnonzero(np.bincount(part_of, minlength=len(shares))[part_of] > 1)
            part_of[spare[sizes[spare].sum(1).argmin()]] = part
    return part_of[of]


def later(time: NDArray[Any], size: int) -> NDArray[np.bool_] | None:
    """Choose the latest rows, about `size` of them; equal times stay on one side.

    Args:
        time: [N] time of each row.
        size: rows wanted.

    Returns:
        [N] whether a row is chosen; None where all times are equal.
    """
    edges = _edges(time)
    if not len(edges):
        return None
    edge = edges[np.abs(edges - (len(time) - size)).argmin()]
    return np.asarray(time >= np.sort(time)[edge])


def expanding(time: NDArray[Any], folds: int, fold: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Split rows into one fold of times and all that are earlier.

    The rows, in the order of their times, are cut into folds + 1 blocks of about one size, equal times on one side of
    a cut; fold i is block i + 1, and is trained on blocks 0 to i.

    Args:
        time: [N] time of each row.
        folds: number of folds.
        fold: which one, from 0.

    Returns:
        [N] whether a row is earlier, and whether it is in the fold; None where there are not enough different times.
    """
    edges = _edges(time)
    wanted = [round(len(time) * block / (folds + 1)) for block in range(1, folds + 1)]
    if len(edges) < folds:
        return None
    cuts = [int(edges[np.abs(edges - place).argmin()]) for place in wanted]
    if any(first >= second for first, second in pairwise(cuts)):
        return None
    ordered = np.sort(time)
    start = ordered[cuts[fold]]
    until = time < ordered[cuts[fold + 1]] if fold + 1 < folds else np.ones(len(time), bool)
    return np.asarray(time < start), np.asarray((time >= start) & until)


def _edges(time: NDArray[Any]) -> NDArray[np.int64]:
    """Return the places, in the order of times, at which a later time begins."""
    ordered = np.sort(time)
    return np.flatnonzero(ordered[1:] != ordered[:-1]) + 1


def training_sizes(rows: int, folds: int) -> tuple[int, ...]:
    """Return how many rows are left beside each fold of `kfold`.

    Args:
        rows: N.
        folds: number of folds.
    """
    return tuple(rows - len(range(fold, rows, folds)) for fold in range(folds))


def _order(n: int, seed: int, purpose: str) -> NDArray[np.int64]:
    # numpy promises the raw stream of a bit generator for ever, but not that of Generator.permutation.
    return np.argsort(np.random.PCG64(address(seed, "split", purpose)).random_raw(n), kind="stable")


def _apportion(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    whole, rest = np.divmod(counts * size, counts.sum())
    largest = np.argsort(-rest, kind="stable")[: size - whole.sum()]
    whole[largest] += 1
    return whole
