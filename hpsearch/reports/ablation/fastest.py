"""Which arm is the fastest, and which may be as fast."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.contrasts import Contrast, contrasts
from hpsearch.reports.ablation.costs import Cost
from hpsearch.statistics.best import Standing, set_of_best

TRAINING = "training"
"""Seconds of the whole training; the other units are those of the way to a target."""


@dataclass(frozen=True, slots=True)
class Race:
    """How much of a unit the arms need, and which needs the least.

    Attributes:
        unit: ``epochs``, ``updates`` or ``seconds`` to the target, or ``training``: seconds of the whole training.
        arms: that can be compared: every trial of theirs gets there, and trained.
        standing: of each, the one that needs the least is "highest".
        least: that one's name; empty where nothing can be compared.
        ratios: logarithm of what each arm needs over what the reference needs, paired.
    """

    unit: str
    arms: tuple[str, ...]
    standing: tuple[Standing, ...]
    least: str
    ratios: tuple[Contrast, ...]

    @property
    def rivals(self) -> list[str]:
        """The arms that may need as little."""
        pairs = zip(self.arms, self.standing, strict=True)
        return [name for name, each in pairs if each in ("equal", "may be as good") and name != self.least]


def race(arms: Sequence[Arm], costs: Sequence[Cost], unit: str, reference: Arm | None) -> Race:
    """Find the arm that needs the least, and those that may need as little.

    Logarithms are compared, all arms at once, seeds as blocks: `hpsearch.statistics.best.set_of_best`.

    Args:
        arms: of the study.
        costs: theirs, in the same order.
        unit: what is counted.
        reference: the arm that ratios are over.

    Returns:
        The record; arms of which a trial does not train, misses the target or has no time are left out.
    """
    measured = {
        arm.name: found
        for arm, cost in zip(arms, costs, strict=True)
        if not arm.lost and (found := _amounts(arm, cost, unit)) is not None
    }
    shared = sorted(set.intersection(*map(set, measured.values()))) if measured else []
    names = tuple(measured)
    ratios = contrasts(measured, reference, logarithms=True)
    if len(names) < 2 or len(shared) < 2:
        return Race(unit, names, (), "", ratios)
    values = -np.log([[measured[name][each] for each in shared] for name in names])
    standing = set_of_best(values).standing
    least = names[standing.index("highest")]
    return Race(unit, names, _agreeing(names, standing, least, ratios, reference), least, ratios)


def _agreeing(
    names: Sequence[str], standing: Sequence[Standing], least: str, ratios: Sequence[Contrast], reference: Arm | None
) -> tuple[Standing, ...]:
    """Return what is known of each arm, none called slower than the least where the paired comparison does not show it.

    Spreads are pooled over the arms in the one and not in the other, so that they may differ; both stand on a page.
    """
    own = "" if reference is None else reference.name
    shown = {each.arm: each.direction for each in ratios if each.difference.sd}
    undecided = {name for name in names if least in (own, name) or name == own}
    return tuple(
        "may be as good"
        if each == "worse" and name in undecided and shown.get(name if least == own else least) == 0
        else each
        for name, each in zip(names, standing, strict=True)
    )


def _amounts(arm: Arm, cost: Cost, unit: str) -> dict[tuple[int, int], float] | None:
    """Return what each trial of an arm needed; None where that of one is not known, not reached or not positive."""
    if unit == TRAINING:
        found = dict(zip(cost.timed, cost.seconds.values, strict=True))
    else:
        times = cost.to_target.get(unit)
        if times is None or times.missed:
            return None
        found = dict(zip(times.replicates, times.values, strict=True))
    usable = all(math.isfinite(value) and value > 0 for value in found.values())
    return {each: found[each] for each in arm.replicates} if usable and set(arm.replicates) <= set(found) else None


def in_rounds(table: TrialTable, arms: Sequence[Arm], replicates: Collection[tuple[int, int]] = ()) -> bool:
    """Whether the trials of the arms were started in rounds over all arms, so that a slow hour slows all of them.

    Args:
        table: the study.
        arms: whose trials.
        replicates: (seed, fold) of those that count; all where none is named.

    Returns:
        Whether each was started when at most one of a later round was running already: with several workers the last
        of a round and the first of the next one start side by side.
    """
    trials = table.trials[table.trials["point"].isin([arm.point for arm in arms])].sort_values("started")
    order = list(zip(trials["seed"].tolist(), trials["fold"].tolist(), strict=True))
    counted = set(replicates or order)
    rounds = {each: place for place, each in enumerate(dict.fromkeys(each for each in order if each in counted))}
    places = [rounds[each] for each in order if each in counted]
    return all(sum(other > own for other in places[:place]) <= 1 for place, own in enumerate(places))
