"""Claims 1 to 3: what is the same learning rate for another momentum or batch size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from scipy.special import ndtri, stdtrit

from hpsearch.analysis.arms import Arm
from hpsearch.analysis.claim import AGAINST, BATCH, MOMENTUM, RATE, SUPPORTED, UNDECIDED, Claim, along, both
from hpsearch.analysis.tuning import Tuned
from hpsearch.types import Objective

TOLERANCE = 1e-6  # of a grid step, for rounding


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates that were tried for one arm, ascending.

    Attributes:
        effective: lr / (1 - momentum) of each that trained to the end.
        scores: their mean scores, the sign turned where smaller is better.
        diverged: effective rates that diverged.
        best: the one with the best score.
        low: the smallest of those that are not told apart from the best.
        high: the largest of them.
    """

    effective: tuple[float, ...]
    scores: tuple[float, ...]
    diverged: tuple[float, ...]
    best: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether rates on both sides of the best were tried; one that diverged bounds it too."""
        above = [*self.effective, *self.diverged]
        return min(above) < self.best < max(above)


def rates_of(tuned: Tuned, momentum: float, noise: float, objective: Objective) -> Rates | None:
    """Return the rates of an arm's search.

    Args:
        tuned: the search.
        momentum: of the arm.
        noise: standard deviation of a score over seeds.
        objective: says what is better.

    Returns:
        The rates, not told apart from the best within ``1.96 noise sqrt(2 / seeds)``; None where none trained.
    """
    sign = 1.0 if objective.maximize else -1.0
    known: dict[float, float] = {}
    diverged = []
    for params, score, away in tuned.tried:
        if RATE in params and away:
            diverged.append(params[RATE] / (1 - momentum))
        elif RATE in params and score is not None:
            rate = params[RATE] / (1 - momentum)
            known[rate] = max(known.get(rate, -math.inf), sign * score)
    if not known:
        return None
    rates = tuple(sorted(known))
    best = max(rates, key=lambda rate: known[rate])
    within = float(ndtri(0.975)) * noise * math.sqrt(2 / max(tuned.seeds, 1))
    near = [rate for rate in rates if known[rate] >= known[best] - within]
    scores = tuple(known[rate] for rate in rates)
    return Rates(rates, scores, tuple(sorted(diverged)), best, near[0], near[-1])


def noise_of(arms: Sequence[Arm]) -> float:
    """Return the pooled standard deviation of a score over seeds; 0 where no arm has two."""
    squares = [((arm.score.n - 1) * arm.score.sd**2, arm.score.n - 1) for arm in arms if arm.score.sd is not None]
    freedom = sum(n for _, n in squares)
    return math.sqrt(sum(square for square, _ in squares) / freedom) if freedom else 0.0


def effective_rate(tuned: Sequence[Tuned], arms: Sequence[Arm], objective: Objective) -> Claim | None:
    """Claim 1: the best lr / (1 - m) is the same for every momentum, within one step of the grid.

    Args:
        tuned: the searches over the rate.
        arms: the arms, for the noise between seeds.
        objective: says what is better.

    Returns:
        The claim: supported when the best rates of all momenta agree within a step and none lies at an edge; not
        supported when two are more than a step apart and so are the ranges not told apart from them; None without two
        momenta.
    """
    groups = _by_momentum(tuned, arms, objective)
    if not groups:
        return None
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
        "The best effective rate lr / (1 - momentum) is the same for every momentum, within one step of the grid.",
        both(verdicts),
        sentence,
        numbers,
        {"groups": {name: [_drawn(m, rates) for m, rates in found] for name, found in groups.items()}},
    )


def edge_of_stability(tuned: Sequence[Tuned], arms: Sequence[Arm], objective: Objective) -> Claim | None:
    """Claim 2: the effective rate at which training diverges grows with momentum.

    With s(m) the largest effective rate that trained below the first one d(m) that diverged, the edge of the largest
    momentum is between ``s(m) / d(0)`` and ``d(m) / s(0)`` times that of the smallest.

    Args:
        tuned: the searches over the rate.
        arms: the arms.
        objective: says what is better.

    Returns:
        The claim: supported when the factor is above 1 in every group, not supported when it is below; None without two
        momenta.
    """
    groups = _by_momentum(tuned, arms, objective)
    if not groups:
        return None
    numbers: dict[str, float] = {}
    verdicts, texts = [], []
    for name, found in groups.items():
        (low, first), (high, last) = found[0], found[-1]
        (stable, away), (stable_last, away_last) = _edge(first), _edge(last)
        factor_low, factor_high = stable_last / away, away_last / stable
        verdicts.append(SUPPORTED if factor_low > 1 else AGAINST if factor_high < 1 else UNDECIDED)
        numbers |= {f"factor[{name}]_low": factor_low}
        numbers |= {f"factor[{name}]_high": factor_high} if math.isfinite(factor_high) else {}
        where = ", ".join(_bracket(m, *_edge(rates)) for m, rates in found)
        bound = f"at least {factor_low:.2g}" if math.isinf(factor_high) else f"{factor_low:.2g} to {factor_high:.2g}"
        factor = f"momentum {high:g} tolerates {bound} times the effective rate of {low:g}"
        texts.append(f"{name + ': ' if name else ''}{where}" + ("" if math.isinf(away) else f"; {factor}"))
    return Claim(
        2,
        "The edge of stability is not constant in lr / (1 - momentum): a large momentum tolerates more.",
        both(verdicts),
        "; ".join(texts),
        numbers,
        {"groups": {name: [_drawn(m, rates) for m, rates in found] for name, found in groups.items()}},
    )


def noise_scale(tuned: Sequence[Tuned], objective: Objective) -> Claim | None:
    """Claim 3: the noise scale lr N / (B (1 - m)) is what counts, so the best rate is proportional to the batch size.

    The slope of log(best rate) on log(batch size), a line per group of the other factors with one slope for all, by
    least squares: 1 where the noise scale decides, 0 where the rate alone does.

    Args:
        tuned: the searches over the rate.
        objective: says what is better.

    Returns:
        The claim: supported when the 95 % t interval of the slope holds 1 and not 0, not supported when it lies off 1,
        undecided when a best rate lies at the edge of what was tried; None without three batch sizes in a group.
    """
    found = {name: _best_rates(group, objective) for name, group in along(tuned, BATCH, lambda t: t.levels).items()}
    found = {name: pairs for name, pairs in found.items() if len(pairs) > 2}
    if not found:
        return None
    x = np.concatenate([
        np.log([b for b, _ in pairs]) - np.mean(np.log([b for b, _ in pairs])) for pairs in found.values()
    ])
    y = np.concatenate([
        np.log([r for _, r in pairs]) - np.mean(np.log([r for _, r in pairs])) for pairs in found.values()
    ])
    freedom = len(x) - len(found) - 1
    slope = float(x @ y / (x @ x))
    error = math.sqrt(float(np.sum((y - slope * x) ** 2)) / freedom / float(x @ x))
    half = float(stdtrit(freedom, 0.975)) * error
    low, high = slope - half, slope + half
    outside = [each for group in along(tuned, BATCH, lambda t: t.levels).values() for _, each in group if each.at_edge]
    verdict = AGAINST if not low <= 1 <= high else SUPPORTED if low > 0 else UNDECIDED
    verdict = UNDECIDED if outside else verdict
    edge = "; some best rates lie at the edge of what was tried" if outside else ""
    listed = "; ".join(
        f"{name + ': ' if name else ''}" + ", ".join(f"{rate:.3g} at {size:g}" for size, rate in pairs)
        for name, pairs in found.items()
    )
    return Claim(
        3,
        "The noise scale lr N / (B (1 - momentum)) is what counts: the best rate is proportional to the batch size.",
        verdict,
        f"the best rate grows as batch size to the power {slope:.2f} (95 % interval {low:.2f} to {high:.2f}; 1 would "
        f"be in proportion{edge}): {listed}",
        {"exponent": slope, "exponent_low": low, "exponent_high": high},
        {"groups": {name: {"x": [b for b, _ in pairs], "y": [r for _, r in pairs]} for name, pairs in found.items()}},
    )


def _by_momentum(
    tuned: Sequence[Tuned], arms: Sequence[Arm], objective: Objective
) -> dict[str, list[tuple[float, Rates]]]:
    noise = noise_of(arms)
    groups = {
        name: [(m, rates) for m, each in group if (rates := rates_of(each, m, noise, objective)) is not None]
        for name, group in along(tuned, MOMENTUM, lambda t: t.levels).items()
    }
    return {name: group for name, group in groups.items() if len(group) > 1 and len(group[0][1].effective) > 1}


def _step(each: Sequence[Rates]) -> float:
    """Return the widest step between neighbouring rates, in decades."""
    return max(
        _decades(b, a) for rates in each for a, b in pairwise(sorted({*rates.effective, *rates.diverged})) if b > a
    )


def _decades(high: float, low: float) -> float:
    return math.log10(high / low)


def _gap(a: Rates, b: Rates) -> float:
    """Return the decades between two ranges; 0 where they meet."""
    return max(0.0, _decades(b.low, a.high), _decades(a.low, b.high))


def _edge(rates: Rates) -> tuple[float, float]:
    """Return the largest rate that trained below the first that diverged, and that one; infinite where none did."""
    away = min((rate for rate in rates.diverged if rate > rates.best), default=math.inf)
    return max(rate for rate in rates.effective if rate < away), away


def _bracket(momentum: float, stable: float, away: float) -> str:
    end = "nothing diverged" if math.isinf(away) else f"diverges at {away:.3g}"
    return f"momentum {momentum:g} trains up to {stable:.3g} and {end}"


def _best_rates(group: Sequence[tuple[float, Tuned]], objective: Objective) -> list[tuple[float, float]]:
    found = []
    for size, each in group:
        momentum = each.levels.get(MOMENTUM) or 0.0
        rates = rates_of(each, float(momentum), 0.0, objective)
        if rates is not None:
            found.append((size, rates.best))
    return found


def _drawn(momentum: float, rates: Rates) -> Mapping[str, object]:
    return {
        "momentum": momentum,
        "x": list(rates.effective),
        "y": list(rates.scores),
        "diverged": list(rates.diverged),
        "best": rates.best,
        "low": rates.low,
        "high": rates.high,
    }
