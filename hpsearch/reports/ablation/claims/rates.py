"""The learning rates that were tried for each arm, as the claims about the best and the last stable rate read them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.claims.claim import MOMENTUM, RATE, Evidence
from hpsearch.reports.ablation.claims.common import along_factor, one_level_only
from hpsearch.reports.ablation.tuning import ArmSearch, TriedSetting
from hpsearch.statistics.intervals import Interval
from hpsearch.statistics.peak import parabola_peak
from hpsearch.statistics.shift import Counts

BESIDE = 2
"""Rates on each side of the best one that the curve is fitted through: further away no parabola fits."""
FEWEST = 4
"""Rates that a curve is fitted through at least."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates that were tried for one arm, ascending; of several settings at one rate the best counts.

    Attributes:
        effective: lr / (1 - momentum) of each with a score.
        scores: their mean scores.
        stable: whether every seed trains; None where that is not known.
        diverged: effective rates of which a trial diverged.
        best: the one with the best score, smoothed over its neighbours, of those that train with every seed.
        worth: ``[rate, seed]`` scores around the best, the sign turned where smaller is better; None with `why`.
        around: log10 of the effective rates of `worth`.
        why: why no curve can be fitted; empty where one can.
        counts: from the best rate up, of how many trials how many trained, over log10 of the effective rate.
    """

    effective: tuple[float, ...]
    scores: tuple[float, ...]
    stable: tuple[bool | None, ...]
    diverged: tuple[float, ...]
    best: float
    worth: NDArray[np.float64] | None
    around: tuple[float, ...]
    why: str
    counts: Counts

    def peak(self, level: float = 0.95) -> tuple[float, Interval] | None:
        """Return log10 of the best effective rate by a parabola through the scores, with its interval."""
        return None if self.worth is None else parabola_peak(self.around, self.worth, level)

    @property
    def no_peak(self) -> str:
        """Why there is no best rate with an interval; empty where there is one."""
        return self.why or ("" if self.peak() else "no curve with a top fits its scores")


def rates_of(search: ArmSearch, momentum: float, objective: Objective) -> Rates | None:
    """Return the rates of an arm's search.

    Args:
        search: the search.
        momentum: of the arm.
        objective: says what is better.

    Returns:
        The rates; None where none has a score.
    """
    sign = 1.0 if objective.maximize else -1.0

    def worth(setting: TriedSetting) -> float:
        return -math.inf if setting.mean is None else sign * setting.mean

    by_rate: dict[float, TriedSetting] = {}
    for setting in search.tried:
        if RATE in setting.params and (setting.diverged or setting.mean is not None):
            rate = float(f"{setting.params[RATE] / (1 - momentum):.12g}")
            by_rate[rate] = max(by_rate.get(rate, setting), setting, key=worth)
    by_rate = dict(sorted(by_rate.items()))
    scored = {rate: setting for rate, setting in by_rate.items() if setting.mean is not None}
    if not scored:
        return None
    best = _best({rate: worth(setting) for rate, setting in (_sound(scored) or scored).items()})
    around, table, why = _around(best, by_rate, sign)
    return Rates(
        effective=tuple(scored),
        scores=tuple(setting.mean for setting in scored.values() if setting.mean is not None),
        stable=tuple(setting.stable for setting in scored.values()),
        diverged=tuple(rate for rate, setting in by_rate.items() if setting.mean is None),
        best=best,
        worth=table,
        around=around,
        why=why,
        counts=_counts({rate: setting for rate, setting in by_rate.items() if rate >= best}),
    )


def _sound(by_rate: Mapping[float, TriedSetting]) -> dict[float, TriedSetting]:
    """Return the rates at which every seed trained to the end."""
    return {
        rate: setting
        for rate, setting in by_rate.items()
        if setting.mean is not None and not setting.diverged and setting.stable is not False
    }


def _best(worth: Mapping[float, float]) -> float:
    """Return the rate whose score is best, averaged with those of its two neighbours."""
    rates, values = list(worth), list(worth.values())
    smooth = [float(np.mean(values[max(0, place - 1) : place + 2])) for place in range(len(values))]
    inner = range(1, len(values) - 1) if len(values) >= FEWEST else range(len(values))
    return rates[max(inner, key=lambda place: smooth[place])]


def _around(
    best: float, by_rate: Mapping[float, TriedSetting], sign: float
) -> tuple[tuple[float, ...], NDArray[np.float64] | None, str]:
    """Return what the curve is fitted through, or why it cannot be."""
    rates, sound = list(by_rate), _sound(by_rate)
    place = rates.index(best)
    near = [rate for rate in rates[max(0, place - BESIDE) : place + BESIDE + 1] if rate in sound]
    seeds = sorted(set.intersection(*(set(sound[rate].scores) for rate in near))) if near else []
    if len(near) < FEWEST:
        return (), None, f"fewer than {FEWEST} rates in a row train with every seed"
    if not seeds:
        return (), None, "no seed was tried at all of them"
    table = sign * np.array([[sound[rate].scores[seed] for seed in seeds] for rate in near])
    top = near[int(np.argmax(table.mean(axis=1)))]
    if top in (rates[0], rates[-1]):
        return (), None, "the best rate lies at the edge of what was tried"
    return tuple(math.log10(rate) for rate in near), table, ""


def _counts(by_rate: Mapping[float, TriedSetting]) -> Counts:
    """Return of how many trials how many trained; where no training loss is known, those that ended did."""
    trains = {rate: setting.trains or (setting.stable,) for rate, setting in by_rate.items()}
    return Counts(
        x=[math.log10(rate) for rate in trains],
        happened=[sum(each is not False for each in fates) for fates in trains.values()],
        n=[len(fates) for fates in trains.values()],
    )


def rates_by_momentum(evidence: Evidence) -> dict[str, list[tuple[float, Rates]]]:
    """Return the rates of every momentum, in groups of arms that differ in it alone.

    Args:
        evidence: the searches over the rate.

    Returns:
        By the other levels in words, (momentum, rates) in ascending order; groups with two momenta and rates or more.
    """
    groups: dict[str, list[tuple[float, Rates]]] = {}
    for name, group in along_factor(evidence.searches, MOMENTUM, lambda search: search.levels).items():
        for momentum, search in group:
            rates = rates_of(search, momentum, evidence.objective)
            if rates is not None:
                groups.setdefault(name, []).append((momentum, rates))
    return {name: group for name, group in groups.items() if len(group) > 1 and grid_step([r for _, r in group])}


def too_few_rates(evidence: Evidence, key: str, needed: str) -> str:
    """Return why best rates cannot be compared along a factor."""
    few = evidence.no_best_rates or one_level_only((search.levels for search in evidence.searches), key)
    return few or f"no {needed}, all else equal, have a best of two rates or more"


def grid_step(tried: Sequence[Rates]) -> float:
    """Return the widest step between neighbouring rates, in decades; 0 where no arm has two."""
    steps = (math.log10(b / a) for rates in tried for a, b in pairwise(sorted({*rates.effective, *rates.diverged})))
    return max(steps, default=0.0)
