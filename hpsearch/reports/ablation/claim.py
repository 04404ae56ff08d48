"""A claim about training and what an ablation says of it; what the tests of all claims share."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from hpsearch.base.words import label
from hpsearch.reports.ablation.arms import named
from hpsearch.statistics.intervals import Estimate, estimate

T = TypeVar("T")
Replicate: TypeAlias = tuple[int, int]
"""Seed and fold."""
BATCH, MOMENTUM, RATE = "data.batch_size", "optimizer.momentum", "optimizer.lr"
ClaimVerdict = Literal["supported", "not supported", "undecided on this data"]
SUPPORTED: ClaimVerdict = "supported"
AGAINST: ClaimVerdict = "not supported"
UNDECIDED: ClaimVerdict = "undecided on this data"

STATEMENTS: Mapping[int, str] = {
    1: "The best effective rate lr / (1 - momentum) is the same for every momentum, within one step of the grid.",
    2: "The edge of stability is not constant in lr / (1 - momentum): a large momentum tolerates more.",
    3: "The noise scale lr N / (B (1 - momentum)) is what counts: the best rate is proportional to the batch size.",
    4: "Updates to a target fall with batch size, at first in proportion, then less and less; when every arm is "
    "retuned, nothing shows that large batches generalize worse.",
    5: "(S / S_min - 1) (E / E_min - 1) = 1 relates updates and examples to a target; its corner is the critical batch "
    "size.",
    6: "Time per epoch falls with batch size until the device is full; time per update is flat until then.",
    7: "Validation loss is lowest before validation accuracy is highest: pruning on one or the other differs.",
}
"""What is claimed, by number."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and what the data say of it.

    Attributes:
        number: of the claim, 1 to 7.
        verdict: ``supported``, ``not supported`` or ``undecided on this data``.
        sentence: why, with the numbers; where it cannot be tested, what is missing.
        numbers: the evidence, by name; ends of 95 % intervals are named ``..._low`` and ``..._high``.
        series: what `hpsearch.reports.ablation.claim_figures` draws of it; empty where it cannot be tested.
    """

    number: int
    verdict: ClaimVerdict
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)

    @property
    def statement(self) -> str:
        """What is claimed, in one sentence."""
        return STATEMENTS[self.number]


def along(items: Sequence[T], key: str, levels: Callable[[T], Mapping[str, Any]]) -> dict[str, list[tuple[float, T]]]:
    """Group items that differ in one numeric factor alone.

    Args:
        items: arms, or what belongs to one.
        key: of the factor.
        levels: the factors of an item.

    Returns:
        By the other levels in words, (value, item) in ascending order; groups with one value are left out.
    """
    groups: dict[str, list[tuple[float, T]]] = {}
    for item in items:
        value = levels(item).get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            rest = {name: other for name, other in levels(item).items() if name != key}
            groups.setdefault(named(rest), []).append((float(value), item))
    return {name: sorted(group, key=lambda pair: pair[0]) for name, group in groups.items() if len(group) > 1}


def one_only(levels: Iterable[Mapping[str, Any]], key: str) -> str:
    """Return ``one batch size only`` where a factor has no two values; empty where it has."""
    return f"one {label(key)} only" if len({each.get(key) for each in levels}) < 2 else ""


def over_groups(groups: Iterable[Mapping[Replicate, float]]) -> Estimate:
    """Average each replicate over the groups that have it, and return the mean over replicates.

    Args:
        groups: one value per replicate, of each group of other factors; what is not finite is left out.

    Returns:
        One value per replicate: those of one seed in several groups are no independent evidence.
    """
    found: dict[Replicate, list[float]] = {}
    for group in groups:
        for replicate, value in group.items():
            if math.isfinite(value):
                found.setdefault(replicate, []).append(value)
    return estimate([float(np.mean(found[replicate])) for replicate in sorted(found)])


def ends(name: str, found: Estimate) -> dict[str, float]:
    """Return an estimate as numbers of a claim: its mean under the name, and the ends of its interval; none of none."""
    if not found.n:
        return {}
    shown = found.shown
    interval = {} if shown is None else {f"{name}_low": shown.low, f"{name}_high": shown.high}
    return {name: found.mean, **interval}


def between(found: Estimate, form: str = "z.2f") -> str:
    """Write an estimate with its interval: ``-0.62 (-0.70 to -0.54)``; ``unknown`` without a value."""
    if not found.n:
        return "unknown"
    shown = found.shown
    interval = "" if shown is None else f" ({shown.low:{form}} to {shown.high:{form}})"
    return f"{found.mean:{form}}{interval}"


def within(found: Estimate, low: float = -math.inf, high: float = math.inf) -> ClaimVerdict:
    """Return whether a mean lies between two values: by its interval, undecided where that holds one or is missing."""
    shown = found.shown
    if shown is None:
        return UNDECIDED
    if low < shown.low and shown.high < high:
        return SUPPORTED
    return AGAINST if shown.high < low or high < shown.low else UNDECIDED


def both(verdicts: Sequence[ClaimVerdict]) -> ClaimVerdict:
    """Return what several tests of one claim say together: one that fails decides, then one that does not know."""
    return next((each for each in (AGAINST, UNDECIDED) if each in verdicts), SUPPORTED)
