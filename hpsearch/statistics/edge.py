"""From which value of a hyperparameter on runs fail: the value at which half of them do, with its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from hpsearch.statistics.comparisons import ALPHA
from hpsearch.statistics.intervals import Interval

UNLUCKY = (0.0, 0.02, 0.05, 0.1)
"""Shares of runs that may fail for another reason, however small the value is."""
DROP = 2.3
"""Of the log-likelihood within the interval. Half of the 95 % quantile of chi squared, 1.92, covers .90 where there are
three runs at each place (a curve .3 wide, places a third apart, 2 % unlucky); this covers .92 there."""
NARROWEST = 30
"""The narrowest curve is so many times narrower than the least step between places."""
_PLACES, _WIDTHS = 24, 12
_SHUFFLES = 999


@dataclass(frozen=True, slots=True)
class FailureEdge:
    """Where half of the runs fail.

    Attributes:
        place: the estimate, on the scale of the places.
        interval: 95 % profile-likelihood interval; an end is infinite where the values tried do not bound it.
        p: how often failures that come at random would lie as much at large values.
    """

    place: float
    interval: Interval
    p: float


def failure_edge(places: Sequence[float], failed: Sequence[int], n: Sequence[int]) -> FailureEdge | None:
    """Estimate from which place on runs fail, more and more of them the larger it is.

    Of n_i runs at x_i, k_i fail with the probability ::

        p(x) = c + (1 - c) / (1 + exp((e - x) / s))

    The edge is e, whatever the width s and the share c of runs that are unlucky at any x. Without c one unlucky run far
    below the edge would flatten the curve and move it (Wichmann and Hill, The psychometric function I, Perception and
    Psychophysics 2001). The estimate maximizes the likelihood; its interval holds every e whose likelihood, maximized
    over s and c, is within a factor exp(-DROP) of the largest (Venzon and Moolgavkar, Applied Statistics 1988). Where
    a place divides those that fail from the others, logistic regression has no largest likelihood and Wald's interval
    does not exist; this one holds the gap between them. s is at least a thirtieth of the least step between places.

    Args:
        places: x, ascending and distinct; the logarithms of rates.
        failed: k at each.
        n: runs at each, at least one.

    Returns:
        The edge; None where half do not fail at any place tried or all do at each, and where failures do not go with
        the place: where the sum of their midranks is reached by chance, with failures shuffled among the runs, in more
        than 2.5 % of cases, so that the two ends of a range together have 5 %.
    """
    x, k, runs = (np.asarray(values, dtype=np.float64) for values in (places, failed, n))
    if len(x) < 2 or not 0 < k.sum() < runs.sum():
        return None
    p = _trend_p(k, runs)
    if p > ALPHA / 2:
        return None
    edges, likelihood = _profile(x, k, runs)
    top = float(likelihood.max())
    best = float(edges[np.flatnonzero(likelihood >= top - 1e-9)].mean())
    if not x[0] <= best <= x[-1]:
        return None
    inside = np.flatnonzero(likelihood >= top - DROP)
    low = -math.inf if inside[0] == 0 else float(edges[inside[0] - 1])
    high = math.inf if inside[-1] == len(edges) - 1 else float(edges[inside[-1] + 1])
    return FailureEdge(best, Interval(low, high, 1 - ALPHA, "profile-likelihood interval of a logistic curve"), p)


def _profile(x: NDArray[np.float64], k: NDArray[np.float64], n: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return edges and the log-likelihood of each, maximized over widths and unlucky shares."""
    least, step = float(np.diff(x).min()), float(np.diff(x).max())
    edges = np.linspace(x[0] - step, x[-1] + step, round(_PLACES * (x[-1] - x[0] + 2 * step) / step) + 1)
    widths = np.geomspace(least / NARROWEST, max(x[-1] - x[0], least), _WIDTHS)
    curve = expit((x - edges[:, None, None]) / widths[:, None])
    found = np.full(len(edges), -math.inf)
    for unlucky in UNLUCKY:
        p = np.clip(unlucky + (1 - unlucky) * curve, 1e-12, 1 - 1e-12)
        found = np.maximum(found, (xlogy(k, p) + xlogy(n - k, 1 - p)).sum(-1).max(-1))
    return edges, found


def _trend_p(k: NDArray[np.float64], n: NDArray[np.float64]) -> float:
    """Return the one-sided permutation p-value that failures have the large midranks."""
    runs = n.astype(np.int64)
    at = np.cumsum(runs) - (runs - 1) / 2
    shuffled = np.random.default_rng(0).multivariate_hypergeometric(runs, int(k.sum()), size=_SHUFFLES)
    return (1 + int(np.sum(shuffled @ at >= k @ at - 1e-9))) / (1 + _SHUFFLES)
