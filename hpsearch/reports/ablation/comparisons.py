"""Arms against the reference arm: paired differences, what they are worth, and what could not have been seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import Arm, replicates_in_common, scores
from hpsearch.statistics.comparisons import ALPHA, detectable_factor, hedges_g, holm, paired_p
from hpsearch.statistics.intervals import NOISE, Estimate, estimate

DifferenceVerdict = Literal["better", "worse", "may be equal", "undecided: drift", "not compared"]
VERDICTS: tuple[DifferenceVerdict, ...] = get_args(DifferenceVerdict)


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm minus the reference arm, over the replicates that both have.

    Attributes:
        arm: name of the arm.
        difference: of the scores, arm minus reference, paired by seed and fold; in the metric's unit.
        p: two-sided p-value of the paired t test; None for fewer than two pairs, for differences without any spread and
            where a trial of either diverged or stayed at chance: a mean over those that train would flatter it.
        p_holm: the same, adjusted for all comparisons with the reference; None where `p` is.
        effect: Hedges' g of paired differences; None where there is no spread.
        test: the same difference on the test split; None where a trial of either was not evaluated there.
        detectable: the true difference that is found with 80 % power at Holm's first step, 5 % over the number of
            tests, were the deviation of the differences the estimated one: itself an estimate; None without a test.
        dropped: replicates that only one of the two has.
        verdict: by the adjusted p-value at 5 %, in the objective's direction; ``undecided: drift`` where better or
            worse becomes anything else once the mean difference of the last evaluations takes the place of that of the
            scores, with their spread: what the arms still gain or lose at their ends, the drift, would reverse it.
        why: why it is not compared, has no p-value or is undecided; empty otherwise.
        drift: mean difference of the last evaluations less that of the scores; 0 where these are not known.
    """

    arm: str
    difference: Estimate
    p: float | None
    p_holm: float | None
    effect: float | None
    test: Estimate | None
    detectable: float | None
    dropped: int
    verdict: DifferenceVerdict
    why: str
    drift: float = 0.0


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
    tests = compared(found)
    moved = [[value + each.drift for value in each.difference.values] for each in found]
    at_last = holm([None if each.p is None else paired_p(values) for each, values in zip(found, moved, strict=True)])
    return tuple(
        _undecided(
            replace(
                each,
                p_holm=p,
                verdict=_verdict(each.difference.mean, p, objective),
                detectable=_detectable(each, tests),
            ),
            _verdict(each.difference.mean + each.drift, last, objective),
        )
        for each, p, last in zip(found, adjusted, at_last, strict=True)
    )


def _undecided(each: Difference, at_last: DifferenceVerdict) -> Difference:
    """Withhold a verdict that is another one by the last evaluations."""
    if each.verdict not in ("better", "worse") or at_last == each.verdict:
        return each
    return replace(each, verdict="undecided: drift", why=f"by the last evaluations alone it is: {at_last}")


def compared(found: Sequence[Difference]) -> int:
    """Return how many differences are tested: Holm's adjustment is for so many."""
    return sum(each.p is not None for each in found)


def tally(compared: Sequence[Difference]) -> str:
    """Count verdicts: ``2 better, 1 may be equal``; empty of nothing."""
    verdicts = [each.verdict for each in compared]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS if verdict in verdicts)


def paired(arm: Arm, reference: Arm) -> Difference:
    """Return an arm minus another one, of the same study or not, not yet adjusted or judged."""
    common = replicates_in_common([arm, reference])
    pairs = zip(scores(arm, common), scores(reference, common), strict=True)
    found = estimate([_gap(a, b) for a, b in pairs])
    p = None if arm.lost or reference.lost else paired_p(found.values)
    return Difference(
        arm=arm.name,
        difference=found,
        p=p,
        p_holm=None,
        effect=hedges_g(found.values),
        test=_tested(arm, reference, common),
        detectable=None,
        dropped=len(set(arm.replicates) ^ set(reference.replicates)),
        verdict="not compared",
        why=_why(arm, reference, found, p),
        drift=_drift(arm, reference, common) - found.mean if arm.lasts and reference.lasts and found.n else 0.0,
    )


def _drift(arm: Arm, reference: Arm, common: Sequence[tuple[int, int]]) -> float:
    """Return the mean difference of the last evaluations."""
    a, b = (dict(zip(each.replicates, each.lasts, strict=True)) for each in (arm, reference))
    return math.fsum(a[each] - b[each] for each in common) / len(common)


def _gap(a: float, b: float) -> float:
    """Return a difference, 0 where it is rounding."""
    return 0.0 if math.isclose(a, b, rel_tol=NOISE) else a - b


def _tested(arm: Arm, reference: Arm, common: Sequence[tuple[int, int]]) -> Estimate | None:
    """Return the difference on the test split; where some trials were not tested, it is not known which."""
    found = []
    for each in (arm, reference):
        if each.test is None or each.test.n != len(each.replicates) or not common:
            return None
        known = dict(zip(each.replicates, each.test.values, strict=True))
        found.append([known[replicate] for replicate in common])
    return estimate([a - b for a, b in zip(*found, strict=True)])


def _detectable(each: Difference, tests: int) -> float | None:
    sd = each.difference.sd
    return None if each.p is None or sd is None else detectable_factor(each.difference.n, ALPHA / tests) * sd


def _why(arm: Arm, reference: Arm, found: Estimate, p: float | None) -> str:
    for each in (arm, reference):
        if not each.finished:
            return f"{each.name} has no finished trial"
    if not found.n:
        return "the two have no seed in common"
    if apart := [f"{each.lost} of {each.trials} trials of {each.name}" for each in (arm, reference) if each.lost]:
        return f"{' and '.join(apart)} do not train, so this is the difference given that both train, and no test of it"
    if found.n == 1 and (alike := [each.name for each in (arm, reference) if each.alike]):
        return f"{NO_SEEDS} in {' and in '.join(alike)}: n = 1, so no interval is claimed"
    if found.n == 1:
        return "one seed in common says nothing of the spread, so no interval is claimed"
    return "" if p is not None else "every seed gave the same difference, so there is no spread to test against"


def _verdict(mean: float, p: float | None, objective: Objective) -> DifferenceVerdict:
    if p is None:
        return "not compared"
    if p > ALPHA:
        return "may be equal"
    return "better" if objective.better(mean, 0.0) else "worse"
