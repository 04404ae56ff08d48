"""Points as pruners compare them: by what their first replicates scored at the same epoch."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hpsearch.base.fronts import front_numbers
from hpsearch.base.types import TrialState

Score: TypeAlias = float | tuple[float, ...]
"""Of one objective a number, of several one each, signs turned so that larger is better."""
Prefix: TypeAlias = tuple[tuple[int, Score], ...]
LOST = (TrialState.INFEASIBLE, TrialState.FAILED)


@dataclass(slots=True)
class Candidate:
    """A point as a pruner sees it: its first replicate.

    Attributes:
        point: its number.
        scores: by whole epoch, from epoch 1.
        state: RUNNING, PAUSED or final; a final point that came to its end by itself is COMPLETE.
        epochs: how long it trains, as its configuration says; None: unknown.
        hedged: the epoch to which it trains whatever its rank; 0: it goes by its rank alone.
        waits_at: the epoch at which it was told to wait, 0 once it was chosen to go on; None: it never was told.
        epoch: at which it stands: where it was told to wait, however much farther it came before it obeyed, else its
            last; 0 before the first report.
        last: its last epoch.
    """

    point: int
    scores: dict[int, Any] = field(default_factory=dict)
    state: TrialState = TrialState.RUNNING
    epochs: int | None = None
    hedged: int = 0
    waits_at: int | None = None
    epoch: int = field(init=False)
    last: int = field(init=False)

    def __post_init__(self) -> None:
        self.last = max(self.scores, default=0)
        self.epoch = self.waits_at or self.last

    def note(self, epoch: int, score: Score) -> None:
        """Note what it scored at an epoch."""
        self.scores[epoch] = score
        self.last = max(epoch, self.last)
        self.epoch = self.waits_at or self.last

    def wait(self) -> None:
        """Note that it was told to wait where it is."""
        self.waits_at = self.epoch

    def go_on(self) -> None:
        """Note that it was chosen to go on, or came to its end."""
        self.waits_at = None if self.waits_at is None else 0
        self.epoch = self.last

    @property
    def goes_on_unranked(self) -> bool:
        """Whether it has yet to come to the epoch to which it trains whatever its rank."""
        return self.epoch < self.hedged

    @property
    def waits(self) -> bool:
        """Whether it stands where it was paused."""
        return self.state in (TrialState.PAUSED, TrialState.PRUNED)

    def went_on_from(self, epoch: int) -> bool:
        """Return whether it went on from an epoch that it came to."""
        return self.epoch > epoch or not self.waits

    def at(self, epoch: int) -> Any:
        """Return its score at an epoch, that of its last report up to it; None where it has not come so far.

        One that is complete keeps its last score.
        """
        if epoch in self.scores:
            return self.scores[epoch]
        if epoch > self.last and self.state is not TrialState.COMPLETE:
            return None
        earlier = max((each for each in self.scores if each < epoch), default=None)
        return None if earlier is None else self.scores[earlier]

    def prefix(self, epoch: int) -> Prefix:
        """Return its reports up to an epoch."""
        return tuple((each, self.scores[each]) for each in sorted(self.scores) if each <= epoch)


Candidates: TypeAlias = Mapping[int, Candidate]
Evaluation: TypeAlias = tuple[float, Any]
"""An epoch, perhaps a fraction, and what was scored there."""


def passed(before: Evaluation | None, now: Evaluation, epochs: int | None) -> list[tuple[int, Any]]:
    """Return the whole epochs that a point has passed with an evaluation, and what it is compared by at each of them.

    That is its latest evaluation at or before the epoch. Of one that was evaluated every few epochs, those between are
    among them where it is known how many it trains; where it is not, its numbers may be of anything.

    Args:
        before: its evaluation before this one, None where there was none.
        now: this one.
        epochs: how long it trains, as its configuration says; None: unknown.

    Example:
        >>> passed((0.5, "a"), (1.5, "b"), None), passed((2, "a"), (4, "b"), 10), passed((2, "a"), (4, "b"), None)
        ([(1, 'a')], [(3, 'a'), (4, 'b')], [(4, 'b')])
    """
    epoch, score = now
    found: list[tuple[int, Any]] = []
    if before is not None and before[0] < epoch:
        last = math.ceil(before[0]) if epochs is None else epochs
        between = range(math.floor(before[0]) + 1, min(math.ceil(epoch) - 1, last) + 1)
        found += [(each, before[1]) for each in between]
    return [*found, (int(epoch), score)] if epoch == int(epoch) else found


def peers(candidate: Candidate, candidates: Candidates) -> Iterable[Candidate]:
    """Return the points that a point is compared with: those that train as long and have not failed.

    A point that trains longer has another schedule: what it scores at the same epoch says nothing of their ends.
    """
    return (each for each in candidates.values() if each.epochs == candidate.epochs and each.state not in LOST)


def ahead(candidate: Candidate, candidates: Candidates) -> list[Candidate]:
    """Return the points that were better at the last epoch of a point, the best first.

    By several objectives those are better that stand in an earlier non-dominated front.
    """
    epoch = candidate.epoch
    score = candidate.scores.get(epoch, math.inf)
    if isinstance(score, tuple):
        return _ahead_by_fronts(candidate, candidates)
    better = []
    for each in candidates.values():
        other = each.scores.get(epoch)
        if other is None:
            other = each.at(epoch)
        if other is not None and other > score and each.epochs == candidate.epochs and each.state not in LOST:
            better.append((-other, each.point, each))
    return [each for _, _, each in sorted(better)]


def _ahead_by_fronts(candidate: Candidate, candidates: Candidates) -> list[Candidate]:
    fronts = fronts_at(candidate, candidates)
    better = [point for point, front in fronts.items() if front < fronts[candidate.point]]
    return [candidates[point] for point in sorted(better, key=lambda point: (fronts[point], point))]


def fronts_at(candidate: Candidate, candidates: Candidates) -> dict[int, int]:
    """Return the number of the non-dominated front of every point that came to the last epoch of a point."""
    came = {each.point: each.at(candidate.epoch) for each in peers(candidate, candidates)}
    scored = {point: score for point, score in came.items() if score is not None}
    return dict(zip(scored, front_numbers(list(scored.values())), strict=True))


def best_of(together: Iterable[Candidate], candidates: Candidates) -> Candidate | None:
    """Return the best of points that wait at an epoch, the lowest of equal ones; None of none."""
    waiting = list(together)
    if waiting and isinstance(waiting[0].scores[waiting[0].epoch], tuple):
        fronts = fronts_at(waiting[0], candidates)
        return min(waiting, key=lambda each: (fronts[each.point], each.point))
    return min(waiting, key=lambda each: (-each.scores[each.epoch], each.point), default=None)
