"""fANOVA: the shares of the variance of a score, from a forest of regression trees taken apart exactly.

Source: Hutter, Hoos and Leyton-Brown 2014, https://proceedings.mlr.press/v32/hutter14.html.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpsearch.reports.kit.curves import Array

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor


@dataclass(frozen=True, slots=True)
class Boxes:
    """A regression tree over a box-shaped space: its leaves `[L]` as boxes `[L, D]`, in shares of each axis.

    The tree is ``f(x) = sum_l value_l 1[x in box_l]``, so with x uniform its mean over all but some axes is again
    such a sum, with each value times the size of its box along the axes that are averaged out.
    """

    value: Array
    low: Array
    high: Array

    @property
    def sizes(self) -> Array:
        """Sizes of the boxes `[L, D]`."""
        return self.high - self.low

    def mean(self) -> float:
        """Return ``E[f]``."""
        return float(self.value @ self.sizes.prod(axis=1))

    def variance(self) -> float:
        """Return ``Var[f]``."""
        return float((self.value - self.mean()) ** 2 @ self.sizes.prod(axis=1))

    def main(self, axis: int) -> float:
        """Return ``Var[E[f | x_axis]]``."""
        edges, start, stop = _segments(self.low[:, axis], self.high[:, axis])
        part = self.value * self._rest([axis])
        steps = np.bincount(start, part, len(edges)) - np.bincount(stop, part, len(edges))
        return float((np.cumsum(steps)[:-1] - self.mean()) ** 2 @ np.diff(edges))

    def joint(self, a: int, b: int) -> float:
        """Return ``Var[E[f | x_a, x_b]]``."""
        edges_a, start_a, stop_a = _segments(self.low[:, a], self.high[:, a])
        edges_b, start_b, stop_b = _segments(self.low[:, b], self.high[:, b])
        part = self.value * self._rest([a, b])
        steps = np.zeros((len(edges_a), len(edges_b)))
        for rows, columns, sign in (
            (start_a, start_b, 1),
            (stop_a, start_b, -1),
            (start_a, stop_b, -1),
            (stop_a, stop_b, 1),
        ):
            np.add.at(steps, (rows, columns), sign * part)
        values = steps.cumsum(0).cumsum(1)[:-1, :-1] - self.mean()
        return float(np.diff(edges_a) @ values**2 @ np.diff(edges_b))

    def surface(self, a: int, b: int, x: Array, y: Array) -> Array:
        """Return ``E[f | x_a, x_b]`` on a grid `[y, x]`."""
        inside_a, inside_b = (
            (self.low[:, [axis]] <= at) & ((at < self.high[:, [axis]]) | (at == 1) & (self.high[:, [axis]] == 1))
            for axis, at in ((a, x), (b, y))
        )
        part = self.value * self._rest([a, b])
        return np.asarray((inside_b * part[:, None]).T @ inside_a.astype(float))

    def _rest(self, axes: Sequence[int]) -> Array:
        return np.asarray(np.delete(self.sizes, axes, axis=1).prod(axis=1))


def _segments(low: Array, high: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """Return the distinct ends of intervals, ascending, and which of them each interval starts and stops at."""
    edges, where = np.unique(np.concatenate([low, high]), return_inverse=True)
    return edges, where[: len(low)], where[len(low) :]


@dataclass(frozen=True, slots=True)
class Forest:
    """Regression trees, each grown on a resample of the points.

    Attributes:
        trees: as boxes.
        gains: each axis's share of what the splits of each tree explain `[T, D]`.
        fit: how much of the variance the forest predicts in points that a tree has not seen (R^2).
    """

    trees: tuple[Boxes, ...]
    gains: Array
    fit: float

    def main(self, axis: int) -> Array:
        """Return ``Var[E[f | x_axis]] / Var[f]`` of every tree that is not constant."""
        return np.array([tree.main(axis) / tree.variance() for tree in self.trees if tree.variance() > 0])

    def interaction(self, a: int, b: int) -> Array:
        """Return what two axes have only together, as a share of ``Var[f]``, of every tree that is not constant."""
        shares = [
            (tree.joint(a, b) - tree.main(a) - tree.main(b)) / tree.variance()
            for tree in self.trees
            if tree.variance() > 0
        ]
        return np.array(shares).clip(0)

    def surface(self, a: int, b: int, x: Array, y: Array) -> Array:
        """Return ``E[f | x_a, x_b]`` on a grid `[y, x]`, the mean of the trees."""
        return np.asarray(np.mean([tree.surface(a, b, x, y) for tree in self.trees], axis=0))


def grow_forest(x: Array, y: Array, trees: int, rng: np.random.Generator) -> Forest:
    """Grow trees on resamples of points.

    Args:
        x: points in the unit cube `[N, D]`.
        y: their scores `[N]`.
        trees: how many.
        rng: draws the resamples.

    Returns:
        The forest.
    """
    grown = [_grow(x, y, rng) for _ in range(trees)]
    boxes, gains, unseen = zip(*grown, strict=True)
    return Forest(boxes, np.array(gains), _fit(y, unseen))


def _grow(x: Array, y: Array, rng: np.random.Generator) -> tuple[Boxes, Array, Array]:
    """Grow a tree on a resample.

    Returns:
        The tree, each axis's share of what its splits explain, and its predictions of the points outside the resample
        (NaN for those inside).
    """
    from sklearn.tree import DecisionTreeRegressor

    chosen = rng.integers(len(y), size=len(y))
    tree = DecisionTreeRegressor(random_state=int(rng.integers(2**31)))
    tree.fit(x[chosen], y[chosen])
    predicted = tree.predict(x)
    predicted[chosen] = math.nan
    return boxes_of(tree, x.shape[1]), np.asarray(tree.feature_importances_), predicted


def boxes_of(tree: "DecisionTreeRegressor", axes: int) -> Boxes:
    """Return a regression tree that was grown in the unit cube of so many axes."""
    nodes = tree.tree_
    low, high = np.zeros((nodes.node_count, axes)), np.ones((nodes.node_count, axes))
    left, right, feature, threshold = nodes.children_left, nodes.children_right, nodes.feature, nodes.threshold
    for node in np.flatnonzero(left >= 0):  # a parent stands before its children
        for child, ends in ((left[node], high), (right[node], low)):
            low[child], high[child] = low[node], high[node]
            ends[child, feature[node]] = threshold[node]
    leaves = left < 0
    return Boxes(nodes.value[leaves, 0, 0].astype(float), low[leaves], high[leaves])


def _fit(y: Array, unseen: Sequence[Array]) -> float:
    """Return R^2 of the mean prediction by the trees that have not seen a point."""
    votes = np.array(unseen)
    known = np.isfinite(votes).any(axis=0)
    predicted = np.nanmean(votes[:, known], axis=0)
    return float(1 - np.mean((predicted - y[known]) ** 2) / np.var(y[known]))
