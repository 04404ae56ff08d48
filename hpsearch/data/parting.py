"""Parts of samples: held out at random, by groups, or by time."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.base.keys import PER_SEED
from hpsearch.data.arrays import Arrays
from hpsearch.data.split import expanding, grouped, kfold, later, stratified


def hold_out(arrays: Arrays, fraction: float, seed: int, name: str) -> tuple[Arrays, Arrays]:
    """Take a share of the samples away: at random and stratified, whole groups, or the latest.

    Args:
        arrays: samples, with groups, times or neither.
        fraction: of them that is taken.
        seed: of the order.
        name: of the part that they make, ``valid`` or ``test``.

    Returns:
        The rest, and what is taken.

    Raises:
        ConfigError: one of the two would be empty.
    """
    key, size = f"data.{name}_fraction = {fraction}", round(fraction * len(arrays))
    if not 0 < size < len(arrays):
        raise ConfigError(f"{key}: takes {size} of {len(arrays)} samples")
    if arrays.time is not None:
        late = later(arrays.time, size)
        if late is None:
            raise ConfigError(f"{key}: all {len(arrays)} samples are of one time, which stays in one part")
        return _both(arrays, late)
    if arrays.groups is not None:
        _check_groups(key, arrays.groups, 2)
        return _both(arrays, grouped(arrays.strata, arrays.groups, (1 - fraction, fraction), seed, name) == 1)
    rest, chosen = stratified(arrays.strata, size, seed, name)
    return arrays.rows(rest), arrays.rows(chosen)


def fold_of(arrays: Arrays, folds: int, fold: int, seed: int) -> tuple[Arrays, Arrays]:
    """Return the rest and one fold of a cross-validation: stratified, of whole groups, or of expanding times.

    Args:
        arrays: samples, with groups, times or neither.
        folds: number of folds.
        fold: which one.
        seed: of the order.

    Returns:
        What the fold is trained on, and the fold. Of times it is trained on all that are earlier.

    Raises:
        ConfigError: there are not enough samples, groups or times.
    """
    key = f"data.folds = {folds}"
    if folds > len(arrays):
        raise ConfigError(f"{key}: there are {len(arrays)} samples to deal out")
    if arrays.time is not None:
        parts = expanding(arrays.time, folds, fold)
        if parts is None:
            times = len(np.unique(arrays.time))
            raise ConfigError(f"{key}: {times} different times make no {folds + 1} parts that follow one another")
        return arrays.rows(np.flatnonzero(parts[0])), arrays.rows(np.flatnonzero(parts[1]))
    if arrays.groups is not None:
        _check_groups(key, arrays.groups, folds)
        return _both(arrays, grouped(arrays.strata, arrays.groups, (1 / folds,) * folds, seed, "folds") == fold)
    rest, chosen = kfold(arrays.strata, folds, fold, seed)
    return arrays.rows(rest), arrays.rows(chosen)


def split_seeds(split_seed: int | str, seed: int) -> tuple[int, int]:
    """Return the seeds of the test part and of all other parts.

    Args:
        split_seed: a number, or ``per_seed``: the test part is then the same in all trials.
        seed: of the trial.
    """
    return (0, seed) if isinstance(split_seed, str) else (split_seed, split_seed)


def check_split_seed(split_seed: int | str, folds: int | None, time: str | None) -> None:
    """Refuse a split of each seed's own where it is not drawn, or where folds are dealt out already."""
    if split_seed == PER_SEED and time is not None:
        raise ConfigError(f"data.split_seed = per_seed: data.time = '{time}' splits by time, and draws nothing")
    if split_seed == PER_SEED and folds is not None:
        raise ConfigError(f"data.split_seed = per_seed: data.folds = {folds} deals the samples out; use one of the two")


def check_one_way(groups: str | None, time: str | None) -> None:
    """Refuse to make parts by groups and by time at once."""
    if groups is not None and time is not None:
        raise ConfigError(f"data.groups = '{groups}', data.time = '{time}': parts are made by one of them")


def apart(parts: Mapping[str, Arrays]) -> tuple[str, ...]:
    """Check that parts share no group, or follow one another in time, and say what they hold.

    Args:
        parts: in the order of their times.

    Returns:
        A sentence where samples have groups or times.

    Raises:
        DataError: a source's own test part shares groups or times with the others.
    """
    groups = {name: part.groups for name, part in parts.items() if part.groups is not None}
    times = {name: part.time for name, part in parts.items() if part.time is not None}
    if groups.keys() == parts.keys():
        held = {name: np.unique(each) for name, each in groups.items()}
        for name, each in held.items():
            shared = [known for other in held if other != name for known in np.intersect1d(held[other], each)]
            if shared:
                raise DataError(f"group '{shared[0]}' is in the {name} part and in another one")
        counts = ", ".join(f"{len(each)} in {name} ({len(parts[name])} samples)" for name, each in held.items())
        return (f"parts of whole groups: {counts}",)
    if times.keys() == parts.keys():
        ordered = list(times)
        for first, second in pairwise(ordered):
            if times[first].max() >= times[second].min():
                raise DataError(f"the {second} part begins at {times[second].min()}, before the {first} part ends")
        return (f"parts by time: {', '.join(f'{name} {len(parts[name])} samples' for name in ordered)}",)
    return ()


def _both(arrays: Arrays, chosen: NDArray[np.bool_]) -> tuple[Arrays, Arrays]:
    return arrays.rows(np.flatnonzero(~chosen)), arrays.rows(np.flatnonzero(chosen))


def _check_groups(key: str, groups: NDArray[np.str_], parts: int) -> None:
    if (count := len(np.unique(groups))) < parts:
        raise ConfigError(f"{key}: {count} groups cannot make {parts} parts, as none is divided")
