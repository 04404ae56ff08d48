"""A mean over replicates with what can be said of it: standard deviation, Student's and the bootstrap's interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit  # scipy.stats has them all, and takes a second to import

LARGE = 20
"""From so many values on the bootstrap's interval is shown; below, it covers too little (.72 at n = 3)."""
RESAMPLES = 2000
SMALLEST, LARGEST = 1e-60, 1e60
"""Fourth powers of values of other magnitudes are zero or infinite, or sums of them are."""
NOISE = 1e-12
"""A deviation that is no larger, relative to the largest value, is rounding: the values are all the same."""
FEWEST = 3
"""Two values have three different resamples: nothing to take quantiles of."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval and how it was made.

    Attributes:
        low: lower end.
        high: upper end.
        level: nominal coverage.
        method: name of the method, with its degrees of freedom.
    """

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of one value per replicate.

    Attributes:
        values: one per replicate.
        mean: their mean; nan without a value.
        sd: their sample standard deviation; None for fewer than two.
        t: Student's interval for the mean; None for fewer than two.
        bca: the bias-corrected and accelerated bootstrap interval; None for fewer than three.
        known: an interval that counts more than the replicates, such as the samples that they were scored on.
    """

    values: tuple[float, ...]
    mean: float
    sd: float | None
    t: Interval | None
    bca: Interval | None
    known: Interval | None = None

    @property
    def n(self) -> int:
        """How many values."""
        return len(self.values)

    @property
    def shown(self) -> Interval | None:
        """The interval to show: what counts more; else Student's below n = 20, the bootstrap's from there on."""
        if self.known is not None:
            return self.known
        return self.bca if self.n >= LARGE and self.bca is not None else self.t

    @property
    def beside(self) -> Interval | None:
        """The other interval."""
        return self.t if self.shown is self.bca else self.bca


def estimate(values: Sequence[float], level: float = 0.95) -> Estimate:
    """Return the mean of values with its standard deviation and both intervals.

    Args:
        values: one per replicate, finite.
        level: nominal coverage.

    Returns:
        The estimate; without intervals where there are too few values for them.
    """
    mean = mean_of(values) if values else math.nan
    sd, t, bca = standard_deviation(values), mean_interval(values, level), bca_interval(values, level)
    return Estimate(tuple(map(float, values)), mean, sd, t, bca)


def standard_deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, ``sqrt(sum (x - mean)^2 / (n - 1))``; None for fewer than two values.

    Rounding is no deviation: one that is `NOISE` times the largest value or less is 0.
    """
    if len(values) < 2:
        return None
    scale = binary_scale(values)
    scaled = np.asarray(values) / scale
    found = float(np.std(scaled, ddof=1))
    return 0.0 if found <= NOISE * float(np.max(np.abs(scaled))) else found * scale


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of at least one value; 0 where it is what rounding leaves of values that cancel (`NOISE`)."""
    scale = binary_scale(values)
    scaled = np.asarray(values) / scale
    mean = float(np.mean(scaled))
    return 0.0 if abs(mean) <= NOISE * float(np.max(np.abs(scaled))) else mean * scale


def binary_scale(values: ArrayLike) -> float:
    """Return the power of two by which values are divided, exactly, before they are added or squared.

    It is 1 unless they are so large or so small that powers of them would be infinite or nothing but zero.
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    return 1.0 if SMALLEST < largest < LARGEST else power_of_two(largest)


