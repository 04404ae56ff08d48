"""Claims 4 and 5: what a larger batch buys in updates, what it costs in examples and accuracy."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.types import Objective
from hpsearch.base.words import count, number
from hpsearch.reports.ablation.arms import Arm, replicates_in_common, scores
from hpsearch.reports.ablation.claim import (
    AGAINST,
    BATCH,
    SUPPORTED,
    UNDECIDED,
    Claim,
    ClaimVerdict,
    Replicate,
    along,
    between,
    both,
    ends,
    one_only,
    over_groups,
    within,
)
from hpsearch.reports.ablation.costs import Cost, Reach
from hpsearch.statistics.intervals import RESAMPLES, Estimate, resamples

_Group: TypeAlias = list[tuple[float, tuple[Arm, Cost]]]
"""Arms with their costs by batch size, ascending."""
MISFIT = 0.2
"""Largest relative deviation (root mean square) from a curve that is still said to describe the points."""
LOSS, RELATIVE_LOSS = 0.02, 0.05
"""Loss of score that must be excluded: of a share, and of other metrics relative to the smallest batch's mean score."""


def updates_to_target(arms: Sequence[Arm], costs: Sequence[Cost], objective: Objective, unfair: str = "") -> Claim:
    """Claim 4: updates to a target fall with batch size, at first in proportion, then less; large batches lose nothing.

    For each seed the local exponents d log(updates) / d log(batch size) between neighbouring sizes: -1 is in
    proportion; the first is reported, not tested. Diminishing: the last exponent is above the first. And the paired
    difference of the scores, largest minus smallest batch, the sign turned where smaller is better. Each is averaged
    over the groups of other factors.

    Args:
        arms: the arms.
        costs: theirs, in the same order.
        objective: says what is better.
        unfair: why the scores of the largest and the smallest batch say nothing of each other; empty where they do.

    Returns:
        The claim: supported when returns diminish and the interval of the scores excludes a loss of .02, for a metric
        that is no share of 5 % of the smallest batch's mean; not supported when they do not or the largest batch scores
        worse by its interval. Undecided in an unfair comparison, where a target takes fewer than five epochs, for
        updates are counted to the end of one, and without three batch sizes that reached a target.
    """
    groups = _groups(arms, costs)
    if not groups:
        return Claim(4, UNDECIDED, _too_few(arms, costs))
    firsts, lasts, bends, gaps = [], [], [], []
    for group in groups.values():
        sizes, steps, replicates = _table(group)
        exponents = np.diff(np.log(steps), axis=1) / np.diff(np.log(sizes))
        firsts.append(dict(zip(replicates, exponents[:, 0].tolist(), strict=True)))
        lasts.append(dict(zip(replicates, exponents[:, -1].tolist(), strict=True)))
        bends.append(dict(zip(replicates, (exponents[:, -1] - exponents[:, 0]).tolist(), strict=True)))
        gaps.append(_gap(group[0][1][0], group[-1][1][0], objective))
    first, last, bend, gap = map(over_groups, (firsts, lasts, bends, gaps))
    coarse = max(map(_coarse, groups.values()))
    bent = within(bend, low=0.0) if coarse <= MISFIT else UNDECIDED
    margin = _margin([group[0][1][0] for group in groups.values()], objective)
    scored = UNDECIDED if unfair else _no_loss(gap, margin)
    open_end = f", which does not exclude a loss of {margin:.2g}" if scored == UNDECIDED and gap.n else ""
    how = f", an unfair comparison: {unfair}" if unfair else open_end
    missed = sum(cost.to_target["updates"].missed for group in groups.values() for _, (_, cost) in group)
    lost = f"; {missed} trials did not reach the target and are in no exponent" if missed else ""
    return Claim(
        4,
        both([bent, scored]),
        f"updates fall as batch size to the power {between(first)} between the smallest sizes and {between(last)} "
        f"between the largest{_counted(coarse)}; the largest batch scores {between(gap, '+z.4f')} against the smallest"
        f"{how}{lost}",
        {
            **ends("first_exponent", first),
            **ends("last_exponent", last),
            **ends("bend", bend),
            **ends("score_gap", gap),
            "missed": float(missed),
            "epoch_share": coarse,
        },
        {"groups": {name: _drawn(group) for name, group in groups.items()}},
    )


