"""What every single value adds to a score: an additive model of a small space."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from hpsearch.search.space import Space

RIDGE = 0.1
"""The penalty on squared effects, in units of one point."""


def main_effects(
    space: Space, points: Sequence[Mapping[str, Any]], scores: Sequence[float], others: Sequence[Mapping[str, Any]]
) -> NDArray[np.float64]:
    """Return what scores an additive model expects of points that were not tried.

    The model is ``mean + sum of one effect per active hyperparameter's value``, and where the value has an order also
    a slope over it, fitted by ridge regression (Hoerl and Kennard, Technometrics 1970). Main effects are known long
    before every combination was tried.

    Args:
        space: what is searched.
        points: that have a score: Optuna's values of every branch by flat name.
        scores: of the points.
        others: points to say something of.

    Returns:
        The expected scores, in the order of `others`.
    """
    columns: dict[tuple[str, str], int] = {}
    rows = [_features(space, point) for point in (*points, *others)]
    for row in rows:
        for name in row:
            columns.setdefault(name, len(columns))
    matrix = np.zeros((len(rows), len(columns)))
    for place, row in enumerate(rows):
        matrix[place, [columns[name] for name in row]] = list(row.values())
    known, asked = matrix[: len(points)], matrix[len(points) :]
    mean = float(np.mean(scores))
    effects = np.linalg.solve(known.T @ known + RIDGE * np.eye(len(columns)), known.T @ (np.asarray(scores) - mean))
    expected: NDArray[np.float64] = mean + asked @ effects
    return expected


def _features(space: Space, point: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return what stands in the columns of a point that is not 0: 1 for each value, and the place of an ordered one."""
    active = space.flat(space.active(point))
    features: dict[tuple[str, str], float] = {}
    for parameter in space.asked:
        if parameter.name in active:
            features[parameter.name, repr(active[parameter.name])] = 1.0
            if not isinstance(parameter.distribution, CategoricalDistribution):
                features[parameter.name, "slope"] = parameter.to_unit(active[parameter.name]) - 0.5
    return features
