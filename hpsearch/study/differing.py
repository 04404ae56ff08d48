"""Two curves of one trial compared value by value, bit for bit: what differs, in the order in which it happened."""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hpsearch.base.replicates import MEASURED
from hpsearch.base.types import Report
from hpsearch.base.words import epoch_text

STEP_LOSS = "train/loss"
"""What the record holds of single steps."""

_Values: TypeAlias = Mapping[tuple[int, int, str], float]
"""By step, order within it, and name: a step's loss comes before what is evaluated after it."""
_LOSS, _END, _METRIC = range(3)


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is not the same, or a report that only one curve has.

    Attributes:
        epoch: of the report that holds it.
        step: updates until then.
        name: of the metric; empty for a whole report.
        logged: on record; nan where it is not there.
        now: of the training again; nan where it is not there.
        at: whether it is of the step rather than of the epoch so far.
    """

    epoch: float
    step: int
    name: str = ""
    logged: float = math.nan
    now: float = math.nan
    at: bool = False

    @property
    def line(self) -> str:
        """What differs, in one line."""
        if not self.name:
            return f"epoch {epoch_text(self.epoch)}: only in {'this run' if math.isnan(self.logged) else 'the record'}"
        where = f" at step {self.step}" if self.at else ""
        return f"epoch {epoch_text(self.epoch)}: {self.name}{where} logged {self.logged:.9g}, now {self.now:.9g}"

    @property
    def size(self) -> float:
        """The absolute difference; infinite where one of both is no finite number; 0 of a whole report."""
        if not self.name:
            return 0.0
        return abs(self.now - self.logged) if math.isfinite(self.now - self.logged) else math.inf


def differences(logged: Sequence[Report], again: Sequence[Report]) -> list[Difference]:
    """Compare two curves; metrics that measure the machine are left out.

    Args:
        logged: the reports on record.
        again: those of the training again.

    Returns:
        Every difference in the order of updates: of one update its loss first, then what was evaluated after it.
    """
    found: list[Difference] = []
    theirs, ours = ({report.epoch: report for report in curve} for curve in (logged, again))
    for epoch in sorted(theirs.keys() | ours.keys()):
        if epoch not in theirs or epoch not in ours:
            found.append(_alone(theirs.get(epoch), ours.get(epoch)))
            continue
        found += _between(epoch, _values(theirs[epoch]), _values(ours[epoch]))
    return found


def _alone(logged: Report | None, again: Report | None) -> Difference:
    """Return the difference of a report that one curve lacks."""
    if logged is not None:
        return Difference(logged.epoch, logged.step, logged=logged.epoch)
    assert again is not None, "a report of neither"
    return Difference(again.epoch, again.step, now=again.epoch)


def _between(epoch: float, theirs: _Values, ours: _Values) -> Iterator[Difference]:
    for key in sorted(theirs.keys() | ours.keys()):
        old, new = theirs.get(key, math.nan), ours.get(key, math.nan)
        if old != new and not (math.isnan(old) and math.isnan(new)):
            step, order, name = key
            yield Difference(epoch, step, name, old, new, at=order != _METRIC)


def _values(report: Report) -> _Values:
    """Return the values of a report that must come out the same again."""
    metrics = {(report.step, _METRIC, k): v for k, v in report.metrics.items() if not k.endswith(MEASURED)}
    ends = {(step, _END, name): value for step, values in report.end for name, value in values.items()}
    return metrics | ends | {(step, _LOSS, STEP_LOSS): loss for step, loss in report.steps}


def first_difference(found: Sequence[Difference], logged: Sequence[Report]) -> str:
    """Say where two curves part.

    Args:
        found: their differences, at least one.
        logged: the reports on record.

    Returns:
        Step or epoch, quantity, both values and how far they are apart, and what on record before them is the same.
    """
    first = found[0]
    where = f"step {first.step} (epoch {epoch_text(first.epoch)})" if first.at else f"epoch {epoch_text(first.epoch)}"
    if not first.name:
        return first.line
    said = f"{where}: {first.name} {first.logged:.9g} on record, {first.now:.9g} now, {distance(first)}"
    return "; ".join(filter(None, (said, _before(first, logged))))


def distance(found: Difference) -> str:
    """Say how far two values are apart: in units in the last place where both are float32, and relatively."""
    old, new = found.logged, found.now
    if not math.isfinite(found.size):
        return "not both finite"
    relative = f"relative {abs(new - old) / abs(old):.2g}" if old else f"apart by {abs(new - old):.2g}"
    places = [_place(value) for value in (old, new)]
    if None in places:
        return relative
    first, second = (place for place in places if place is not None)
    return f"{abs(first - second)} ulp of float32 ({relative})"


def _place(value: float) -> int | None:
    """Return the number of a float32 among all of them, in order; None for a number that is none."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return None
    if struct.unpack("<f", packed)[0] != value:
        return None
    bits = int.from_bytes(packed, "little")
    return bits if bits < 2**31 else 2**31 - bits


def _before(first: Difference, logged: Sequence[Report]) -> str:
    """Say which losses of steps before a difference are on record, and so the same."""
    steps = [step for report in logged for step, _ in report.steps]
    before = [step for step in steps if step < first.step or (step == first.step and not first.at)]
    if not steps:
        return "losses of single steps are not on record"
    if not before:
        return "nothing before it is on record" if first.step > 1 else ""
    last = max(before)
    gap = first.step - last - 1 if first.at else 0
    between = "that of the step between is" if gap == 1 else f"those of {gap} steps between are"
    same = f"the {len(before)} losses on record until step {last} are the same"
    return f"{same}, {between} not on record" if gap > 0 else same
