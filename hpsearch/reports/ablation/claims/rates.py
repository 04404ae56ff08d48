"""The learning rates that were tried for each arm, as the claims about the best and the last stable rate read them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.claims.claim import MOMENTUM, RATE, Evidence
from hpsearch.reports.ablation.claims.common import along_factor, one_level_only
from hpsearch.reports.ablation.tuning import ArmSearch, TriedSetting
from hpsearch.statistics.comparisons import least_significant_difference

TOLERANCE = 1e-6  # of a grid step, for rounding


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates that were tried for one arm, ascending; of several settings at one rate the best counts.

    Attributes:
        effective: lr / (1 - momentum) of each that trained to the end.
        scores: their mean scores.
        stable: whether the training loss fell below half of its first value; None where that is not known.
        diverged: effective rates that diverged.
        best: the one with the best score.
        low: the smallest of those that are not told apart from the best.
        high: the largest of them.
    """

    effective: tuple[float, ...]
    scores: tuple[float, ...]
    stable: tuple[bool | None, ...]
    diverged: tuple[float, ...]
    best: float
    low: float
    high: float

    @property
    def best_is_stable(self) -> bool | None:
        """Whether the best rate itself is stable; None where that is not known."""
        return self.stable[self.effective.index(self.best)]

    @property
    def edge(self) -> tuple[float, float]:
        """The last rate that trained from the best one up, and the first that broke; infinite where none did."""
        flat = [rate for rate, stable in zip(self.effective, self.stable, strict=True) if stable is False]
        broke = min((rate for rate in (*self.diverged, *flat) if rate > self.best), default=math.inf)
        return max(rate for rate in self.effective if rate < broke), broke

    @property
    def inside(self) -> bool:
        """Whether rates on both sides of the best were tried; one that diverged bounds it too."""
        rates = [*self.effective, *self.diverged]
        return min(rates) < self.best < max(rates)


def rates_of(search: ArmSearch, momentum: float, noise: float, objective: Objective) -> Rates | None:
    """Return the rates of an arm's search.

    Args:
        search: the search.
        momentum: of the arm.
        noise: scores less than this below the best are not told apart from it, see `least_significant_difference`.
        objective: says what is better.

    Returns:
        The rates; None where none trained.
    """
    sign = 1.0 if objective.maximize else -1.0

    def worth(setting: TriedSetting) -> float:
        return -math.inf if setting.mean is None else sign * setting.mean

    by_rate: dict[float, TriedSetting] = {}
    for setting in search.tried:
        if RATE in setting.params and (setting.diverged or setting.mean is not None):
            rate = setting.params[RATE] / (1 - momentum)
            by_rate[rate] = max(by_rate.get(rate, setting), setting, key=worth)
    trained = {rate: by_rate[rate] for rate in sorted(by_rate) if by_rate[rate].mean is not None}
    if not trained:
        return None
    best = max(trained, key=lambda rate: worth(trained[rate]))
    near = [rate for rate in trained if worth(trained[rate]) >= worth(trained[best]) - noise]
    return Rates(
        effective=tuple(trained),
        scores=tuple(setting.mean for setting in trained.values() if setting.mean is not None),
        stable=tuple(setting.stable for setting in trained.values()),
        diverged=tuple(sorted(set(by_rate) - set(trained))),
        best=best,
        low=near[0],
        high=near[-1],
    )


def rates_by_momentum(evidence: Evidence) -> dict[str, list[tuple[float, Rates]]]:
    """Return the rates of every momentum, in groups of arms that differ in it alone.

    Args:
        evidence: the searches over the rate, and the arms for the noise between seeds.

    Returns:
        By the other levels in words, (momentum, rates) in ascending order; groups with two momenta and rates or more.
    """
    own = {arm.name: [arm] for arm in evidence.arms if arm.score.sd is not None}  # some scatter more than others
    groups: dict[str, list[tuple[float, Rates]]] = {}
    for name, group in along_factor(evidence.searches, MOMENTUM, lambda search: search.levels).items():
        for momentum, search in group:
            noisy = own.get(search.arm, evidence.arms)
            noise = least_significant_difference([arm.score.values for arm in noisy], search.seeds)
            rates = rates_of(search, momentum, noise, evidence.objective)
            if rates is not None:
                groups.setdefault(name, []).append((momentum, rates))
    return {name: group for name, group in groups.items() if len(group) > 1 and grid_step([r for _, r in group])}


def too_few_rates(evidence: Evidence, key: str, needed: str) -> str:
    """Return why best rates cannot be compared along a factor."""
    few = evidence.no_best_rates or one_level_only((search.levels for search in evidence.searches), key)
    return few or f"no {needed}, all else equal, have a best of two rates or more"


def grid_step(tried: Sequence[Rates]) -> float:
    """Return the widest step between neighbouring rates, in decades; 0 where no arm has two."""
    steps = (decades(b, a) for rates in tried for a, b in pairwise(sorted({*rates.effective, *rates.diverged})))
    return max(steps, default=0.0)


def decades(high: float, low: float) -> float:
    """Return the decimal logarithm of a ratio."""
    return math.log10(high / low)
