"""What a gate found wrong, and the finding that several such things make."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.study.stages.base import Finding, Verdict

_WORST_FIRST = (Verdict.FAIL, Verdict.WARN)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        cause: its name, from the list of the stage.
        sentence: what was seen, with its numbers.
        action: what to change, in one sentence.
        verdict: how bad it is.
    """

    cause: str
    sentence: str
    action: str
    verdict: Verdict = Verdict.FAIL


def finding(
    faults: Sequence[Fault],
    sound: str,
    numbers: Mapping[str, str | int | float],
    series: Mapping[str, Any] | None = None,
) -> Finding:
    """Return what a gate found: the cause and the action are those of the worst fault, of equal ones the first.

    Args:
        faults: all that is wrong.
        sound: the sentence when nothing is.
        numbers: the evidence; what is infinite or no number is left out.
        series: for the report.

    Returns:
        The finding; its sentence names every fault.
    """
    numbers = {name: value for name, value in numbers.items() if isinstance(value, str) or math.isfinite(value)}
    if not faults:
        return Finding(Verdict.PASS, sound, numbers, series=series or {})
    ranked = sorted(faults, key=lambda fault: _WORST_FIRST.index(fault.verdict))
    sentence = "; ".join(fault.sentence for fault in ranked)
    return Finding(ranked[0].verdict, sentence, numbers, ranked[0].cause, ranked[0].action, series=series or {})


def shown(names: Sequence[str], most: int = 3) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
