"""Which hyperparameter goes with the score, of too few points to share out what it owes to each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpsearch.reports.kit.curves import Array
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.statistics.comparisons import holm
from hpsearch.statistics.ranks import ranks_of

FEWEST = 5
"""Of fewer points even a perfect order is no evidence."""
SHUFFLES = 9999
_AT_ONCE = 500  # shuffles, so that those of thousands of points fit into memory
_SEED = 20_000


@dataclass(frozen=True, slots=True)
class Association:
    """How one hyperparameter goes with the score.

    Attributes:
        name: of the hyperparameter, in words.
        strength: Spearman's rank correlation with the mean score; of a category the correlation ratio of its ranks.
        numeric: whether the sign of `strength` says in which direction.
        points: how many COMPLETE points have a value of it.
        p: share of shuffles of the scores that give a strength as large, adjusted by Holm for the number of keys.
    """

    name: str
    strength: float
    numeric: bool
    points: int
    p: float


def strongest_association(points: Sequence[Point], axes: Sequence[Axis]) -> Association | None:
    """Return the hyperparameter whose order goes with that of the scores the most surely.

    A permutation test: under the hypothesis that a key has no effect every order of the scores is as likely (Fisher,
    The design of experiments, 1935), so the p-value is the share of orders, drawn at random and the given one among
    them, in which the strength is at least as large. Both strengths are of ranks: Spearman's rho, and
    ``eta = sqrt(sum_g n_g (r_g - r)^2 / sum_i (r_i - r)^2)`` with the mean rank r_g of a category's points.

    Args:
        points: of the study; those that are COMPLETE count.
        axes: the searched hyperparameters.

    Returns:
        The one with the smallest adjusted p-value; None where no key has two values in `FEWEST` points.
    """
    rng = np.random.default_rng(_SEED)
    found = [each for axis in axes if (each := _association(points, axis, rng)) is not None]
    adjusted = [1.0 if p is None else p for p in holm([each.p for each in found])]
    ranked = sorted(zip(adjusted, found, strict=True), key=lambda pair: (pair[0], -abs(pair[1].strength)))
    return replace(ranked[0][1], p=ranked[0][0]) if ranked else None


def _association(points: Sequence[Point], axis: Axis, rng: np.random.Generator) -> Association | None:
    known = [(p.params[axis.key], p.mean) for p in points if p.mean is not None and axis.key in p.params]
    places = np.array([axis.place(value) for value, _ in known])
    scores = ranks_of([mean for _, mean in known])
    if len(known) < FEWEST or np.ptp(places) == 0 or np.ptp(scores) == 0:
        return None
    strength = _numeric(places) if axis.numeric else _categorical(places)
    standard = _standard(scores)
    given = strength @ standard
    size = float(np.linalg.norm(given))
    as_large = 0
    for first in range(0, SHUFFLES, _AT_ONCE):
        orders = rng.permuted(np.tile(standard, (min(_AT_ONCE, SHUFFLES - first), 1)), axis=1)
        as_large += int(np.sum(np.linalg.norm(orders @ strength.T, axis=1) >= size - 1e-9))
    p = (1 + as_large) / (SHUFFLES + 1)
    return Association(axis.name, float(given[0]) if axis.numeric else size, axis.numeric, len(known), p)


def _standard(ranks: Array) -> Array:
    """Return ranks with the mean 0 and the length 1, along the last axis."""
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=-1, keepdims=True))


def _numeric(places: Array) -> Array:
    """Return the direction whose product with the scores is their rank correlation, as one row."""
    return np.asarray(_standard(ranks_of(places))[None, :])


def _categorical(places: Array) -> Array:
    """Return a row of equal length per category: the norm of their products with the scores is the ratio eta."""
    rows = np.array([places == place for place in np.unique(places)], dtype=float)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
