"""What stops points early when the user does not say how: stages, at which they wait until they are chosen."""

import math
from bisect import bisect_right
from functools import cache

from hpsearch.base.errors import check_int
from hpsearch.base.types import Decision, TrialState
from hpsearch.search.candidates import Candidate, Candidates, peers
from hpsearch.search.hedge import hedged_share
from hpsearch.search.pruners import Promoter
from hpsearch.search.standings import Kind, Standings

START, SHARE = 64, 12
"""`AutoPruner.start` and `AutoPruner.share` of long trainings, of 48 epochs or more."""
LAST = 3
"""So many go on to the end of their training once no new points are asked."""
THINNING = 1.2
"""Between the places of one stage and of the next."""
FREE = 10
"""So many times the epochs of a trial are not hedged while new points are asked."""
HEDGED, HEDGED_LAST = 0.5, 0.25
"""Shares of the epochs that are hedged at least: while new points are asked, and once none are."""
BRACKETS = 2
"""At so many of the last stages a bracket begins; one more is the end of the training."""


class AutoPruner(Promoter):
    """Stages: every point trains to the first one and waits; few go on, and fewer at every further stage.

    The stages are at half of a trial's epochs, a quarter, an eighth and so on down to epoch 1. Nothing goes on before
    `start` points are known. Then the best that waits at a stage goes on, the latest stage first, if it is among the
    best ``m = sqrt(n / share) / 1.2^stage`` (at least 1) of all n points asked at that epoch, so that what is spent on
    new points grows with their number, and an early leader cannot keep all others waiting for ever. A point better than
    all before it goes on at once. Once there are no new points all go on to the end that are among the best three at
    their epoch.

    First epochs may mislead, so the search is hedged as Hyperband is by its brackets (Li et al. 2017): the point asked
    last trains, although others rank before it, to a quarter of its epochs, to half of them or to its end, whichever of
    the three brackets has had the fewest epochs. From where its bracket begins it goes on by its rank among all that
    came so far, as any other; only that as many as half of the points of the bracket may go on there. While new points
    are asked, the brackets together get half of all epochs at least, but for the first ones, as many as ten trials
    have, which are not hedged. The share moves up to 95 % with what ranks were worth so far: how those end that were
    chosen by them, and how these do (`hedge`). Once there are no new points it is a quarter at least of all epochs, for
    points that train to their end.

    Points are compared at the same epoch, with those that train as long. Equal curves up to there are one trained
    prefix: one goes on, and the others (a hyperparameter that acts later, or has no effect) wait until there are no new
    points; then they go on as well, because nothing is known against them. A hedged point that repeats another up to
    half of its epochs goes by its rank from there.

    Of several objectives the order is that of non-dominated fronts (Deb et al. 2002), so that a whole front goes on.

    Successive halving (Li et al. 2018) with pauses, many points at the first stage, and ranks in place of quotas.

    Args:
        epochs: whose half, quarter, ... are the stages; None: those of each trial, as its configuration says. Where
            that says nothing the stages are at epochs 1, 2, 4, ..., and the first point trains to its end, which tells
            how many there are. With 1, no point waits.
        start: so many points come to the first stage before one goes on; None: 4/3 of as many as a training has epochs,
            at most 64, so that short trainings do not wait for points that cost as much as several of them.
        share: of so many points one place at the first stage, of four times as many two, of nine times as many three;
            None: a quarter of the epochs of a training, at least 2 and at most 12.

    Attributes:
        most: bound of `start` for a search that has few epochs.
    """

    def __init__(self, epochs: int | None = None, start: int | None = None, share: int | None = None) -> None:
        if epochs is not None:
            check_int("pruner.epochs", epochs, 0)
        if start is not None:
            check_int("pruner.start", start, 1)
        if share is not None:
            check_int("pruner.share", share, 2)
        self.epochs = epochs
        self.start = start
        self.share = share
        self.most = START if start is None else start

    def decide(self, point: int, candidates: Candidates) -> Decision:
        """Pause a point at its first report at or after a stage, unless it would go on at once."""
        standings = Standings.of(candidates)
        candidate = standings[point]
        stage = self._stage(candidate)
        earlier = max((epoch for epoch in candidate.scores if epoch < candidate.epoch), default=0)
        if stage < 0 or stage == self._stage(candidate, earlier) or self._explores(candidate, standings):
            return Decision.CONTINUE
        if candidate.goes_on_unranked and not self._repeats_half(candidate, standings):
            return Decision.CONTINUE
        _hedge(candidate, min(candidate.hedged, candidate.epoch), standings)
        if len(standings) < self._fewest(standings):
            return Decision.PAUSE
        place = (candidate.epochs, candidate.epoch)
        if standings.group(*place).rank(candidate) >= self._places(*place, standings):
            _hedge(candidate, candidate.hedged or self._bracket(candidate, standings), standings)
            return Decision.CONTINUE if candidate.goes_on_unranked else Decision.PAUSE
        with standings.supposing(point, TrialState.PAUSED):
            return Decision.CONTINUE if self._best(standings, asking=True) == point else Decision.PAUSE

    def promote(self, candidates: Candidates, asking: bool) -> int | None:
        """Choose the best at the latest stage; once no new points are asked also who goes on whatever its rank."""
        standings = Standings.of(candidates)
        if not standings.waiting_at() or (asking and len(standings) < self._fewest(standings)):
            return None
        hedged = standings.unranked
        best = self._best(standings, asking) if hedged is None else hedged
        if best is not None or asking:
            return best
        latest = standings.last_waiting([place for place in standings.waiting_at() if self._stage_at(*place) == 0])
        end = None if latest is None else standings.end_of(latest.epochs)
        if latest is None or end is None or not _is_due(end - latest.epoch, standings, HEDGED_LAST):
            return None
        _hedge(latest, end, standings)
        return latest.point

    def _fewest(self, standings: Standings) -> int:
        """Return how many points come to the first stage before one goes on."""
        if self.start is not None:
            return self.most
        longest = max((self._epochs(kind, standings) for kind in standings.kinds), default=START)
        return min(self.most, -(-4 * longest // 3))

    def _epochs(self, kind: Kind, standings: Standings) -> int:
        """Return how long points of a kind train; as long as any where that is not known."""
        return self.epochs or standings.end_of(kind) or START

    def _bracket(self, candidate: Candidate, standings: Standings) -> int:
        """Return the epoch to which a point at the first stage trains whatever its rank; 0: it does not."""
        kind = candidate.epochs
        end = standings.end_of(kind)
        if end is None or self._stage(candidate) > 0:
            return 0
        starts = [*(start for start in self._starts(kind) if start < end), end]
        start = min(starts, key=lambda each: standings.spent(kind, each))
        return start if _is_due(start - candidate.epoch, standings, HEDGED, FREE * end) else 0

    def _starts(self, kind: Kind) -> list[int]:
        """Return the stages at which brackets begin."""
        epochs = kind if self.epochs is None else self.epochs
        return _stages(epochs)[1:][-BRACKETS:] if epochs else []

    def _repeats_half(self, candidate: Candidate, standings: Standings) -> bool:
        """Return whether a point at half of its epochs has repeated the curve of one that went on."""
        half = self._starts(candidate.epochs)[-1:]
        if not half or self._stage(candidate) != self._stage(candidate, half[0]) or len(candidate.scores) == 1:
            return False
        return standings.group(candidate.epochs, candidate.epoch).repeats(candidate)

    def _best(self, standings: Standings, asking: bool) -> int | None:
        """Return the best of those that wait at the latest stage at which one is good enough."""
        order = sorted(standings.waiting_at(), key=lambda at: (self._stage_at(*at), at[1], at[0] or 0), reverse=True)
        for kind, epoch in order:
            group = standings.group(kind, epoch)
            places = self._places(kind, epoch, standings) if asking else LAST
            for repeated in (False,) if asking else (False, True):
                best = group.best(repeated)
                if best is not None and group.rank(best) < places:
                    return best.point
        return None

    def _places(self, kind: Kind, epoch: int, standings: Standings) -> float:
        """Return how many go on from an epoch while new ones are asked."""
        stage = self._stage_at(kind, epoch)
        start = next((each for each in self._starts(kind) if self._stage_at(kind, each) == stage), None)
        began = standings.began(kind, start) if start else 0
        share = self.share or min(SHARE, max(2, self._epochs(kind, standings) / 4))
        return max(1.0, float((standings.asked(kind) / share) ** 0.5 / THINNING**stage), began / 2)

    def _explores(self, candidate: Candidate, standings: Standings) -> bool:
        """Return whether a point is to show how many epochs there are."""
        unknown = self.epochs is None and standings.end_of(candidate.epochs) is None
        return unknown and not any(each.point < candidate.point for each in peers(candidate, standings))

    def _stage(self, candidate: Candidate, epoch: int | None = None) -> int:
        """Return the last stage that a point has come to at an epoch, by default where it stands; -1: none."""
        return self._stage_at(candidate.epochs, candidate.epoch if epoch is None else epoch)

    def _stage_at(self, kind: Kind, epoch: int) -> int:
        epochs = kind if self.epochs is None else self.epochs
        return (epoch.bit_length() if epochs is None else bisect_right(_stages(epochs), epoch)) - 1


def _hedge(candidate: Candidate, epoch: int, standings: Standings) -> None:
    """Let a point train to an epoch whatever its rank."""
    if candidate.hedged != epoch:
        candidate.hedged = epoch
        standings.changed(candidate.point, math.inf)


def _is_due(epochs: int, standings: Standings, least: float, free: int = 0) -> bool:
    """Return whether so many epochs more whatever a rank are within the share of those beyond the free ones."""
    spent, hedged = standings.epochs
    return hedged + epochs <= hedged_share(standings.worth, least) * (spent - free)


@cache
def _stages(epochs: int) -> list[int]:
    """Return half of so many epochs, a quarter and so on, the last first."""
    return sorted({epochs // 2**k for k in range(1, epochs.bit_length())})
