"""Claims about batch size, momentum and learning rate, held against what an ablation measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ClaimVerdict = Literal["supported", "not supported", "undecided on this data"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and what the data say of it.

    Attributes:
        number: of the claim, 1 to 7.
        statement: what is claimed, in one sentence.
        verdict: ``supported``, ``not supported`` or ``undecided on this data``.
        sentence: why, with the numbers.
        numbers: the evidence, by name; ends of 95 % intervals are named ``..._low`` and ``..._high``.
        series: what a figure shows of it: lists of equal length by name.
    """

    number: int
    statement: str
    verdict: ClaimVerdict
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)
