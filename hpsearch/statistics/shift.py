"""By how much the edge between what happens and what does not is moved: a logistic curve with a shift."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, log_expit

from hpsearch.statistics.intervals import Interval

WIDTHS = 24
"""Widths of the logistic curve that are tried."""
FINE = 10
"""Places of an edge that are tried between two neighbouring values of x."""
MOST = 40
"""The values of x are taken to be no closer than a grid of so many steps: those of a random search are."""
FAR = 1.0
"""An edge is sought so far beyond the values of x, as a share of their range."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often something happened at each of some values.

    Attributes:
        x: the values.
        happened: how often, at each.
        n: of how many.
    """

    x: Sequence[float]
    happened: Sequence[int]
    n: Sequence[int]


def edge_shift(
    first: Counts, last: Counts, others: Sequence[Counts] = (), level: float = 0.95
) -> tuple[float, Interval]:
    """Return by how much the edge of one group lies above that of another, with its likelihood-ratio interval.

    In group g it happens at x with the chance ``1 / (1 + exp((x - e_g) / w))``: an edge e of its own, where it happens
    in half of the cases, and one width w for all. The interval of ``e_last - e_first`` holds every shift whose largest
    likelihood is not less than that of the best by a factor of ``exp(-q / 2)``, q the quantile of chi squared with one
    degree of freedom. The likelihood is searched over a grid, which also has an answer where a step fits best. Source:
    Venzon and Moolgavkar, A method for computing profile-likelihood-based confidence intervals, Applied Statistics
    1988.

    Args:
        first: counts of one group, two different values of x or more over all groups.
        last: counts of the other.
        others: counts of further groups, which help to tell the width.
        level: nominal coverage.

    Returns:
        The middle of the best shifts, and the interval. An end is infinite where an edge beyond all values of x is as
        likely.
    """
    x = np.unique(np.concatenate([np.asarray(each.x, dtype=np.float64) for each in (first, last, *others)]))
    span = float(x[-1] - x[0])
    step, reach = span / min(len(x) - 1, MOST), FAR * span
    edges = np.linspace(x[0] - reach, x[-1] + reach, round(FINE * (span + 2 * reach) / step) + 1)
    widths = np.geomspace(step / 50, 2 * span, WIDTHS)
    low, high = (_log_likelihood(each, edges, widths) for each in (first, last))
    rest = sum((_log_likelihood(each, edges, widths).max(axis=1) for each in others), np.zeros(WIDTHS))
    shifts = np.arange(1 - len(edges), len(edges))
    profile = np.array([_largest(low, high, rest, int(shift)) for shift in shifts])
    enough = float(profile.max()) - float(chdtri(1, 1 - level)) / 2
    places = shifts * float(edges[1] - edges[0])
    kept = np.flatnonzero(profile >= enough)
    far = {
        side: max(_beside(low, high[:, at], rest), _beside(high, low[:, -1 - at], rest)) >= enough
        for side, at in (("up", -1), ("down", 0))
    }
    ends = (
        -math.inf if far["down"] else float(places[max(kept[0] - 1, 0)]),
        math.inf if far["up"] else float(places[min(kept[-1] + 1, len(places) - 1)]),
    )
    best = places[profile >= profile.max() - 1e-9]
    return float(best[0] + best[-1]) / 2, Interval(*ends, level, "likelihood-ratio interval")


def _log_likelihood(counts: Counts, edges: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-likelihood ``[width, edge]`` of the counts of one group."""
    total = np.zeros((len(widths), len(edges)))
    for x, happened, n in zip(counts.x, counts.happened, counts.n, strict=True):
        odds = (edges[None, :] - x) / widths[:, None]
        total += happened * log_expit(odds) + (n - happened) * log_expit(-odds)
    return total


def _beside(one: NDArray[np.float64], other: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    """Return the largest log-likelihood of a group beside that of another at one edge, ``[width]``."""
    return float(np.max(rest + one.max(axis=1) + other))


def _largest(low: NDArray[np.float64], high: NDArray[np.float64], rest: NDArray[np.float64], shift: int) -> float:
    """Return the largest log-likelihood at which the second edge is so many places above the first."""
    count = low.shape[1]
    first = low[:, max(0, -shift) : count - max(0, shift)]
    last = high[:, max(0, shift) : count - max(0, -shift)]
    return float(np.max((first + last).max(axis=1) + rest))
