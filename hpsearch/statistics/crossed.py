"""A mean over seeds and over samples: what its interval owes to both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from hpsearch.statistics.intervals import Interval, mean_of, standard_deviation


@dataclass(frozen=True, slots=True)
class Crossed:
    """A mean over trained models and the samples they were tried on, and how well it is known.

    Attributes:
        mean: over seeds and samples.
        seeds: variance of the mean from the seeds, s_seeds^2 / n.
        samples: variance of the mean from the samples, s_samples^2 / m.
        residual: what both count, s_residual^2 / (n m).
        interval: for the mean of the population of seeds and samples; None where nothing scatters, or less than three
            seeds or two units are there.
    """

    mean: float
    seeds: float
    samples: float
    residual: float
    interval: Interval | None

    @property
    def variance(self) -> float:
        """Variance of the mean."""
        return max(self.seeds + self.samples - self.residual, self.seeds, self.samples)


FEWEST_SEEDS = 3
"""From fewer seeds no interval is made: two have a quantile of 12.7."""


def crossed_mean(
    results: NDArray[np.float64],
    groups: ArrayLike | None = None,
    level: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Crossed:
    """Return the mean of the results of n seeds on the same m samples, with both sources of its variance.

    With the scores ``x_ij = mean + seed_i + sample_j + rest_ij``, s_seeds the standard deviation of the seeds' means,
    s_samples that of the samples' means and s_residual that of the rest, its variance is::

        V = A + B - C     A = s_seeds^2 / n     B = s_samples^2 / m     C = s_residual^2 / (n m)

    and the interval is ``mean ± q sqrt(V)``, q the mean of Student's quantiles of n - 1 and of m - 1 degrees of
    freedom, weighted by A and V - A (Cochran and Cox, Experimental designs, 1950). With three seeds it covers .95 to
    .97, where Satterthwaite's degrees of freedom cover .92. Where samples belong together (of one patient, of one
    sequence, of one block of time) the group is the unit: m is the number of groups, and x_ij the seed's mean plus the
    total of the deviations from it in group j over the mean size of a group.

    Args:
        results: ``[seed, sample]``, such as 1 for a right answer and 0 for a wrong one.
        groups: of every sample what it belongs to; None when every sample stands for itself.
        level: nominal coverage.
        bounds: what is possible; the interval does not pass it. Between 0 and 1 it is made on the scale of the logit,
            as that of `share_interval`: near an end a mean scatters further to the other side.

    Returns:
        The mean, its parts and its interval.
    """
    x = np.asarray(results, dtype=np.float64)
    means = x.mean(axis=1)
    if groups is not None:
        x = _totals(x, means, np.asarray(groups))
    n, m = x.shape
    mean = float(means.mean())
    units = x.mean(axis=0)
    rest = x - means[:, None] - units + mean
    a = float(np.var(means, ddof=1)) / n if n > 1 else 0.0
    b = float(np.var(units, ddof=1)) / m if m > 1 else 0.0
    c = float(np.sum(rest**2)) / ((n - 1) * (m - 1) * n * m) if n > 1 and m > 1 else 0.0
    found = Crossed(mean, a, b, c, None)
    variance = found.variance
    if n < FEWEST_SEEDS or m < 2 or variance <= (1e-12 * max(abs(mean), 1e-300)) ** 2:
        return found
    half = _quantile(a, n - 1, variance - a, m - 1, level) * math.sqrt(variance)
    method = f"t interval over {n} seeds and {m} {'samples' if groups is None else 'groups'}"
    low, high = _share_ends(mean, half) if bounds == (0.0, 1.0) and 0 < mean < 1 else (mean - half, mean + half)
    interval = Interval(max(low, bounds[0]), min(high, bounds[1]), level, method)
    return Crossed(mean, a, b, c, interval)


def _quantile(a: float, freedom_a: int, b: float, freedom_b: float, level: float) -> float:
    """Return the quantile for a sum of two variances, each estimated on its own."""
    of_a, of_b = (float(stdtrit(min(freedom, 1e9), (1 + level) / 2)) for freedom in (freedom_a, freedom_b))
    return (a * of_a + b * of_b) / (a + b)


def _totals(x: NDArray[np.float64], means: NDArray[np.float64], groups: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return per seed and group the total of the deviations over a group's mean size, around the seed's mean."""
    _, places = np.unique(groups, return_inverse=True)
    count = int(places.max()) + 1
    totals = np.zeros((len(x), count))
    for of_seed, deviations in zip(totals, x - means[:, None], strict=True):
        of_seed += np.bincount(places, deviations, count)
    return np.asarray(totals * (count / x.shape[1]) + means[:, None])


def _share_ends(p: float, half: float) -> tuple[float, float]:
    """Return the ends of an interval of a share between 0 and 1 on the scale of its logit, from its half width."""
    centre, half = math.log(p / (1 - p)), half / (p * (1 - p))
    low, high = (1 / (1 + math.exp(-min(max(end, -700.0), 700.0))) for end in (centre - half, centre + half))
    return low, high


def share_interval(
    shares: Sequence[float], samples: int, level: float = 0.95, bounds: tuple[float, float] = (0.0, 1.0)
) -> Interval | None:
    """Return an interval of the population's share where only each seed's share is known, not its single results.

    On the scale of ``logit p``: with s the deviation of the shares, ``A = s^2 / n``, ``B = p (1 - p) / m`` and
    ``V = A + B``, ``logit(p) ± q sqrt(V) / (p (1 - p))``, q as of `crossed_mean`, the normal one for B. It is
    conservative: what a single model's share scatters over samples is in both parts. Samples that belong together make
    it too narrow.

    Args:
        shares: one per seed, between 0 and 1.
        samples: how many each was measured on, m.
        level: nominal coverage.
        bounds: what is possible; the interval does not pass it.

    Returns:
        The interval; None for fewer than three seeds or where the mean share is 0 or 1.
    """
    n, p = len(shares), mean_of(shares)
    sd = standard_deviation(shares)
    if n < FEWEST_SEEDS or sd is None or not 0 < p < 1:
        return None
    a, b = sd**2 / n, p * (1 - p) / samples
    low, high = _share_ends(p, _quantile(a, n - 1, b, math.inf, level) * math.sqrt(a + b))
    method = f"logit interval of a share over seeds and {samples} samples, binomial, conservative"
    return Interval(max(low, bounds[0]), min(high, bounds[1]), level, method)
