"""Main effects and interactions of the factors of an ablation, with the replicates as blocks."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.reports.ablation.arms import Arm, Factor, replicates_in_common, scores
from hpsearch.statistics.comparisons import factorial_deviations, greenhouse_geisser
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
        eta_squared: part of the sum of squares between arms, from 0 to 1.
        f: F statistic, Greenhouse and Geisser's degrees of freedom; nan where nothing varies between replicates.
        freedom: its two degrees of freedom.
        p: its p-value, None where f is nan.
    """

    keys: tuple[str, ...]
    name: str
    cells: tuple[LevelEffect, ...]
    eta_squared: float
    f: float
    freedom: tuple[float, float]
    p: float | None

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
    return Effects(common, tuple(_effect(cells, [varied[i] for i in chosen], chosen) for chosen in sets))


def _effect(cells: NDArray[np.float64], factors: Sequence[Factor], chosen: Sequence[int]) -> Effect:
    deviations = factorial_deviations(cells, chosen)
    repeats = cells[0].size // deviations[0].size
    between = float(np.sum((cells.mean(axis=0) - cells.mean()) ** 2))
    rows = deviations.reshape(len(cells), -1)
    explained = repeats * float(np.sum(rows.mean(axis=0) ** 2))
    f, freedom, p = greenhouse_geisser(rows, math.prod(len(factor.values) - 1 for factor in factors))
    levels = itertools.product(*(factor.values for factor in factors))
    return Effect(
        keys=tuple(factor.key for factor in factors),
        name=" × ".join(factor.name for factor in factors),
        cells=tuple(LevelEffect(each, estimate(column.tolist())) for each, column in zip(levels, rows.T, strict=True)),
        eta_squared=explained / between if between > 0 else 0.0,
        f=f,
        freedom=freedom,
        p=p,
    )
