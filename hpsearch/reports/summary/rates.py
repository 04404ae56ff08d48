"""Which values of a hyperparameter train, which are too slow, and where trainings fail."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.kit.training import verdicts_along
from hpsearch.statistics.crossed import FEWEST_SEEDS
from hpsearch.statistics.edge import failure_edge
from hpsearch.statistics.intervals import Interval
from hpsearch.statistics.training import Verdict


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of the trials at one value, of those that diverged or came to their end.

    Attributes:
        value: of the hyperparameter.
        trains: how many trained.
        slow: at how many it was too slow.
        fails: how many failed.
    """

    value: float
    trains: int
    slow: int
    fails: int

    @property
    def n(self) -> int:
        """How many trials are known."""
        return self.trains + self.slow + self.fails

    @property
    def word(self) -> Verdict:
        """What most of them did; of as many the worse."""
        if 2 * self.fails >= self.n:
            return "fails"
        return "too slow" if 2 * self.slow >= self.n else "trains"


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest value of a contiguous run of tried values."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Edge:
    """Where half of the seeds fail, see `hpsearch.statistics.edge.failure_edge`.

    Attributes:
        side: whether they fail above or below it.
        estimate: the value.
        interval: of it; None with fewer than three seeds. An end is infinite, or 0, where nothing tried bounds it.
    """

    side: Literal["above", "below"]
    estimate: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Rates:
    """What values of one hyperparameter do, the others held at the best point's.

    Attributes:
        axis: the hyperparameter.
        tried: what became of each value, ascending.
        trains: the run of values around the best one at which every trial trains; None where the best does not.
        edges: at most one above and one below.
        best: value of the best point; None without one.
        line: the value of each point that is among these.
    """

    axis: Axis
    tried: tuple[Tried, ...]
    trains: Range | None
    edges: tuple[Edge, ...]
    best: float | None
    line: Mapping[int, float]

    @property
    def first(self) -> Tried | None:
        """The first value from the best one up, without one the least, at which a seed fails."""
        return next((each for each in self.tried if each.fails and each.value >= (self.best or -math.inf)), None)

    @property
    def slow(self) -> float | None:
        """The largest value up to which, from the least on, every one is too slow for most seeds."""
        reached = None
        for each in self.tried:
            if each.word != "too slow":
                break
            reached = each.value
        return reached


def rates_of(table: TrialTable, axis: Axis, params: Mapping[int, Mapping[str, Any]], best: int | None) -> Rates | None:
    """Return what the values of one numeric hyperparameter do.

    Only points that share every other hyperparameter with the best point are read. Source: the practice of a
    learning-rate sweep, https://arxiv.org/abs/1506.01186; the words are those of `hpsearch.statistics.training`.

    Args:
        table: the study.
        axis: a numeric hyperparameter.
        params: the hyperparameters of each point.
        best: the best point; None where no point is one: all are read of a study that searched nothing else.

    Returns:
        The words of each value and the edges; None when no other value was tried there.
    """
    beside = params[best] if best is not None else {axis.key: None}
    line = {p: float(v[axis.key]) for p, v in params.items() if _same_line(v, beside, axis.key)}
    if len(set(line.values())) < 2:
        return None
    counts: dict[float, dict[Verdict | None, int]] = defaultdict(lambda: defaultdict(int))
    for (point, *_), word in verdicts_along(table, axis.key, line).items():
        counts[line[point]][word] += word is not None
    tried = tuple(
        Tried(value, each["trains"], each["too slow"], each["fails"])
        for value, each in sorted(counts.items())
        if sum(each.values())
    )
    at = line[best] if best is not None else None
    return Rates(axis, tried, None if at is None else _around(at, tried), _edges(axis, tried), at, line)


def _same_line(a: Mapping[str, Any], b: Mapping[str, Any], key: str) -> bool:
    return key in a and key in b and {**a, key: None} == {**b, key: None}


def _around(best: float, tried: Sequence[Tried]) -> Range | None:
    whole = {each.value: each.trains == each.n for each in tried}
    if not whole.get(best):
        return None
    reached = {best}
    for outward in (sorted(v for v in whole if v > best), sorted((v for v in whole if v < best), reverse=True)):
        for value in outward:
            if not whole[value]:
                break
            reached.add(value)
    return Range(min(reached), max(reached))


def _edges(axis: Axis, tried: Sequence[Tried]) -> tuple[Edge, ...]:
    sides: tuple[tuple[Literal["above", "below"], int], ...] = (("above", 1), ("below", -1))
    return tuple(edge for side, sign in sides if (edge := _edge(axis, side, sign, tried)))


def _edge(axis: Axis, side: Literal["above", "below"], sign: int, tried: Sequence[Tried]) -> Edge | None:
    ordered = tried[::sign]
    n = [each.n for each in ordered]
    found = failure_edge([sign * axis.place(each.value) for each in ordered], [each.fails for each in ordered], n)
    if found is None:
        return None
    ends = sorted(axis.unplace(sign * end) for end in (found.interval.low, found.interval.high))
    interval = Interval(ends[0], ends[1], found.interval.level, found.interval.method)
    return Edge(side, axis.unplace(sign * found.place), interval if min(n) >= FEWEST_SEEDS else None)
