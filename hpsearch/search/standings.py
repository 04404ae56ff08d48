"""Points in the order in which a pruner compares them: how one stands is known without a look at every other."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias

from hpsearch.base.types import TrialState
from hpsearch.search.candidates import LOST, Candidate, Prefix, ahead, best_of, peers
from hpsearch.search.hedge import is_end, worth_of_ranks

Kind: TypeAlias = int | None
"""How long points train that are compared with each other; None: unknown."""


class Group(Protocol):
    """The points that wait at an epoch, and those that came there.

    Equal curves up to there are one trained prefix: who repeats one that went on is not new.
    """

    def best(self, repeated: bool = False) -> Candidate | None:
        """Return the best that waits and is new, or repeats one that went on; the lowest of equal ones."""
        ...

    def rank(self, candidate: Candidate) -> int:
        """Return how many curves were better there; equal ones up to there are one."""
        ...

    def repeats(self, candidate: Candidate) -> bool:
        """Return whether a point that came there repeats the curve of another one that went on."""
        ...


@dataclass(frozen=True, slots=True)
class _Entry:
    """A point at an epoch that it came to."""

    prefix: Prefix
    score: float
    counts: bool
    went_on: bool
    waits: bool


class _Table:
    """Those of one kind that came to an epoch, in order of their score there, which is one number."""

    def __init__(self, kind: Kind, epoch: int, standings: "Standings") -> None:
        self._kind, self._epoch, self._standings = kind, epoch, standings
        self._entries: dict[int, _Entry] = {}
        self._curves: Counter[Prefix] = Counter()
        self._went_on: Counter[Prefix] = Counter()
        self._scores: list[float] = []
        self._waiting: dict[bool, list[tuple[float, int]]] = {False: [], True: []}
        self._alike: dict[Prefix, set[tuple[float, int]]] = {}

    def update(self, candidate: Candidate, since: float = 0) -> None:
        """Take in how a point stands, whose scores before epoch `since` are as they were."""
        before = self._entries.pop(candidate.point, None)
        entry = self._entry(candidate, before if since > self._epoch else None)
        if entry is not None:
            self._entries[candidate.point] = entry
        if entry != before:
            if before is not None:
                self._count(before, candidate.point, -1)
            if entry is not None:
                self._count(entry, candidate.point, 1)

    def _entry(self, candidate: Candidate, before: _Entry | None) -> _Entry | None:
        score = candidate.at(self._epoch) if before is None else before.score
        if score is None:
            return None
        return _Entry(
            candidate.prefix(self._epoch) if before is None else before.prefix,
            score,
            counts=candidate.state not in LOST,
            went_on=candidate.went_on_from(self._epoch),
            waits=candidate.state is TrialState.PAUSED and candidate.epoch == self._epoch,
        )

    def _count(self, entry: _Entry, point: int, sign: int) -> None:
        if entry.counts:
            was = self._curves[entry.prefix]
            self._curves[entry.prefix] += sign
            if not was:
                insort(self._scores, entry.score)
            elif was + sign == 0:
                del self._curves[entry.prefix], self._scores[bisect_left(self._scores, entry.score)]
            if entry.went_on and len(entry.prefix) > 1:
                self._count_went_on(entry.prefix, sign)
        if entry.waits:
            place, waiting = (-entry.score, point), self._waiting[self._went_on[entry.prefix] > 0]
            if sign > 0:
                insort(waiting, place)
                self._alike.setdefault(entry.prefix, set()).add(place)
            else:
                del waiting[bisect_left(waiting, place)]
                self._alike[entry.prefix].remove(place)

    def _count_went_on(self, prefix: Prefix, sign: int) -> None:
        """Count a curve that went on; those that wait with the same one repeat it, or are new again."""
        was = self._went_on[prefix] > 0
        self._went_on[prefix] += sign
        if (now := self._went_on[prefix] > 0) is not was:
            for place in self._alike.get(prefix, ()):
                del self._waiting[was][bisect_left(self._waiting[was], place)]
                insort(self._waiting[now], place)

    def best(self, repeated: bool = False) -> Candidate | None:
        """See `Group`; a single report may be equal by chance, so then all are new."""
        there = [self._waiting[repeated]]
        if any(self._waiting.values()) and len(self._standings.first_waiting(self._kind, self._epoch).scores) <= 1:
            there = [] if repeated else [*self._waiting.values()]
        first = min((places[0] for places in there if places), default=None)
        return None if first is None else self._standings[first[1]]

    def rank(self, candidate: Candidate) -> int:
        """See `Group`."""
        score = candidate.scores.get(self._epoch, math.inf)
        return len(self._scores) - bisect_right(self._scores, score)

    def repeats(self, candidate: Candidate) -> bool:
        """See `Group`."""
        entry = self._entries[candidate.point]
        return self._went_on[entry.prefix] > (entry.counts and entry.went_on)


class _Fronts:
    """The same by several objectives, whose order is that of non-dominated fronts: worked out anew every time."""

    def __init__(self, kind: Kind, epoch: int, standings: "Standings") -> None:
        complete = TrialState.COMPLETE
        self._came = {n: each for n, each in standings.items() if each.last >= epoch or each.state is complete}
        waiting = [each for each in self._came.values() if each.state is TrialState.PAUSED]
        self._waiting = [each for each in waiting if (each.epochs, each.epoch) == (kind, epoch)]
        self._went_on: set[Prefix] = set()
        if self._waiting and len(self._waiting[0].scores) > 1:
            others = peers(self._waiting[0], self._came)
            self._went_on = {each.prefix(epoch) for each in others if each.went_on_from(epoch)}
        self._epoch = epoch

    def best(self, repeated: bool = False) -> Candidate | None:
        """See `Group`."""
        there = [each for each in self._waiting if self._repeats(each) is repeated]
        return best_of(there, self._came)

    def _repeats(self, candidate: Candidate) -> bool:
        prefix = candidate.prefix(self._epoch)
        return len(prefix) > 1 and prefix in self._went_on

    def rank(self, candidate: Candidate) -> int:
        """See `Group`."""
        return len({each.prefix(self._epoch) for each in ahead(candidate, self._came)})

    def repeats(self, candidate: Candidate) -> bool:
        """See `Group`."""
        prefix = candidate.prefix(self._epoch)
        others = (each for each in peers(candidate, self._came) if each is not candidate)
        went_on = (each for each in others if each.went_on_from(self._epoch))
        return len(prefix) > 1 and any(each.prefix(self._epoch) == prefix for each in went_on)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a point adds to the sums."""

    kind: Kind
    last: int
    hedged: int
    complete_at: int | None
    waits_at: int | None
    unranked: bool
    is_end: bool


