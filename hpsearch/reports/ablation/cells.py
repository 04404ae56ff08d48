"""Cells that the tables of an ablation share: means with their evidence, differences, p-values, times."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.base import words
from hpsearch.reports.ablation.costs import TimeToTarget
from hpsearch.reports.ablation.sentences import method
from hpsearch.reports.kit.cells import NONE, Cell
from hpsearch.reports.kit.texts import signed_interval
from hpsearch.statistics.crossed import FEWEST_SEEDS
from hpsearch.statistics.intervals import Estimate, Interval


def mean(found: Estimate) -> Cell:
    """Return a mean with as many decimals as its spread deserves."""
    return Cell(words.score(found.mean, found.sd).split(" ")[0], found.mean) if found.n else NONE


def setting(params: Mapping[str, Any], key: str) -> Cell:
    """Return a tuned value, told from those of other points; a dash where it was not tuned."""
    return Cell(words.written(params)[key], sorts(params[key])) if key in params else NONE


def sorts(value: Any) -> float | None:
    """Return what a value sorts by; None where it is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def count(value: int) -> Cell:
    """Return a whole number."""
    return Cell(str(value), value)


def evidence(found: Estimate) -> Sequence[Cell]:
    """Return mean, sd and interval; a method over seeds stands beside the interval."""
    shown, sd = found.shown, found.sd
    if sd is None:
        return mean(found), NONE, Cell("one seed: none") if found.n else NONE
    spread = Cell(words.precision(found.mean, sd).write(sd), sd)
    if shown is None:
        return mean(found), spread, Cell("too few: none" if found.n < FEWEST_SEEDS else "no spread: none")
    ends, how = words.interval(shown.low, shown.high, found.mean, sd), method(found).strip()
    return mean(found), spread, Cell(f"{ends} ({how})" if how else ends, shown.high - shown.low)


def interval_cell(found: Estimate, interval: Interval | None) -> Cell:
    """Return the interval of a difference with its method."""
    if interval is None:
        return NONE
    _, low, high = signed_interval(found.mean, interval)
    which = "t" if interval is found.t else "BCa"
    return Cell(f"{low} to {high} ({which})", interval.high - interval.low)


def p_cell(p: float | None) -> Cell:
    """Return a p-value with two digits."""
    return NONE if p is None else Cell("< .001" if p < 0.001 else f"{p:.2g}", p)


def difference_cell(found: Estimate | None) -> Cell:
    """Return a difference with its interval in one cell."""
    if found is None or not found.n:
        return NONE
    if found.shown is None:
        return Cell(words.precision(found.mean).write(found.mean, "+"), found.mean)
    size, low, high = signed_interval(found.mean, found.shown)
    return Cell(f"{size} ({low} to {high})", found.mean)


def time_cell(found: Estimate) -> Cell:
    """Return a mean of seconds in its natural unit."""
    return Cell(words.duration(found.mean), found.mean) if found.n else NONE


def target_cell(to_target: Mapping[str, TimeToTarget], unit: str) -> Cell:
    """Return the median to the target, with how many did not get there: those are counted, not left out."""
    times = to_target.get(unit)
    if times is None or not times.n:
        return NONE
    missed = f"not reached in {times.missed} of {times.n}"
    if times.median is None:
        return Cell(missed)
    shown = words.duration(times.median) if unit == "seconds" else words.number(times.median)
    return Cell(f"{shown} ({missed})" if times.missed else shown, times.median)
