"""Main effects and interactions of the factors of an ablation, with the replicates as blocks."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.words import count
from hpsearch.reports.ablation.arms import Arm, Factor, replicates_in_common, scores
from hpsearch.reports.ablation.comparisons import Difference, compared
from hpsearch.statistics.comparisons import ALPHA, factorial_deviations, greenhouse_geisser, holm, omega_squared
from hpsearch.statistics.intervals import Estimate, estimate


@dataclass(frozen=True, slots=True)
class LevelEffect:
    """What one level, or one pair of levels, adds.

    Attributes:
        levels: the values, one per factor of the effect.
        deviation: over replicates, how far it moves the score from what lower effects give; in the metric's unit.
    """

    levels: tuple[Any, ...]
    deviation: Estimate


@dataclass(frozen=True, slots=True)
class Effect:
    """The main effect of one factor, or the interaction of two.

    Attributes:
        keys: of the factors.
        name: in words.
        cells: what each level or pair of levels adds; they add up to 0 along every factor.
        omega_squared: share of the variance of all scores, from 0 to 1; None of a single factor: it has no other to be
            compared with.
        f: F statistic, Greenhouse and Geisser's degrees of freedom; nan where nothing varies between replicates.
        freedom: its two degrees of freedom.
        p: its p-value, None where f is nan.
        p_holm: the same, adjusted for all effects of the study.
    """

    keys: tuple[str, ...]
    name: str
    cells: tuple[LevelEffect, ...]
    omega_squared: float | None
    f: float
    freedom: tuple[float, float]
    p: float | None
    p_holm: float | None = None

    @property
    def interaction(self) -> bool:
        """Whether it is one of two factors together."""
        return len(self.keys) > 1


@dataclass(frozen=True, slots=True)
class Effects:
    """The analysis of variance of an ablation.

    Attributes:
        replicates: (seed, fold) that every arm has.
        each: main effects, then interactions of pairs; empty when there is none to compute.
        why: why there is none; empty otherwise.
    """

    replicates: tuple[tuple[int, int], ...]
    each: tuple[Effect, ...]
    why: str = ""


def effects_of(arms: Sequence[Arm], factors: Sequence[Factor]) -> Effects:
    """Take the scores of a full grid of arms apart into main effects and interactions of two factors.

    Replicates are blocks that every arm shares, as subjects are in repeated measures; see `factorial_deviations` and
    `greenhouse_geisser`.

    Args:
        arms: of the study.
        factors: what it varies.

    Returns:
        The effects, or why there are none.
    """
    varied = [factor for factor in factors if factor.varies]
    places = {tuple(arm.levels[factor.key] for factor in varied): arm for arm in arms}
    grid = list(itertools.product(*(factor.values for factor in varied)))
    if not varied:
        return Effects((), (), "no factor varies")
    if any(cell not in places for cell in grid):
        return Effects((), (), "the arms are not the full grid of the factors")
    common = replicates_in_common(list(places.values()))
    if len(common) < 2:
        return Effects(common, (), f"all arms share {len(common)} finished seeds, and two are the least")
    shape = (len(common), *(len(factor.values) for factor in varied))
    cells = np.stack([scores(places[cell], common) for cell in grid], axis=1).reshape(shape)
    sets = [(i,) for i in range(len(varied))] + list(itertools.combinations(range(len(varied)), 2))
    found = [_effect(cells, [varied[i] for i in chosen], chosen) for chosen in sets]
    adjusted = holm([each.p for each in found])
    return Effects(common, tuple(replace(each, p_holm=p) for each, p in zip(found, adjusted, strict=True)))


def _effect(cells: NDArray[np.float64], factors: Sequence[Factor], chosen: Sequence[int]) -> Effect:
    deviations = factorial_deviations(cells, chosen)
    rows = deviations.reshape(len(cells), -1)
    f, freedom, p = greenhouse_geisser(rows, math.prod(len(factor.values) - 1 for factor in factors))
    levels = itertools.product(*(factor.values for factor in factors))
    return Effect(
        keys=tuple(factor.key for factor in factors),
        name=" × ".join(factor.name for factor in factors),
        cells=tuple(LevelEffect(each, estimate(column.tolist())) for each, column in zip(levels, rows.T, strict=True)),
        omega_squared=omega_squared(cells, chosen) if cells.ndim > 2 else None,
        f=f,
        freedom=freedom,
        p=p,
    )


def disagreement(effects: Effects, differences: Sequence[Difference]) -> str:
    """Say where the analysis of variance and the comparisons with the reference disagree; empty where they do not.

    Args:
        effects: of the factors.
        differences: of the arms from the reference.

    Returns:
        A sentence; both are at 5 % after Holm's adjustment.
    """
    shown = [each for each in effects.each if each.p_holm is not None and each.p_holm <= ALPHA]
    differ = [each.arm for each in differences if each.verdict in ("better", "worse")]
    if shown and not differ and compared(differences):
        named = ", ".join(f"{each.name} (p = {each.p_holm:.2g})" for each in shown)
        return (
            f"The analysis of variance finds an effect of {named}, though no arm differs from the reference after "
            "Holm's adjustment: the difference lies between other arms, or is spread over several."
        )
    if differ and effects.each and not shown:
        verb = "differs" if len(differ) == 1 else "differ"
        return (
            f"{count(len(differ), 'arm')} {verb} from the reference after Holm's adjustment, but the analysis of "
            "variance, which asks whether arms differ at all, finds no effect at 5 %: take the difference as a hint."
        )
    return ""
