"""Arms against the reference arm: paired differences, what they are worth, and what could not have been seen."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri, gammaln, ndtr, stdtr, stdtrit

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import Arm, replicates_in_common, scores
from hpsearch.statistics.estimates import Estimate, estimate

ALPHA = 0.05
POWER = 0.8
QUANTILES = 4096
Verdict = Literal["better", "worse", "not told apart", "not compared"]


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm minus the reference arm, over the replicates that both have.

    Attributes:
        arm: name of the arm.
        difference: of the scores, arm minus reference, paired by seed and fold; in the metric's unit.
        p: two-sided p-value of the paired t test; None for fewer than two pairs or differences without any spread.
        p_holm: the same, adjusted for all comparisons with the reference; None where `p` is.
        effect: Hedges' g of paired differences; None where there is no spread.
        detectable: the smallest true difference that this many pairs would have shown in four studies of five, were the
            deviation of the differences the estimated one: itself an estimate; None for fewer than two pairs.
        dropped: replicates that only one of the two has.
        verdict: by the adjusted p-value at 5 %, in the objective's direction.
        why: why it is not compared or has no p-value; empty otherwise.
    """

    arm: str
    difference: Estimate
    p: float | None
    p_holm: float | None
    effect: float | None
    detectable: float | None
    dropped: int
    verdict: Verdict
    why: str


def differences(arms: Sequence[Arm], reference: Arm, objective: Objective) -> tuple[Difference, ...]:
    """Compare every other arm with the reference arm.

    Args:
        arms: all arms.
        reference: one of them.
        objective: says which sign is better.

    Returns:
        One record per other arm, in their order.
    """
    return judged([paired(arm, reference) for arm in arms if arm is not reference], objective)


def judged(found: Sequence[Difference], objective: Objective) -> tuple[Difference, ...]:
    """Return differences with Holm's adjustment for all of them, and what that says in the objective's direction."""
    adjusted = holm([each.p for each in found])
    return tuple(
        replace(each, p_holm=p, verdict=_verdict(each, p, objective)) for each, p in zip(found, adjusted, strict=True)
    )


def paired_p(values: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Student's test that paired differences have the mean 0.

    ``2 P(T(n - 1) > |mean| sqrt(n) / sd)``. Differences that are all 0 have p = 1.

    Args:
        values: one difference per pair.

    Returns:
        The p-value; None for fewer than two, or when they are all the same and not 0: without spread there is no test.
    """
    if len(values) < 2:
        return None
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    if sd <= 1e-12 * abs(mean):
        return 1.0 if mean == 0 else None
    return 2 * float(stdtr(len(values) - 1, -abs(mean) * math.sqrt(len(values)) / sd))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for m comparisons so that at most 5 % of studies without any effect claim one.

    In ascending order ``p'_(i) = max over j <= i of min(1, (m - j + 1) p_(j))``. Source: Holm, A simple sequentially
    rejective multiple test procedure, Scandinavian Journal of Statistics 1979.

    Args:
        ps: p-values; None for a comparison that was not made.

    Returns:
        Adjusted ones in the same order, None where there was none.
    """
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[place] = largest
    return adjusted


def hedges(values: Sequence[float]) -> float | None:
    """Return Hedges' g of paired differences: Cohen's d_z = mean / sd, its bias for small n removed.

    ``g = d_z J(n - 1)``, ``J(f) = Gamma(f / 2) / (sqrt(f / 2) Gamma((f - 1) / 2))``. Source: Hedges, Distribution
    theory for Glass's estimator of effect size, Journal of Educational Statistics 1981.

    Args:
        values: one difference per pair.

    Returns:
        The effect size in standard deviations of the differences; None for fewer than three or without any spread.
    """
    freedom = len(values) - 1
    sd = float(np.std(values, ddof=1)) if freedom >= 2 else 0.0
    if sd == 0:
        return None
    correction = math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return float(np.mean(values)) / sd * correction


@functools.cache
def detectable_factor(n: int) -> float:
    """Return k(n): the true mean of paired differences, in true standard deviations, that n pairs show with power .8.

    It solves ``power(k sqrt(n), n - 1) = .8`` for one two-sided comparison at 5 %, not adjusted for others.

    Args:
        n: pairs, at least 2.

    Returns:
        The factor: 3.26 at n = 3, 1.68 at 5, 1.00 at 10.
    """
    shift = brentq(lambda shift: power(shift, n - 1) - POWER, 0.1, 100.0)
    return float(shift) / math.sqrt(n)


def power(shift: float, freedom: int) -> float:
    """Return how often the two-sided t test at 5 % finds a shift.

    With c the critical value and V chi-squared with f degrees of freedom, it is the mean over V of
    ``Phi(shift - c sqrt(V / f)) + Phi(-shift - c sqrt(V / f))``, taken at evenly spaced quantiles of V; the functions
    of the noncentral t distribution are nan for large shifts.

    Args:
        shift: the true mean in standard errors, ``sqrt(n) mean / sd``.
        freedom: degrees of freedom f = n - 1.

    Returns:
        A probability.
    """
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    bounds = float(stdtrit(freedom, 1 - ALPHA / 2)) * np.sqrt(chdtri(freedom, levels) / freedom)
    return float(np.mean(ndtr(shift - bounds) + ndtr(-shift - bounds)))


def paired(arm: Arm, reference: Arm) -> Difference:
    """Return an arm minus another one, of the same study or not, not yet adjusted or judged."""
    common = replicates_in_common([arm, reference])
    pairs = zip(scores(arm, common), scores(reference, common), strict=True)
    found = estimate([a - b for a, b in pairs])
    p = paired_p(found.values)
    return Difference(
        arm=arm.name,
        difference=found,
        p=p,
        p_holm=None,
        effect=hedges(found.values),
        detectable=None if found.sd is None else detectable_factor(found.n) * found.sd,
        dropped=len(set(arm.replicates) ^ set(reference.replicates)),
        verdict="not compared",
        why=_why(arm, reference, found, p),
    )


def _why(arm: Arm, reference: Arm, found: Estimate, p: float | None) -> str:
    for each in (arm, reference):
        if not each.finished:
            return f"{each.name} has no finished trial"
    if not found.n:
        return "the two have no seed in common"
    if found.n == 1:
        return "one seed in common says nothing of the spread, so no interval is claimed"
    return "" if p is not None else "every seed gave the same difference, so there is no spread to test against"


def _verdict(each: Difference, p: float | None, objective: Objective) -> Verdict:
    if p is None:
        return "not compared"
    if p > ALPHA:
        return "not told apart"
    return "better" if objective.better(each.difference.mean, 0.0) else "worse"
