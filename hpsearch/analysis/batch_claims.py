"""Claims 4 and 5: what a larger batch buys in updates, what it costs in examples and accuracy."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hpsearch.analysis.arms import Arm, replicates_in_common, scores
from hpsearch.analysis.claim import (
    AGAINST,
    BATCH,
    SUPPORTED,
    UNDECIDED,
    Claim,
    above,
    along,
    between,
    both,
    ends,
)
from hpsearch.analysis.costs import Cost
from hpsearch.analysis.estimates import RESAMPLES, draws, estimate
from hpsearch.types import Objective

MISFIT = 0.2
"""Largest relative deviation (root mean square) from a curve that is still said to describe the points."""


def updates_to_target(
    arms: Sequence[Arm], costs: Sequence[Cost], objective: Objective, unfair: str = ""
) -> Claim | None:
    """Claim 4: updates to a target fall with batch size, at first in proportion, then less; large batches lose nothing.

    For each seed the local exponents d log(updates) / d log(batch size) between neighbouring sizes: -1 is in
    proportion. Diminishing: the last exponent is above the first. And the paired difference of the scores, largest
    minus smallest batch, the sign turned where smaller is better.

    Args:
        arms: the arms.
        costs: theirs, in the same order.
        objective: says what is better.
        unfair: why a lower score of the largest batch says nothing against it; empty where it does.

    Returns:
        The claim: supported when returns diminish and the largest batch is not shown to be worse; None without three
        batch sizes or a target.
    """
    groups = _reached(arms, costs)
    if not groups:
        return None
    firsts, lasts, bends, gaps = [], [], [], []
    for group in groups.values():
        sizes, steps = _table(group)
        exponents = np.diff(np.log(steps), axis=1) / np.diff(np.log(sizes))
        firsts += exponents[:, :1].ravel().tolist()
        lasts += exponents[:, -1:].ravel().tolist()
        bends += (exponents[:, -1] - exponents[:, 0]).tolist()
        small, large = group[0][1][0], group[-1][1][0]
        common = replicates_in_common([small, large])
        pairs = zip(scores(large, common), scores(small, common), strict=True)
        gaps += [(a - b) * (1 if objective.maximize else -1) for a, b in pairs]
    first, last, bend, gap = (estimate(_finite(values)) for values in (firsts, lasts, bends, gaps))
    worse = gap.shown is not None and gap.shown.high < 0
    unknown = gap.shown is None or (worse and unfair)
    verdict = both([above(bend, 0.0), UNDECIDED if unknown else AGAINST if worse else SUPPORTED])
    how = f", an unfair comparison: {unfair}" if unfair else ""
    missed = sum(cost.to_target["updates"].missed for group in groups.values() for _, (_, cost) in group)
    lost = f"; {missed} trials did not reach the target and are left out" if missed else ""
    return Claim(
        4,
        "Updates to a target fall with batch size, at first in proportion, then less and less; retuned, large batches "
        "do not generalize worse.",
        verdict,
        f"updates fall as batch size to the power {between(first)} between the smallest sizes and {between(last)} "
        f"between the largest; the largest batch scores {between(gap, '+.4f')} against the smallest{how}{lost}",
        {
            **ends("first_exponent", first),
            **ends("last_exponent", last),
            **ends("bend", bend),
            **ends("score_gap", gap),
            "missed": float(missed),
        },
        {"groups": {name: _drawn(group) for name, group in groups.items()}},
    )


def critical_batch_size(arms: Sequence[Arm], costs: Sequence[Cost]) -> Claim | None:
    """Claim 5: (S / S_min - 1) (E / E_min - 1) = 1 relates updates S and examples E = B S to a target.

    Solved for S it is the line ``S = S_min + E_min / B``, fitted by least squares of relative deviations; its corner is
    the critical batch size ``E_min / S_min``. The interval is that of 2,000 resamples of the seeds.

    Args:
        arms: the arms.
        costs: theirs, in the same order.

    Returns:
        The claim: supported when both constants are positive in 95 % of the resamples and the curve is within 20 % of
        the medians, not supported when it is further off; None without three batch sizes or a target.
    """
    groups = {name: group for name, group in _reached(arms, costs).items() if len(_table(group)[1]) > 0}
    numbers: dict[str, float] = {}
    verdicts, texts, series = [], [], {}
    for name, group in groups.items():
        sizes, steps = _table(group)
        steps = steps[np.all(np.isfinite(steps), axis=1)]
        if not len(steps):
            continue
        middle = np.median(steps, axis=0)
        line = _line(sizes, middle[None])[0]
        misfit = math.sqrt(float(np.mean((line[0] / middle + line[1] / (sizes * middle) - 1) ** 2)))
        resampled = _line(sizes, np.median(steps[draws(len(steps), RESAMPLES)], axis=1))
        sound = resampled[(resampled > 0).all(axis=1)]
        decided = len(sound) >= 0.975 * len(resampled) and len(steps) > 1 and bool((line > 0).all())
        verdicts.append(AGAINST if misfit > MISFIT else SUPPORTED if decided else UNDECIDED)
        numbers |= {f"misfit[{name}]": misfit}
        series[name] = {"x": sizes.tolist(), "y": middle.tolist(), "s_min": float(line[0]), "e_min": float(line[1])}
        lead = f"{name + ': ' if name else ''}"
        if not decided:
            texts.append(f"{lead}no critical batch size can be told (deviation from the curve {100 * misfit:.0f} %)")
            continue
        low, high = np.quantile(sound[:, 1] / sound[:, 0], [0.025, 0.975])
        critical = float(line[1] / line[0])
        numbers |= {f"critical[{name}]": critical, f"critical[{name}]_low": float(low)}
        numbers |= {f"critical[{name}]_high": float(high)}
        texts.append(
            f"{lead}critical batch size {critical:.0f} ({low:.0f} to {high:.0f}), at least {line[0]:.0f} updates and "
            f"{line[1]:.0f} examples, the curve within {100 * misfit:.0f} % of the medians"
        )
    if not verdicts:
        return None
    statement = "(S / S_min - 1) (E / E_min - 1) = 1 relates updates and examples to a target; its corner is the "
    return Claim(5, f"{statement}critical batch size.", both(verdicts), "; ".join(texts), numbers, {"groups": series})


def _reached(arms: Sequence[Arm], costs: Sequence[Cost]) -> dict[str, list[tuple[float, tuple[Arm, Cost]]]]:
    """Return, by the other factors, three or more batch sizes that reached the target with one trial at least."""
    pairs = [
        (arm, cost)
        for arm, cost in zip(arms, costs, strict=True)
        if cost.to_target and any(cost.to_target["updates"].reached)
    ]
    groups = along(pairs, BATCH, lambda pair: pair[0].levels)
    return {name: group for name, group in groups.items() if len(group) > 2}


def _table(group: Sequence[tuple[float, tuple[Arm, Cost]]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return batch sizes `[B]` and updates to the target `[seed, B]`, nan where it was not reached."""
    rows = [cost.to_target["updates"] for _, (_, cost) in group]
    fewest = min(each.n for each in rows)
    columns = [
        [value if there else math.nan for value, there in zip(each.values, each.reached, strict=True)][:fewest]
        for each in rows
    ]
    return np.array([size for size, _ in group]), np.array(columns).T


def _line(sizes: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (S_min, E_min) `[row, 2]` of the lines ``S = S_min + E_min / B`` through rows of steps `[row, B]`."""
    design = np.stack([1 / steps, 1 / (sizes * steps)], axis=2)
    return np.asarray((np.linalg.pinv(design) @ np.ones((len(steps), len(sizes), 1)))[:, :, 0])


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _drawn(group: Sequence[tuple[float, tuple[Arm, Cost]]]) -> Mapping[str, object]:
    reach = [cost.to_target["updates"] for _, (_, cost) in group]
    return {
        "x": [size for size, _ in group],
        "y": [each.median for each in reach],
        "values": [list(each.values) for each in reach],
        "reached": [list(each.reached) for each in reach],
    }