def power_of_two(size: float) -> float:
    """Return the largest power of two that is not above a size; 1 for zero and for a size without a value."""
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if math.isfinite(size) and size > 0 else 1.0


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return Student's interval for the mean of independent, roughly normal values.

    ``mean ± t(n - 1, (1 + level) / 2) sd / sqrt(n)``. Source: Student, The probable error of a mean, Biometrika 1908.

    Args:
        values: one value per replicate.
        level: nominal coverage.

    Returns:
        The interval, or None for fewer than two values: one value says nothing about its scatter.
    """
    sd = standard_deviation(values)
    if sd is None:
        return None
    n = len(values)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * sd / math.sqrt(n)
    mean = mean_of(values)
    freedom = "1 degree" if n == 2 else f"{n - 1} degrees"
    return Interval(mean - half, mean + half, level, f"t interval of the mean, {freedom} of freedom")


def folds_interval(values: Sequence[float], folds: int, level: float = 0.95) -> Interval | None:
    """Return an interval for the mean of the scores of cross-validation, whose trainings share most of their samples.

    ``mean ± t(n - 1, (1 + level) / 2) sd sqrt(1 / n + 1 / (k - 1))``: the scores of k folds, repeated or not, vary less
    among each other than over other data, by the ratio of validation to training samples, 1 / (k - 1). Source: Nadeau
    and Bengio, Inference for the generalization error, Machine Learning 2003; Bouckaert and Frank 2004 for repetitions.

    Args:
        values: one per fold and repetition.
        folds: k, at least 2.
        level: nominal coverage.

    Returns:
        The interval, or None for fewer than two values.
    """
    plain = mean_interval(values, level)
    if plain is None:
        return None
    mean, wider = mean_of(values), math.sqrt(1 + len(values) / (folds - 1))
    low, high = (mean + wider * (end - mean) for end in (plain.low, plain.high))
    return Interval(low, high, level, f"t interval over {folds} folds, corrected for the samples that they share")


def splits_interval(values: Sequence[float], train: int, valid: int, level: float = 0.95) -> Interval | None:
    """Return an interval for the mean of scores of which each has a random split of the same samples of its own.

    ``mean ± t(n - 1, (1 + level) / 2) sd sqrt(1 / n + m / (N - m))``, of m validation samples among N: trainings share
    most of their samples, validation parts some. Source: Nadeau and Bengio, Inference for the generalization error,
    Machine Learning 2003.

    Args:
        values: one per split.
        train: samples that each is trained on, N - m.
        valid: samples that each is scored on, m.
        level: nominal coverage.

    Returns:
        The interval, or None for fewer than two values.
    """
    plain = mean_interval(values, level)
    if plain is None:
        return None
    mean, wider = mean_of(values), math.sqrt(1 + len(values) * valid / train)
    low, high = (mean + wider * (end - mean) for end in (plain.low, plain.high))
    return Interval(
        low, high, level, f"t interval over {len(values)} splits, corrected for the samples that they share"
    )


def welch_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return Welch's interval for the difference of the means of two independent samples, `a` - `b`.

    ``d ± t(f, (1 + level) / 2) sqrt(u + v)`` with ``u = var(a) / n``, ``v = var(b) / m`` and
    ``f = (u + v)^2 / (u^2 / (n - 1) + v^2 / (m - 1))`` (B. L. Welch, Biometrika 34, 1947).

    Args:
        a: one value per replicate.
        b: one value per replicate, of others.
        level: nominal coverage.

    Returns:
        The interval, or None where one of them has fewer than two values.
    """
    if len(a) < 2 or len(b) < 2:
        return None
    scale = binary_scale([*a, *b])
    u, v = (float(np.var(np.asarray(x) / scale, ddof=1)) / len(x) for x in (a, b))
    difference = mean_of(a) - mean_of(b)
    if u + v == 0:
        return Interval(difference, difference, level, "Welch's t interval, no spread in either")
    freedom = (u + v) ** 2 / (u**2 / (len(a) - 1) + v**2 / (len(b) - 1))
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(u + v) * scale
    return Interval(
        difference - half, difference + half, level, f"Welch's t interval, {freedom:.1f} degrees of freedom"
    )


def bca_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return the bias-corrected and accelerated bootstrap interval of a mean.

    With the bootstrap means m*_b, Phi the normal distribution, z_0 = Phi^-1(share of m*_b below the mean, ties half)
    and the acceleration a = sum (m_. - m_(i))^3 / (6 (sum (m_. - m_(i))^2)^1.5) of the jackknife means m_(i), its ends
    are the quantiles of m* at ``Phi(z_0 + (z_0 + z) / (1 - a (z_0 + z)))``, z = Phi^-1((1 -+ level) / 2). Source:
    Efron, Better bootstrap confidence intervals, Journal of the American Statistical Association 1987.

    Args:
        values: one per replicate.
        level: nominal coverage.

    Returns:
        The interval, the same for the same values; of no width where all are equal; None for fewer than three.
    """
    n = len(values)
    if n < FEWEST:
        return None
    scale = binary_scale(values)
    x = np.asarray(values, dtype=np.float64) / scale
    means = x[resamples(n, RESAMPLES)].mean(axis=1)
    centre, method = float(x.mean()), f"BCa bootstrap interval of the mean, {RESAMPLES} resamples"
    below = float(np.mean(means < centre) + np.mean(means == centre) / 2)
    if np.ptp(x) == 0 or not 0 < below < 1:
        return Interval(float(means.min()) * scale, float(means.max()) * scale, level, method)
    bias, jackknife = float(ndtri(below)), (x.sum() - x) / (n - 1)
    off = jackknife.mean() - jackknife
    off = off / power_of_two(float(np.max(np.abs(off))))
    acceleration = float(np.sum(off**3) / (6 * np.sum(off**2) ** 1.5))
    tails = bias + ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(means, ndtr(bias + tails / (1 - acceleration * tails)))
    return Interval(float(low) * scale, float(high) * scale, level, method)


@lru_cache(maxsize=16)
def resamples(n: int, count: int) -> NDArray[np.intp]:
    """Return `count` resamples `[count, n]` of n indices with replacement, always the same."""
    drawn = np.random.default_rng(n).integers(0, n, (count, n))
    drawn.setflags(write=False)
    return drawn