def critical_batch_size(arms: Sequence[Arm], costs: Sequence[Cost]) -> Claim:
    """Claim 5: (S / S_min - 1) (E / E_min - 1) = 1 relates updates S and examples E = B S to a target.

    Solved for S it is the line ``S = S_min + E_min / B``, fitted by least squares of relative deviations; its corner is
    the critical batch size ``E_min / S_min``. The interval is that of 2,000 resamples of the seeds that reached the
    target at every size. Source: McCandlish et al., An empirical model of large-batch training,
    https://arxiv.org/abs/1812.06162.

    Args:
        arms: the arms.
        costs: theirs, in the same order.

    Returns:
        The claim: supported when both constants are positive in 95 % of the resamples and the curve is within 20 % of
        the medians, not supported when it is further off; undecided where a target takes fewer than five epochs, for
        updates are counted to the end of one, and without three batch sizes that reached a target.
    """
    groups = _groups(arms, costs)
    if not groups:
        return Claim(5, UNDECIDED, _too_few(arms, costs))
    numbers: dict[str, float] = {}
    verdicts, texts, series = [], [], {}
    for name, group in groups.items():
        lead = f"{name + ': ' if name else ''}"
        sizes, steps, _ = _table(group)
        steps = steps[np.all(np.isfinite(steps), axis=1)]
        if not len(steps):
            verdicts.append(UNDECIDED)
            texts.append(f"{lead}no seed reached the target at every batch size")
            continue
        middle = np.median(steps, axis=0)
        line = _line(sizes, middle[None])[0]
        misfit = math.sqrt(float(np.mean((line[0] / middle + line[1] / (sizes * middle) - 1) ** 2)))
        resampled = _line(sizes, np.median(steps[resamples(len(steps), RESAMPLES)], axis=1))
        sound = resampled[(resampled > 0).all(axis=1)]
        decided = len(sound) >= 0.975 * len(resampled) and len(steps) > 1 and bool((line > 0).all())
        coarse = _coarse(group)
        found = AGAINST if misfit > MISFIT else SUPPORTED if decided else UNDECIDED
        verdicts.append(found if coarse <= MISFIT else UNDECIDED)
        numbers |= {f"misfit[{name}]": misfit}
        series[name] = {"x": sizes.tolist(), "s_min": float(line[0]), "e_min": float(line[1])}
        if not decided:
            off = f"deviation from the curve {100 * misfit:.0f} %"
            texts.append(f"{lead}no critical batch size can be told ({off}){_counted(coarse)}")
            continue
        low, high = np.quantile(sound[:, 1] / sound[:, 0], [0.025, 0.975])
        critical = float(line[1] / line[0])
        numbers |= {f"critical[{name}]": critical, f"critical[{name}]_low": float(low)}
        numbers |= {f"critical[{name}]_high": float(high)}
        series[name] |= {"critical": critical}
        texts.append(
            f"{lead}critical batch size {critical:.0f} ({low:.0f} to {high:.0f}), at least {line[0]:.0f} updates and "
            f"{line[1]:.0f} examples, the curve within {100 * misfit:.0f} % of the medians"
            f"{_counted(coarse)}"
        )
    return Claim(5, both(verdicts), "; ".join(texts), numbers, {"groups": series})


def _groups(arms: Sequence[Arm], costs: Sequence[Cost]) -> dict[str, _Group]:
    """Return, by the other factors, arms over batch sizes of which three or more reached the target with one trial."""
    pairs = [(arm, cost) for arm, cost in zip(arms, costs, strict=True) if cost.to_target]
    groups = along(pairs, BATCH, lambda pair: pair[0].levels)
    return {name: group for name, group in groups.items() if len(_reached(group)) > 2}


