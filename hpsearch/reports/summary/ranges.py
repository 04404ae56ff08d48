"""Whether the ranges were right and the region of the best point was searched: edges, extensions, points nearby."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpsearch.base.types import Objective
from hpsearch.base.widening import Widening
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis

FEW = 5  # fewer points near the best leave its region hardly searched
ENOUGH = 20  # points from which on that is a finding


@dataclass(frozen=True, slots=True)
class Near:
    """The points whose score is close to the best.

    Attributes:
        points: their numbers, the best itself among them.
        of: how many points were compared.
        tolerance: how far from the best mean still counts.
        rule: what the tolerance is, in words.
        replicated: whether it is a spread between replicates; another one says nothing of how few are near.
    """

    points: tuple[int, ...]
    of: int
    tolerance: float
    rule: str
    replicated: bool

    @property
    def few(self) -> bool:
        """Whether the region around the best is hardly searched although there were points enough."""
        return self.replicated and len(self.points) < FEW and self.of >= ENOUGH


def ranged(axes: Sequence[Axis], study: Mapping[str, Any]) -> tuple[Axis, ...]:
    """Return the hyperparameters that were searched for their best value, so that an edge is worth a word.

    Args:
        axes: what varies in a study.
        study: what it recorded of itself.

    Returns:
        All of them; of an ablation not its factors, whose values are what is compared, and in the study of its arms
        and where a recipe confirms, on the test samples too, none: there the values were found before.
    """
    config = study.get("config") or {}
    factors = (config.get("ablation") or {}).get("factors") or ()
    tested = (config.get("trainer") or {}).get("test", False)
    if (factors or tested) and study.get("sampler") == "Manual":
        return ()
    return tuple(axis for axis in axes if axis.key not in factors)


def extensions_of(study: Mapping[str, Any]) -> tuple[Widening, ...]:
    """Return how the ranges of a study were widened and what was taken back, in the order in which it happened."""
    return tuple(map(Widening.of, study.get("extensions") or ()))


def near_best(best: Point | None, eligible: Sequence[Point], objective: Objective) -> Near | None:
    """Return the points near the best.

    Near is within the typical spread between replicates (the median of the points' standard deviations); with one
    replicate there is none, and near is within a tenth of the way from the best to the median point.

    Args:
        best: the best point.
        eligible: the points that are compared.
        objective: what it optimizes.

    Returns:
        The points; None with fewer than two to compare.
    """
    if best is None or best.mean is None or len(eligible) < 2:
        return None
    means = [p.mean for p in eligible if p.mean is not None]
    spreads = [p.sd for p in eligible if p.sd is not None]
    if spreads:
        tolerance, rule = float(np.median(spreads)), "the typical sd between replicates"
    else:
        tolerance = abs(best.mean - float(np.median(means))) / 10
        rule = "a tenth of the way from the best to the median point"
    sign = 1.0 if objective.maximize else -1.0
    close = [p.point for p in eligible if p.mean is not None and sign * (best.mean - p.mean) <= tolerance]
    return Near(tuple(close), len(eligible), tolerance, rule, bool(spreads))
