"""How many parameters the arms have: whether they are compared at equal parameters."""

from collections.abc import Iterator

from hpsearch.base import words
from hpsearch.reports.ablation.answers.texts import Answer, Item, joined
from hpsearch.reports.ablation.numbers import Ablation

EQUAL = 0.02
"""Counts that differ by no more than this share of the smallest are equal."""


def parameters(found: Ablation) -> Iterator[Answer]:
    """Say how many parameters each arm has, where they differ."""
    counts = {arm.name: arm.parameters for arm in found.arms if arm.parameters is not None}
    if len(set(counts.values())) < 2 or min(counts.values()) < 1:
        return
    low, high = min(counts.values()), max(counts.values())
    items = [Item(count, name, f"{count:,}", f"{count:,}") for name, count in counts.items()]
    if high <= (1 + EQUAL) * low:
        said = f"equal within {100 * EQUAL:.0f} %"
    else:
        said = f"{words.number(high / low)} times apart, so that arms may differ by their size"
    yield Answer("Parameters", f"The numbers of parameters are {joined(items)}: {said}.")