def _too_few(arms: Sequence[Arm], costs: Sequence[Cost]) -> str:
    """Return why updates to a target cannot be compared."""
    few = one_only((arm.levels for arm in arms), BATCH)
    target = next((reach.target for cost in costs for reach in cost.to_target.values()), None)
    if few or target is None:
        return few or "no target is set (ablation.target)"
    return f"fewer than three batch sizes reached the target {number(target)}"


def _reached(group: _Group) -> list[tuple[float, Reach]]:
    """Return the batch sizes with a trial that reached the target."""
    return [(size, reach) for size, (_, cost) in group if any((reach := cost.to_target["updates"]).reached)]


def _table(group: _Group) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Replicate]]:
    """Return batch sizes `[B]`, updates to the target `[seed, B]`, nan where not reached, and the seeds all have."""
    reached = _reached(group)
    rows = [
        {seed: v if there else math.nan for seed, v, there in zip(r.replicates, r.values, r.reached, strict=True)}
        for _, r in reached
    ]
    common = sorted(set.intersection(*(set(row) for row in rows)))
    steps = np.array([[row[seed] for row in rows] for seed in common]).reshape(len(common), len(rows))
    return np.array([size for size, _ in reached]), steps, common


def _coarse(group: _Group) -> float:
    """Return the largest share of the updates to the target that one epoch makes up: so many are counted too many."""
    medians = [cost.to_target["epochs"].median for _, (_, cost) in group]
    return max((1 / median for median in medians if median is not None), default=0.0)


def _counted(coarse: float) -> str:
    """Say how coarsely updates are counted, where that decides."""
    if coarse <= MISFIT:
        return ""
    epochs = count(round(1 / coarse), "epoch")
    return f" (one size needs {epochs}: counted to the end of one, its updates are up to {100 * coarse:.0f} % too many)"


def _gap(small: Arm, large: Arm, objective: Objective) -> dict[Replicate, float]:
    """Return by how much the larger batch scores better, for each seed that both have."""
    common, sign = replicates_in_common([small, large]), 1 if objective.maximize else -1
    pairs = zip(common, scores(large, common), scores(small, common), strict=True)
    return {replicate: sign * (a - b) for replicate, a, b in pairs}


def _margin(smallest: Sequence[Arm], objective: Objective) -> float:
    """Return the loss of score that an interval must exclude; nan where no arm of the smallest batch has a score."""
    if objective.share:
        return LOSS
    means = [arm.score.mean for arm in smallest if arm.finished]
    return RELATIVE_LOSS * abs(float(np.mean(means))) if means else math.nan


def _no_loss(gap: Estimate, margin: float) -> ClaimVerdict:
    """Return whether the largest batch scores no worse: not where it is worse by any amount, or may be by a margin."""
    if within(gap, high=0.0) == SUPPORTED:
        return AGAINST
    return SUPPORTED if within(gap, low=-margin) == SUPPORTED else UNDECIDED


def _line(sizes: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (S_min, E_min) `[row, 2]` of the lines ``S = S_min + E_min / B`` through rows of steps `[row, B]`."""
    design = np.stack([1 / steps, 1 / (sizes * steps)], axis=2)
    return np.asarray((np.linalg.pinv(design) @ np.ones((len(steps), len(sizes), 1)))[:, :, 0])


def _drawn(group: _Group) -> Mapping[str, object]:
    trials = [
        (size, value)
        for size, each in _reached(group)
        for value, there in zip(each.values, each.reached, strict=True)
        if there
    ]
    known = [(size, each.median) for size, each in _reached(group) if each.median is not None]
    return {
        "x": [size for size, _ in known],
        "y": [median for _, median in known],
        "trial_x": [size for size, _ in trials],
        "trial_y": [value for _, value in trials],
    }