class Standings(dict[int, Candidate]):
    """Candidates by number, with sums over them and tables of those that came to an epoch.

    Whoever changes a candidate says so by `changed`; what is asked next then takes it in, in a time that grows with the
    logarithm of their number.

    Args:
        candidates: the first ones.
    """

    def __init__(self, candidates: Mapping[int, Candidate] | None = None) -> None:
        super().__init__()
        self._stale: dict[int, float] = {}
        self._counted: dict[int, _Counted] = {}
        self._places: dict[int, int] = {}
        self._at: list[int] = []
        self._tables: dict[Kind, dict[int, _Table]] = {}
        self._asked: Counter[Kind] = Counter()
        self._complete: dict[Kind, Counter[int]] = {}
        self._longest: dict[Kind, int] | None = None
        self._waiting: dict[tuple[Kind, int], list[int]] = {}
        self._waiting_last: Counter[tuple[Kind, int]] = Counter()
        self._unranked: set[int] = set()
        self._spent: Counter[tuple[Kind, int]] = Counter()
        self._began: Counter[tuple[Kind, int]] = Counter()
        self._ended: set[int] = set()
        self._worth: float | None = None
        self._is_worth_known = False
        self._sum = self._sum_hedged = 0
        self._by_fronts = False
        for point, each in (candidates or {}).items():
            self[point] = each

    @classmethod
    def of(cls, candidates: Mapping[int, Candidate]) -> Self:
        """Return candidates as standings; those that are not are put in order now."""
        return candidates if isinstance(candidates, cls) else cls(candidates)

    def __setitem__(self, point: int, candidate: Candidate) -> None:
        if point not in self._places:
            self._places[point] = len(self._at)
            self._at.append(point)
        super().__setitem__(point, candidate)
        self.changed(point)

    def changed(self, point: int, since: float = 0) -> None:
        """Note that a candidate was changed, and its scores from an epoch on; inf: none of these."""
        self._stale[point] = min(since, self._stale.get(point, math.inf))

    @contextmanager
    def supposing(self, point: int, state: TrialState) -> Iterator[None]:
        """Suppose in the block that a point is in a state.

        Yields:
            Nothing.
        """
        candidate = self[point]
        real, candidate.state = candidate.state, state
        self.changed(point, math.inf)
        try:
            yield
        finally:
            candidate.state = real
            self.changed(point, math.inf)

    def _take_in(self) -> None:
        while self._stale:
            point, since = self._stale.popitem()
            candidate = self[point]
            before, now = self._counted.get(point), self._count(candidate)
            if before is not None:
                self._add(before, point, -1)
            self._counted[point] = now
            self._add(now, point, 1)
            if before is not None and before.kind != now.kind:
                for table in self._tables.get(before.kind, {}).values():
                    table.update(Candidate(point))
            for table in self._tables.get(now.kind, {}).values():
                table.update(candidate, since)
            self._by_fronts |= isinstance(candidate.scores.get(candidate.epoch), tuple)

    def _count(self, candidate: Candidate) -> _Counted:
        waits = candidate.state is TrialState.PAUSED
        return _Counted(
            candidate.epochs,
            candidate.last,
            candidate.hedged,
            complete_at=candidate.epoch if candidate.state is TrialState.COMPLETE else None,
            waits_at=candidate.epoch if waits else None,
            unranked=waits and candidate.goes_on_unranked,
            is_end=is_end(candidate),
        )

    def _add(self, counted: _Counted, point: int, sign: int) -> None:
        kind, last, hedged = counted.kind, counted.last, counted.hedged
        self._asked[kind] += sign
        self._sum += sign * last
        if hedged:
            self._sum_hedged += sign * last
            self._spent[kind, hedged] += sign * last
            self._began[kind, hedged] += sign * (last >= hedged)
        if counted.complete_at is not None:
            self._complete.setdefault(kind, Counter())[counted.complete_at] += sign
            self._longest = None
        if counted.waits_at is not None:
            self._waiting_last[kind, last] += sign
            places = self._waiting.setdefault((kind, counted.waits_at), [])
            place = self._places[point]
            if sign > 0:
                insort(places, place)
            else:
                del places[bisect_left(places, place)]
        if counted.is_end:
            self._is_worth_known = False
        for wanted, points in ((counted.unranked, self._unranked), (counted.is_end, self._ended)):
            if wanted:
                (points.add if sign > 0 else points.discard)(point)

    @property
    def kinds(self) -> list[Kind]:
        """How long points train, each once."""
        self._take_in()
        return [kind for kind, number in self._asked.items() if number]

    def asked(self, kind: Kind) -> int:
        """Return how many points train so long."""
        self._take_in()
        return self._asked[kind]

    @property
    def longest(self) -> Mapping[Kind, int]:
        """The last epoch of the longest complete point of each kind that has one."""
        self._take_in()
        if self._longest is None:
            found = {kind: [epoch for epoch, number in at.items() if number] for kind, at in self._complete.items()}
            self._longest = {kind: max(0, *epochs) for kind, epochs in found.items() if epochs}
        return self._longest

    def end_of(self, kind: Kind) -> int | None:
        """Return the epoch at which points of a kind have nothing more to report; None: unknown."""
        return self.longest.get(kind, kind)

    def waiting_at(self) -> list[tuple[Kind, int]]:
        """Return where points wait: their kind, and the epoch."""
        self._take_in()
        return [place for place, there in self._waiting.items() if there]

    def first_waiting(self, kind: Kind, epoch: int) -> Candidate:
        """Return the first of those of a kind that wait at an epoch."""
        return self[self._at[self._waiting[kind, epoch][0]]]

    def last_waiting(self, places: list[tuple[Kind, int]]) -> Candidate | None:
        """Return the one asked last of those that wait at some of the places."""
        last = max((self._waiting[place][-1] for place in places), default=None)
        return None if last is None else self[self._at[last]]

    @property
    def unranked(self) -> int | None:
        """The first that waits, and goes on whatever its rank."""
        self._take_in()
        return min(self._unranked, key=self._places.__getitem__, default=None)

    def at_end(self) -> int | None:
        """Return the first that waits and has come as far as the longest of its kind."""
        longest = self.longest
        over = [(k, last) for (k, last), n in self._waiting_last.items() if n and last >= longest.get(k, math.inf)]
        if not over:
            return None
        there = (n for n, each in self.items() if each.state is TrialState.PAUSED and (each.epochs, each.last) in over)
        return next(there)

    def spent(self, kind: Kind, hedged: int) -> int:
        """Return the epochs of those of a kind that are hedged to an epoch."""
        self._take_in()
        return self._spent[kind, hedged]

    def began(self, kind: Kind, hedged: int) -> int:
        """Return how many of those of a kind that are hedged to an epoch have come there."""
        self._take_in()
        return self._began[kind, hedged]

    @property
    def epochs(self) -> tuple[int, int]:
        """All epochs, and those of hedged points."""
        self._take_in()
        return self._sum, self._sum_hedged

    @property
    def worth(self) -> float | None:
        """What early ranks were worth, see `worth_of_ranks`."""
        self._take_in()
        if not self._is_worth_known:
            self._worth = worth_of_ranks({point: self[point] for point in self._ended})
            self._is_worth_known = True
        return self._worth

    def group(self, kind: Kind, epoch: int) -> Group:
        """Return the points of a kind that came to an epoch."""
        self._take_in()
        if self._by_fronts:
            return _Fronts(kind, epoch, self)
        tables = self._tables.setdefault(kind, {})
        if epoch not in tables:
            tables[epoch] = _Table(kind, epoch, self)
            for each in self.values():
                if each.epochs == kind:
                    tables[epoch].update(each)
        return tables[epoch]
