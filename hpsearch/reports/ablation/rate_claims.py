"""Claims 1 to 3: what is the same learning rate for another momentum or batch size."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.claim import (
    AGAINST,
    BATCH,
    MOMENTUM,
    RATE,
    SUPPORTED,
    UNDECIDED,
    Claim,
    along,
    both,
    one_only,
)
from hpsearch.reports.ablation.tuning import Tried, Tuned
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
    def holds(self) -> bool | None:
        """Whether the best rate itself is stable; None where that is not known."""
        return self.stable[self.effective.index(self.best)]

    @property
    def edge(self) -> tuple[float, float]:
        """The last rate that trained from the best one up, and the first that broke; infinite where none did."""
        flat = [rate for rate, stable in zip(self.effective, self.stable, strict=True) if stable is False]
        away = min((rate for rate in (*self.diverged, *flat) if rate > self.best), default=math.inf)
        return max(rate for rate in self.effective if rate < away), away

    @property
    def inside(self) -> bool:
        """Whether rates on both sides of the best were tried; one that diverged bounds it too."""
        rates = [*self.effective, *self.diverged]
        return min(rates) < self.best < max(rates)


def rates_of(tuned: Tuned, momentum: float, within: float, objective: Objective) -> Rates | None:
    """Return the rates of an arm's search.

    Args:
        tuned: the search.
        momentum: of the arm.
        within: scores less than this below the best are not told apart from it, see `least_significant_difference`.
        objective: says what is better.

    Returns:
        The rates; None where none trained.
    """
    sign = 1.0 if objective.maximize else -1.0

    def worth(each: Tried) -> float:
        return -math.inf if each.mean is None else sign * each.mean

    found: dict[float, Tried] = {}
    for each in tuned.tried:
        if RATE in each.params and (each.diverged or each.mean is not None):
            rate = each.params[RATE] / (1 - momentum)
            found[rate] = max(found.get(rate, each), each, key=worth)
    known = {rate: found[rate] for rate in sorted(found) if found[rate].mean is not None}
    if not known:
        return None
    best = max(known, key=lambda rate: worth(known[rate]))
    near = [rate for rate in known if worth(known[rate]) >= worth(known[best]) - within]
    return Rates(
        effective=tuple(known),
        scores=tuple(each.mean for each in known.values() if each.mean is not None),
        stable=tuple(each.stable for each in known.values()),
        diverged=tuple(sorted(set(found) - set(known))),
        best=best,
        low=near[0],
        high=near[-1],
    )


def effective_rate(tuned: Sequence[Tuned], arms: Sequence[Arm], objective: Objective) -> Claim:
    """Claim 1: the best lr / (1 - m) is the same for every momentum, within one step of the grid.

    Args:
        tuned: the searches over the rate.
        arms: the arms, for the noise between seeds.
        objective: says what is better.

    Returns:
        The claim: supported when the best rates of all momenta agree within a step and none lies at an edge; not
        supported when two are more than a step apart and so are the ranges not told apart from them; undecided without
        two momenta.
    """
    groups = _by_momentum(tuned, arms, objective)
    if not groups:
        return Claim(1, UNDECIDED, _too_few(tuned, MOMENTUM, "two momenta"))
    numbers: dict[str, float] = {}
    verdicts, texts = [], []
    for name, found in groups.items():
        step = _step([rates for _, rates in found])
        apart = _decades(max(r.best for _, r in found), min(r.best for _, r in found))
        gap = max(_gap(a, b) for (_, a), (_, b) in combinations(found, 2))
        inside = all(rates.inside for _, rates in found)
        agree = apart <= step * (1 + TOLERANCE)
        verdicts.append(SUPPORTED if agree and inside else AGAINST if gap > step and inside else UNDECIDED)
        for momentum, rates in found:
            key = f"{name + ', ' if name else ''}momentum {momentum:g}"
            numbers |= {f"best[{key}]": rates.best, f"best[{key}]_low": rates.low, f"best[{key}]_high": rates.high}
        numbers |= {f"decades_apart[{name}]": apart, f"step_decades[{name}]": step}
        listed = ", ".join(f"{r.best:.3g} ({r.low:.3g} to {r.high:.3g}) at momentum {m:g}" for m, r in found)
        edge = "" if inside else "; a best lies at the edge of what was tried"
        texts.append(f"{name + ': ' if name else ''}{listed}, {apart / step:.1f} grid steps apart{edge}")
    sentence = "best effective rates with those not told apart from them: " + "; ".join(texts)
    return Claim(
        1,
        both(verdicts),
        sentence,
        numbers,
        {"groups": {name: [_drawn(m, rates) for m, rates in found] for name, found in groups.items()}},
    )


def edge_of_stability(tuned: Sequence[Tuned], arms: Sequence[Arm], objective: Objective) -> Claim:
    """Claim 2: the effective rate at which training breaks grows with momentum.

    It breaks where it diverges, or where the training loss does not fall below half of its first value: the usual end
    of a rate that is too high is a dead network at chance. With s(m) the last effective rate that trained and d(m) the
    first above the best that broke, the edge of the largest momentum is between ``s(m) / d(0)`` and ``d(m) / s(0)``
    times that of the smallest.

    Args:
        tuned: the searches over the rate.
        arms: the arms.
        objective: says what is better.

    Returns:
        The claim: supported when the factor is above 1 in every group, not supported when it is below, undecided where
        it may be either or a best rate is itself not stable, and without two momenta.
    """
    groups = _by_momentum(tuned, arms, objective)
    if not groups:
        return Claim(2, UNDECIDED, _too_few(tuned, MOMENTUM, "two momenta"))
    numbers: dict[str, float] = {}
    verdicts, texts = [], []
    for name, found in groups.items():
        lead = f"{name + ': ' if name else ''}"
        unsound = [f"{m:g}" for m, rates in found if rates.holds is False]
        if unsound:
            verdicts.append(UNDECIDED)
            texts.append(f"{lead}the best rate of momentum {' and '.join(unsound)} did not halve the training loss")
            continue
        (low, first), (high, last) = found[0], found[-1]
        (trained, away), (trained_last, away_last) = first.edge, last.edge
        factor_low, factor_high = trained_last / away, away_last / trained
        more, less = factor_low > 1 - TOLERANCE, factor_high < 1 + TOLERANCE  # 1: one trained where the other broke
        verdicts.append(SUPPORTED if more else AGAINST if less else UNDECIDED)
        numbers |= {f"factor[{name}]_low": factor_low} if factor_low else {}
        numbers |= {f"factor[{name}]_high": factor_high} if math.isfinite(factor_high) else {}
        where = ", ".join(_bracket(m, *rates.edge) for m, rates in found)
        times = _times(factor_low, factor_high)
        factor = f"; momentum {high:g} tolerates {times} times the effective rate of {low:g}" if times else ""
        texts.append(f"{lead}{where}{factor}")
    return Claim(
        2,
        both(verdicts),
        f"{'; '.join(texts)}. {_broken(rates for found in groups.values() for _, rates in found)}",
        numbers,
    )


def noise_scale(tuned: Sequence[Tuned], objective: Objective) -> Claim:
    """Claim 3: the noise scale lr N / (B (1 - m)) is what counts, so the best rate is proportional to the batch size.

    The slope of log(best rate) on log(batch size), a line per group of the other factors with one slope for all, by
    least squares: 1 where the noise scale decides, 0 where the rate alone does. Its interval is Student's, yet never
    narrower than the grid allows: a best rate is known to a step h of it, which has standard deviation h / sqrt(12).

    Args:
        tuned: the searches over the rate.
        objective: says what is better.

    Returns:
        The claim: supported when the 95 % interval of the slope holds 1 and not 0, not supported when it lies off 1,
        undecided when a best rate lies at the edge of what was tried, and without three batch sizes in a group.
    """
    groups = along(tuned, BATCH, lambda t: t.levels)
    found = {name: _best_rates(group, objective) for name, group in groups.items()}
    found = {name: pairs for name, pairs in found.items() if len(pairs) > 2}
    step = math.log(10) * _step([rates for pairs in found.values() for _, rates in pairs])
    if not step:
        return Claim(3, UNDECIDED, _too_few(tuned, BATCH, "three batch sizes"))
    x = np.concatenate([_centred([size for size, _ in pairs]) for pairs in found.values()])
    y = np.concatenate([_centred([rates.best for _, rates in pairs]) for pairs in found.values()])
    freedom, spread = len(x) - len(found) - 1, float(x @ x)
    slope = float(x @ y) / spread
    error = math.sqrt(float(np.sum((y - slope * x) ** 2)) / freedom / spread)
    half = max(float(stdtrit(freedom, 0.975)) * error, float(ndtri(0.975)) * step / math.sqrt(12 * spread))
    low, high = slope - half, slope + half
    outside = any(RATE in each.at_edge for name in found for _, each in groups[name])
    verdict = AGAINST if not low <= 1 <= high else SUPPORTED if low > 0 else UNDECIDED
    rate = "effective rate" if any(MOMENTUM in each.levels for each in tuned) else "learning rate"
    edge = "; some best rates lie at the edge of what was tried" if outside else ""
    listed = "; ".join(
        f"{name + ': ' if name else ''}" + ", ".join(f"{rates.best:.3g} at {size:g}" for size, rates in pairs)
        for name, pairs in found.items()
    )
    return Claim(
        3,
        UNDECIDED if outside else verdict,
        f"the best {rate} grows as batch size to the power {slope:.2f} (95 % interval {low:.2f} to {high:.2f}; 1 would "
        f"be in proportion{edge}): {listed}",
        {"exponent": slope, "exponent_low": low, "exponent_high": high},
        {
            "exponent": slope,
            "rate": f"best {rate}",
            "groups": {
                name: {"x": [size for size, _ in pairs], "y": [rates.best for _, rates in pairs]}
                for name, pairs in found.items()
            },
        },
    )


def _by_momentum(
    tuned: Sequence[Tuned], arms: Sequence[Arm], objective: Objective
) -> dict[str, list[tuple[float, Rates]]]:
    own = {arm.name: [arm] for arm in arms if arm.score.sd is not None}  # arms that barely train scatter more
    found = {
        name: [(m, rates_of(each, m, _indistinct(own.get(each.arm, arms), each.seeds), objective)) for m, each in group]
        for name, group in along(tuned, MOMENTUM, lambda t: t.levels).items()
    }
    groups = {name: [(m, rates) for m, rates in group if rates is not None] for name, group in found.items()}
    return {name: group for name, group in groups.items() if len(group) > 1 and _step([rates for _, rates in group])}


def _indistinct(arms: Sequence[Arm], seeds: int) -> float:
    """Return the difference of two scores over so many seeds that the noise between the seeds of arms explains."""
    return least_significant_difference([arm.score.values for arm in arms], seeds)


def _too_few(tuned: Sequence[Tuned], key: str, needed: str) -> str:
    """Return why best rates cannot be compared along a factor."""
    few = one_only((each.levels for each in tuned), key)
    return few or f"no {needed}, all else equal, have a best of two rates or more"


def _step(each: Sequence[Rates]) -> float:
    """Return the widest step between neighbouring rates, in decades; 0 where no arm has two."""
    steps = (_decades(b, a) for rates in each for a, b in pairwise(sorted({*rates.effective, *rates.diverged})))
    return max(steps, default=0.0)


def _decades(high: float, low: float) -> float:
    return math.log10(high / low)


def _gap(a: Rates, b: Rates) -> float:
    """Return the decades between two ranges; 0 where they meet."""
    return max(0.0, _decades(b.low, a.high), _decades(a.low, b.high))


def _bracket(momentum: float, trained: float, away: float) -> str:
    end = "nothing above breaks" if math.isinf(away) else f"breaks at {away:.3g}"
    return f"momentum {momentum:g} trains up to {trained:.3g} and {end}"


def _times(low: float, high: float) -> str:
    """Write by how much an edge moves; empty where neither end is known."""
    if math.isinf(high):
        return f"at least {low:.2g}" if low else ""
    return f"{low:.2g} to {high:.2g}" if low else f"at most {high:.2g}"


def _broken(each: Iterable[Rates]) -> str:
    """Say what breaking means in these data."""
    if all(stable is None for rates in each for stable in rates.stable):
        return "Breaks: diverges; no training loss is recorded that would show a dead network"
    return "Breaks: diverges, or the training loss does not fall below half of its first value"


def _best_rates(group: Sequence[tuple[float, Tuned]], objective: Objective) -> list[tuple[float, Rates]]:
    """Return the rates of every batch size where one trained."""
    found = ((size, rates_of(each, float(each.levels.get(MOMENTUM) or 0.0), 0.0, objective)) for size, each in group)
    return [(size, rates) for size, rates in found if rates is not None]


def _centred(values: Sequence[float]) -> NDArray[np.float64]:
    logs = np.log(values)
    return np.asarray(logs - logs.mean())


def _drawn(momentum: float, rates: Rates) -> Mapping[str, object]:
    return {
        "momentum": momentum,
        "x": list(rates.effective),
        "y": list(rates.scores),
        "stable": list(rates.stable),
        "diverged": list(rates.diverged),
        "best": rates.best,
        "low": rates.low,
        "high": rates.high,
    }
