"""Which of many points may be the best: simultaneous comparisons of all of them, seeds as blocks."""

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr

from hpsearch.statistics.comparisons import ALPHA
from hpsearch.statistics.intervals import binary_scale
from hpsearch.statistics.roots import increasing_root

TOO_VARIABLE = 3.0
"""A point whose standard deviation is more than so many times the median one is not ranked."""
FEW = 8
"""Where more than one point of so many scatters too much, the spreads are unequal: only such are not ranked then whose
standard deviation is more than `FAR_TOO_VARIABLE` times the median one."""
FAR_TOO_VARIABLE = 10.0
_CHI_QUANTILES = 2048
_NORMAL = np.linspace(-8.0, 8.0, 161)

SMALLEST_COUNT = math.ceil(math.log2(2 / ALPHA))
"""So many samples that one model alone gets right, and none that only the other does, are the fewest that show which is
better."""

Standing = Literal["highest", "equal", "may be as good", "worse", "too variable"]


@dataclass(frozen=True, slots=True)
class SetOfBest:
    """What is known of every point against the one of the best mean.

    Attributes:
        standing: of each point "highest", the best mean of those that can be ranked; "equal", worse than it by less
            than the margin, chance considered; "may be as good"; "worse"; "too variable" to be ranked.
        loss: of each point by how much its mean falls short of the best; negative of a variable point above it.
        half: of each point half the width of the simultaneous interval of its loss; nan where nothing was compared.
        sd: standard deviation over seeds, what the seeds have in common removed, pooled over the points ranked.
        freedom: its degrees of freedom.
    """

    standing: tuple[Standing, ...]
    loss: tuple[float, ...]
    half: tuple[float, ...]
    sd: float
    freedom: int


def set_of_best(scores: NDArray[np.float64], margin: float = 0.0, shared: float = 0.0) -> SetOfBest:
    """Find the points that may be the best, at a family error of 5 % over all pairs of points.

    With r_ij the score of point i at seed j less the point's mean and less the seed's effect (the mean over the ranked
    points of what their means leave), v_i = sum over j of r_ij^2 / (n - 1), s^2 = sum of all r_ij^2 / ((k - 1)(n - 1))
    pooled over the k ranked points, b the best mean of theirs and q the 95 % point of the studentized range of k means
    with (k - 1)(n - 1) degrees of freedom, point i may be as good when::

        mean_b - mean_i <= h_i + margin        h_i = q sqrt((max(s^2, v_i) + max(s^2, v_b)) / 2 n)

    and it is equally good within the margin when ``mean_b - mean_i + h_i < margin``. Source: Tukey, The problem of
    multiple comparisons, 1953; a point's own variance where it is larger keeps the error where spreads are unequal. A
    point whose deviation is above three times the median one, over three seeds or more, is not ranked and not pooled,
    unless such points are more than one in eight.

    Args:
        scores: ``[point, seed]``, larger is better, finite; every point was run with the same seeds.
        margin: the difference that makes no practical difference, in the unit of the scores.
        shared: of scores over folds the ratio of validation to training samples: h is larger by ``sqrt(1 + n shared)``,
            see `hpsearch.statistics.intervals.folds_interval`.

    Returns:
        One standing per point. With one seed, or one point that can be ranked, nothing is compared: `half` is nan and
        every other point may be as good.
    """
    points, seeds = scores.shape
    scale = binary_scale(scores)
    x = np.asarray(scores, dtype=np.float64) / scale
    means, margin = x.mean(axis=1), margin / scale
    ranked = _alike(x)
    best = int(np.flatnonzero(ranked)[np.argmax(means[ranked])])
    freedom = (int(ranked.sum()) - 1) * (seeds - 1)
    pooled, half = math.nan, np.full(points, math.nan)
    if freedom > 0:
        centred = x - means[:, None]
        squares = np.sum((centred - centred[ranked].mean(axis=0)) ** 2, axis=1)
        pooled = float(squares[ranked].sum()) / freedom
        variances = np.maximum(pooled, squares / (seeds - 1))
        quantile = np.where(ranked, studentized_range(int(ranked.sum()), freedom), studentized_range(points, seeds - 1))
        half = quantile * np.sqrt((variances + variances[best]) / 2 * (1 / seeds + shared))
    loss = means[best] - means
    standing: list[Standing] = [
        "highest" if index == best
        else "too variable" if not ranked[index] and not loss[index] > half[index] + margin
        else "equal" if loss[index] + half[index] < margin
        else "worse" if loss[index] > half[index] + margin
        else "may be as good"
        for index in range(points)
    ]  # fmt: skip
    ends = [tuple((values * scale).tolist()) for values in (loss, half)]
    return SetOfBest(tuple(standing), ends[0], ends[1], math.sqrt(pooled) * scale, freedom)


