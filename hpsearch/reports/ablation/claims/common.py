"""What the tests of several claims share: arms along a factor, one value per replicate, verdicts by intervals."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from hpsearch.base.words import label, minus
from hpsearch.reports.ablation.arms import name_of
from hpsearch.reports.ablation.claims.claim import ClaimVerdict
from hpsearch.statistics.intervals import Estimate, estimate

T = TypeVar("T")
Replicate: TypeAlias = tuple[int, int]
"""Seed and fold."""


def along_factor(
    items: Sequence[T], key: str, levels: Callable[[T], Mapping[str, object]]
) -> dict[str, list[tuple[float, T]]]:
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
            others = {name: other for name, other in levels(item).items() if name != key}
            groups.setdefault(name_of(others), []).append((float(value), item))
    return {name: sorted(group, key=lambda pair: pair[0]) for name, group in groups.items() if len(group) > 1}


def one_level_only(levels: Iterable[Mapping[str, object]], key: str) -> str:
    """Return ``one batch size only`` where a factor has no two values; empty where it has."""
    return f"one {label(key)} only" if len({each.get(key) for each in levels}) < 2 else ""


def lead(group: str) -> str:
    """Begin what is said of a group of other levels with its name; of the only group with nothing."""
    return f"{group}: " if group else ""


def over_groups(groups: Iterable[Mapping[Replicate, float]]) -> Estimate:
    """Average each replicate over the groups that have it, and return the mean over replicates.

    Args:
        groups: one value per replicate, of each group of other factors; what is not finite is left out.

    Returns:
        One value per replicate: those of one seed in several groups are no independent evidence.
    """
    values: dict[Replicate, list[float]] = {}
    for group in groups:
        for replicate, value in group.items():
            if math.isfinite(value):
                values.setdefault(replicate, []).append(value)
    return estimate([float(np.mean(values[replicate])) for replicate in sorted(values)])


def interval_numbers(name: str, of: Estimate) -> dict[str, float]:
    """Return an estimate as numbers of a claim: its mean under the name, and the ends of its interval; none of none."""
    if not of.n:
        return {}
    shown = of.shown
    interval = {} if shown is None else {f"{name}_low": shown.low, f"{name}_high": shown.high}
    return {name: of.mean, **interval}


def interval_text(of: Estimate, form: str = "z.2f") -> str:
    """Write an estimate with its interval: ``−0.62 (−0.70 to −0.54)``; ``unknown`` without a value."""
    if not of.n:
        return "unknown"
    shown = of.shown
    mean, low, high = (minus(f"{value:{form}}") for value in (of.mean, *((shown.low, shown.high) if shown else (0, 0))))
    return mean if shown is None else f"{mean} ({low} to {high})"


def lies_within(of: Estimate, low: float = -math.inf, high: float = math.inf) -> ClaimVerdict:
    """Return whether a mean lies between two values: by its interval, undecided where that holds one or is missing."""
    shown = of.shown
    if shown is None:
        return ClaimVerdict.UNDECIDED
    return decide(low < shown.low and shown.high < high, shown.high < low or high < shown.low)


def decide(supported: bool, against: bool) -> ClaimVerdict:
    """Return the verdict of a test that may show a claim, or show it wrong, or neither."""
    if supported:
        return ClaimVerdict.SUPPORTED
    return ClaimVerdict.AGAINST if against else ClaimVerdict.UNDECIDED


def together(verdicts: Sequence[ClaimVerdict]) -> ClaimVerdict:
    """Return what several tests of one claim say together: one that fails decides, then one that does not know."""
    return decide(all(v == ClaimVerdict.SUPPORTED for v in verdicts), ClaimVerdict.AGAINST in verdicts)
