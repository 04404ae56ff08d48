"""Is one mean larger than another: tests, their adjustment for many, effect sizes, power, variance by factor, ranks."""

import functools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, fdtrc, gammaln, ndtr, stdtr, stdtrit

from hpsearch.statistics.intervals import RESAMPLES, binary_scale, mean_of, resamples, standard_deviation
from hpsearch.statistics.roots import increasing_root

ALPHA = 0.05
"""Level of every test."""
POWER = 0.8
_QUANTILES = 4096  # of chi squared: the power is then right to 1e-3


def paired_p(differences: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Student's test that paired differences have the mean 0.

    ``2 P(T(n - 1) > |mean| sqrt(n) / sd)``. Differences that are all 0 have p = 1.

    Args:
        differences: one per pair.

    Returns:
        The p-value; None for fewer than two pairs, or differences that are all the same and not 0.
    """
    if len(differences) < 2:
        return None
    mean, sd = mean_of(differences), standard_deviation(differences) or 0.0
    if sd <= 1e-12 * abs(mean):
        return 1.0 if mean == 0 else None
    return 2 * float(stdtr(len(differences) - 1, -abs(mean) * math.sqrt(len(differences)) / sd))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for m comparisons so that at most 5 % of studies without any effect claim one.

    In ascending order ``p'_(i) = max over j <= i of min(1, (m - j + 1) p_(j))``. Source: Holm, A simple sequentially
    rejective multiple test procedure, Scandinavian Journal of Statistics 1979.

    Args:
        ps: p-values; None for a comparison that was not made.

    Returns:
        Adjusted ones in the same order, None where there was none.
    """
    order = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[index] = largest
    return adjusted


def hedges_g(differences: Sequence[float]) -> float | None:
    """Return Hedges' g of paired differences: Cohen's d_z = mean / sd, its bias for small n removed.

    ``g = d_z J(n - 1)``, ``J(f) = Gamma(f / 2) / (sqrt(f / 2) Gamma((f - 1) / 2))``. Source: Hedges, Distribution
    theory for Glass's estimator of effect size, Journal of Educational Statistics 1981.

    Args:
        differences: one per pair.

    Returns:
        The effect size in standard deviations of the differences; None for fewer than three or where they are all
        equal.
    """
    freedom = len(differences) - 1
    sd = standard_deviation(differences) if freedom >= 2 else None
    if not sd:
        return None
    correction = math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return mean_of(differences) / sd * correction


@functools.cache
def detectable_factor(n: int, level: float = ALPHA) -> float:
    """Return k(n): the true mean of paired differences, in true standard deviations, that n pairs show with power .8.

    It solves ``power(k sqrt(n), n - 1, level) = .8``.

    Args:
        n: pairs, at least 2.
        level: of the two-sided test; of m comparisons adjusted by Holm the first, at which a difference is found
            whatever the others are, has 5 % / m.

    Returns:
        The factor: at 5 % 3.26 at n = 3, 1.68 at 5, 1.00 at 10; at 5 % / 8 it is 9.26, 2.98, 1.43.
    """
    most = 10 * float(stdtrit(n - 1, 1 - level / 2))
    return increasing_root(lambda shift: power(shift, n - 1, level) - POWER, 0.0, most) / math.sqrt(n)


def power(shift: float, freedom: int, level: float = ALPHA) -> float:
    """Return how often the two-sided t test finds a shift.

    With c the critical value and V chi-squared with f degrees of freedom, it is the mean over V of
    ``Phi(shift - c sqrt(V / f)) + Phi(-shift - c sqrt(V / f))``, taken at evenly spaced quantiles of V; the functions
    of the noncentral t distribution are nan for large shifts.

    Args:
        shift: the true mean in standard errors, ``sqrt(n) mean / sd``.
        freedom: degrees of freedom f = n - 1.
        level: of the test.

    Returns:
        A probability.
    """
    levels = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    bounds = float(stdtrit(freedom, 1 - level / 2)) * np.sqrt(chdtri(freedom, levels) / freedom)
    return float(np.mean(ndtr(shift - bounds) + ndtr(-shift - bounds)))


def least_significant_difference(samples: Sequence[Sequence[float]], n: int, level: float = 0.95) -> float:
    """Return the difference of two means of n values that `level` of the pairs with equal truths stay below.

    ``t(f, (1 + level) / 2) s sqrt(2 / n)``, s the standard deviation pooled over the samples, f its degrees of freedom:
    a few values say little of it. Source: Fisher, The design of experiments, 1935.

    Args:
        samples: values that scatter alike, each sample around a mean of its own; single values say nothing.
        n: values that each of the two means is over.
        level: nominal coverage.

    Returns:
        The difference; 0 where no sample has two values.
    """
    known = [sample for sample in samples if len(sample) > 1]
    freedom = sum(len(sample) - 1 for sample in known)
    if not freedom:
        return 0.0
    scale = binary_scale([value for sample in known for value in sample])
    squares = sum((len(sample) - 1) * float(np.var(np.asarray(sample) / scale, ddof=1)) for sample in known)
    pooled = math.sqrt(squares / freedom) * scale
    return float(stdtrit(freedom, (1 + level) / 2)) * pooled * math.sqrt(2 / max(n, 1))


def factorial_deviations(scores: NDArray[np.float64], factors: Collection[int]) -> NDArray[np.float64]:
    """Return what the levels of some factors of a full grid add to what fewer of these factors give.

    Along each of the factors the scores are centred, over every other one averaged: of one factor these are the
    deviations of its main effect, of two those of their interaction.

    Args:
        scores: ``[replicate, level of factor 0, level of factor 1, ...]``.
        factors: numbers of the factors of the effect.

    Returns:
        The deviations in the same axes, those averaged over of length 1; along each factor they add up to 0.
    """
    deviations = scores
    for axis in range(1, scores.ndim):
        mean = deviations.mean(axis=axis, keepdims=True)
        deviations = deviations - mean if axis - 1 in factors else mean
    return deviations


def greenhouse_geisser(deviations: NDArray[np.float64], rank: int) -> tuple[float, tuple[float, float], float | None]:
    """Test an effect whose deviations every replicate has, as subjects have in repeated measures.

    With n replicates, m the mean and C the covariance matrix of their deviations, of rank k::

        F = n |m|^2 / tr C          e = (tr C)^2 / (k tr C^2)          p = P(F(e k, e k (n - 1)) > F)

    which is the textbook's F of the effect against its interaction with the blocks, its degrees of freedom reduced for
    unequal variances. Source: Greenhouse and Geisser, On methods in the analysis of profile data, Psychometrika 1959.

    Args:
        deviations: ``[replicate, cell]``, two replicates or more.
        rank: k, the product over the factors of the effect of (levels - 1).

    Returns:
        F, its two degrees of freedom, p; F is nan and p None where nothing varies between replicates.
    """
    n = len(deviations)
    covariance = np.atleast_2d(np.cov(deviations, rowvar=False))
    trace, mean = float(np.trace(covariance)), float(np.sum(deviations.mean(axis=0) ** 2))
    if trace <= 1e-24 * max(mean, 1e-300):
        return math.nan, (float(rank), float(rank * (n - 1))), None
    epsilon = trace**2 / (rank * float(np.sum(covariance**2)))
    freedom = (epsilon * rank, epsilon * rank * (n - 1))
    f = n * mean / trace
    return f, freedom, float(fdtrc(*freedom, f))


def omega_squared(scores: NDArray[np.float64], factors: Collection[int]) -> float:
    """Return what share of the variance of scores an effect has, less what noise alone would add to it.

    With the sums of squares SS of the effect, of its interaction with the replicates (its error, of df (n - 1) degrees
    of freedom), of the replicates, which are blocks, and of all scores::

        omega^2 = (SS_effect - df MS_error) / (SS_total + MS_blocks)

    and 0 where that is negative; of effects that are not there its mean is about 0, while eta squared shares out the
    noise. Source: Hays, Statistics for psychologists, 1963; for repeated measures Lakens, Calculating and reporting
    effect sizes, Frontiers in Psychology 2013.

    Args:
        scores: ``[replicate, level of factor 0, level of factor 1, ...]``, two replicates or more.
        factors: numbers of the factors of the effect.

    Returns:
        A share from 0 to 1; 0 where all scores are equal.
    """
    n, deviations = len(scores), factorial_deviations(scores, factors)
    repeats = scores[0].size / deviations[0].size
    freedom = math.prod(scores.shape[axis + 1] - 1 for axis in factors)
    effect = n * repeats * float(np.sum(deviations.mean(axis=0) ** 2))
    error = repeats * float(np.sum((deviations - deviations.mean(axis=0)) ** 2)) / (freedom * (n - 1))
    blocks = scores[0].size * float(np.var(scores.reshape(n, -1).mean(axis=1), ddof=1))
    total = float(np.sum((scores - scores.mean()) ** 2))
    return max(0.0, effect - freedom * error) / (total + blocks) if total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Ranks:
    """The order of some means, and how sure it is.

    Attributes:
        rank: of each mean; 1 is the smallest, ties share the middle rank.
        first: of each the share of the resamples in which it is the smallest, ties shared out.
        low: rank that it reaches or betters in 2.5 % of the resamples.
        high: rank that it does not fall behind in 97.5 % of them.
    """

    rank: tuple[float, ...]
    first: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def resampled_ranks(values: NDArray[np.float64]) -> Ranks:
    """Rank items by their means, the smallest first, and again over resampled replicates, the same ones for all.

    Args:
        values: ``[item, replicate]``.

    Returns:
        One rank per item, with its bootstrap percentile interval.
    """
    means = np.stack([row[resamples(values.shape[1], RESAMPLES)].mean(axis=1) for row in values])
    smallest = means == means.min(axis=0)
    low, high = np.quantile(_ranks(means), [0.025, 0.975], axis=1)
    columns = (_ranks(values.mean(axis=1)[:, None])[:, 0], (smallest / smallest.sum(axis=0)).mean(axis=1), low, high)
    return Ranks(*(tuple(column.tolist()) for column in columns))


def _ranks(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank `[item, resample]` of every item, ties in the middle of theirs."""
    smaller = (means[None, :, :] < means[:, None, :]).sum(axis=1)
    equal = (means[None, :, :] == means[:, None, :]).sum(axis=1)
    return np.asarray(smaller + (equal + 1) / 2)
