"""Something measured of every trial of the arms, each arm against the reference over the replicates that both have."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpsearch.reports.ablation.arms import Arm
from hpsearch.statistics.comparisons import ALPHA, holm, paired_p
from hpsearch.statistics.intervals import Estimate, estimate

Replicate = tuple[int, int]
"""Seed and fold."""
Measured = Mapping[str, Mapping[Replicate, float]]
"""By the name of the arm what was measured of each of its trials."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """An arm minus the reference arm, paired by seed and fold.

    Attributes:
        arm: name of the arm.
        difference: arm minus reference; of logarithms, see `contrasts`, the logarithm of their ratio.
        p_holm: p-value of the paired t test, adjusted by Holm for all arms; None where it was not tested.
    """

    arm: str
    difference: Estimate
    p_holm: float | None

    @property
    def direction(self) -> int:
        """1 where it is larger at the 5 % level, -1 where it is smaller, 0 where that is not shown."""
        if self.p_holm is None or self.p_holm > ALPHA:
            return 0
        return 1 if self.difference.mean > 0 else -1


def contrasts(measured: Measured, reference: Arm | None, *, logarithms: bool = False) -> tuple[Contrast, ...]:
    """Compare every arm with the reference.

    Args:
        measured: of all arms.
        reference: the arm that they are compared with; None for none.
        logarithms: compare logarithms, so that differences are those of ratios; values must be positive.

    Returns:
        One record per other arm that shares a replicate with the reference, in their order.
    """
    own = {} if reference is None else measured.get(reference.name, {})
    found = [
        (name, estimate(_gaps(values, own, logarithms)))
        for name, values in measured.items()
        if reference is not None and name != reference.name and set(values) & set(own)
    ]
    adjusted = holm([paired_p(each.values) for _, each in found])
    return tuple(Contrast(name, each, p) for (name, each), p in zip(found, adjusted, strict=True))


def _gaps(values: Mapping[Replicate, float], reference: Mapping[Replicate, float], logarithms: bool) -> Sequence[float]:
    of = math.log if logarithms else float
    return [of(values[each]) - of(reference[each]) for each in sorted(set(values) & set(reference))]