def smallest_difference(samples: int) -> float:
    """Return the smallest difference of two accuracies that any two models can show on so many samples.

    Samples that both models get right, or both wrong, say nothing of which is better; of b and c that one alone gets
    right the exact test of McNemar (1947) has ``p = 2 P(Binomial(b + c, 1/2) >= max(b, c))``. For a given b - c it is
    smallest where c = 0: ``p = 2^(1 - b)``, which is above .05 for five samples and .031 for six. So the difference is
    ``6 / m``, whatever the accuracies are; models that disagree more need a larger one.

    Args:
        samples: on which both were tried, m; where samples belong together, how many groups.

    Returns:
        The difference, at most 1.
    """
    return min(SMALLEST_COUNT / samples, 1.0)


def _alike(x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each point whether it scatters like the others; of two seeds one in twenty would not by chance alone."""
    if x.shape[1] < 3:
        return np.ones(len(x), dtype=bool)
    centred = x - x.mean(axis=1, keepdims=True)
    common = (
        np.median(centred, axis=0) if len(x) >= FEW else centred.mean(axis=0)
    )  # of few points it would be one of them
    spread = (centred - common).std(axis=1, ddof=1)
    rounding = 1e-12 * np.max(np.abs(x), initial=0.0)
    alike = np.asarray(spread <= TOO_VARIABLE * np.median(spread) + rounding)
    few = np.sum(~alike) <= max(1, len(x) // FEW)
    return alike if few else np.asarray(spread <= FAR_TOO_VARIABLE * np.median(spread) + rounding)


@functools.lru_cache(maxsize=256)
def studentized_range(count: int, freedom: int, level: float = 1 - ALPHA) -> float:
    """Return the quantile of the range of independent normal means in units of their estimated standard error.

    With W(x) the distribution of the range of k standard normal values, ``W(x) = k integral of phi(z) (Phi(z) -
    Phi(z - x))^(k - 1)``, it solves ``mean over s of W(q s) = level``, s^2 chi squared over its f degrees of freedom.

    Args:
        count: how many means k, at least 2.
        freedom: degrees of freedom f of the standard error, at least 1.
        level: of the distribution.

    Returns:
        The quantile q, right to about three digits.
    """
    levels = (np.arange(_CHI_QUANTILES) + 0.5) / _CHI_QUANTILES
    spread = np.sqrt(chdtri(freedom, levels) / freedom)
    grid = np.concatenate([np.linspace(0.0, 16.0, 321), [1e9]])
    density = np.exp(-(_NORMAL**2) / 2) / math.sqrt(2 * math.pi) * (_NORMAL[1] - _NORMAL[0])
    inside = np.maximum(ndtr(_NORMAL) - ndtr(_NORMAL - grid[:, None]), 0.0)
    w = count * (density * inside ** (count - 1)).sum(axis=1)
    return increasing_root(lambda q: float(np.interp(q * spread, grid, w).mean()) - level, 1e-6, 1e4)
