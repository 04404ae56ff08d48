"""What stops points early when the user does not say how: stages, at which they wait until they are chosen."""

from bisect import bisect_right
from dataclasses import replace
from functools import cache

from hpsearch.base.errors import check_int
from hpsearch.base.types import Decision, TrialState
from hpsearch.search.candidates import Candidate, Candidates, ahead, best_of, end_of, peers
from hpsearch.search.hedge import hedged_share, worth_of_ranks
from hpsearch.search.pruners import Promoter

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
        candidate = candidates[point]
        stage = self._stage(candidate)
        earlier = max((epoch for epoch in candidate.scores if epoch < candidate.epoch), default=0)
        if stage < 0 or stage == self._stage(candidate, earlier) or self._explores(candidate, candidates):
            return Decision.CONTINUE
        if candidate.goes_on_unranked and not self._repeats_half(candidate, candidates):
            return Decision.CONTINUE
        candidate.hedged = min(candidate.hedged, candidate.epoch)
        if len(candidates) < self._fewest(candidates):
            return Decision.PAUSE
        if _rank(candidate, candidates) >= self._places(candidate, candidates):
            candidate.hedged = candidate.hedged or self._bracket(candidate, candidates)
            return Decision.CONTINUE if candidate.goes_on_unranked else Decision.PAUSE
        waiting = {**candidates, point: replace(candidate, state=TrialState.PAUSED)}
        return Decision.CONTINUE if self._best(waiting, asking=True) == point else Decision.PAUSE

    def promote(self, candidates: Candidates, asking: bool) -> int | None:
        """Choose the best at the latest stage; once no new points are asked also who goes on whatever its rank."""
        paused = [each for each in candidates.values() if each.state is TrialState.PAUSED]
        if not paused or (asking and len(candidates) < self._fewest(candidates)):
            return None
        hedged = next((each.point for each in paused if each.goes_on_unranked), None)
        best = self._best(candidates, asking) if hedged is None else hedged
        if best is not None or asking:
            return best
        latest = next((each for each in reversed(paused) if self._stage(each) == 0), None)
        end = None if latest is None else end_of(latest, candidates)
        if latest is None or end is None or not _is_due(end - latest.epoch, candidates, HEDGED_LAST):
            return None
        latest.hedged = end
        return latest.point

    def _fewest(self, candidates: Candidates) -> int:
        """Return how many points come to the first stage before one goes on."""
        if self.start is not None:
            return self.most
        kinds = {each.epochs: each for each in candidates.values()}.values()
        longest = max((self._epochs(each, candidates) for each in kinds), default=START)
        return min(self.most, -(-4 * longest // 3))

    def _epochs(self, candidate: Candidate, candidates: Candidates) -> int:
        """Return how long a point trains; as long as any where that is not known."""
        return self.epochs or end_of(candidate, candidates) or START

    def _bracket(self, candidate: Candidate, candidates: Candidates) -> int:
        """Return the epoch to which a point at the first stage trains whatever its rank; 0: it does not."""
        end = end_of(candidate, candidates)
        if end is None or self._stage(candidate) > 0:
            return 0
        spent = dict.fromkeys([*(start for start in self._starts(candidate) if start < end), end], 0)
        for each in candidates.values():
            if each.hedged in spent and each.epochs == candidate.epochs:
                spent[each.hedged] += each.last
        start = min(spent, key=spent.__getitem__)
        return start if _is_due(start - candidate.epoch, candidates, HEDGED, FREE * end) else 0

    def _starts(self, candidate: Candidate) -> list[int]:
        """Return the stages at which brackets begin."""
        epochs = candidate.epochs if self.epochs is None else self.epochs
        return _stages(epochs)[1:][-BRACKETS:] if epochs else []

    def _repeats_half(self, candidate: Candidate, candidates: Candidates) -> bool:
        """Return whether a point at half of its epochs has repeated the curve of one that went on."""
        half = self._starts(candidate)[-1:]
        if not half or self._stage(candidate) != self._stage(candidate, half[0]):
            return False
        came = _came(candidate.epoch, candidates)
        del came[candidate.point]
        return not _parted([candidate], came)[0]

    def _best(self, candidates: Candidates, asking: bool) -> int | None:
        """Return the best of those that wait at the latest stage at which one is good enough."""
        waiting: dict[tuple[int, int, int], list[Candidate]] = {}
        for each in candidates.values():
            if each.state is TrialState.PAUSED:
                waiting.setdefault((self._stage(each), each.epoch, each.epochs or 0), []).append(each)
        for (_, epoch, _), together in sorted(waiting.items(), reverse=True):
            came = _came(epoch, candidates)
            new, repeated = _parted(together, came)
            places = self._places(together[0], candidates) if asking else LAST
            for group in (new,) if asking else (new, repeated):
                best = best_of(group, came)
                if best is not None and _rank(best, came) < places:
                    return best.point
        return None

    def _places(self, candidate: Candidate, candidates: Candidates) -> float:
        """Return how many go on from where a point stands while new ones are asked."""
        asked = [each for each in candidates.values() if each.epochs == candidate.epochs]
        stage = self._stage(candidate)
        start = next((each for each in self._starts(candidate) if self._stage(candidate, each) == stage), None)
        began = sum(each.hedged == start and each.last >= start for each in asked) if start else 0
        share = self.share or min(SHARE, max(2, self._epochs(candidate, candidates) / 4))
        return max(1.0, float((len(asked) / share) ** 0.5 / THINNING**stage), began / 2)

    def _explores(self, candidate: Candidate, candidates: Candidates) -> bool:
        """Return whether a point is to show how many epochs there are."""
        unknown = self.epochs is None and end_of(candidate, candidates) is None
        return unknown and candidate.point == min(each.point for each in peers(candidate, candidates))

    def _stage(self, candidate: Candidate, epoch: int | None = None) -> int:
        """Return the last stage that a point has come to at an epoch, by default its last; -1 before the first."""
        epoch = candidate.epoch if epoch is None else epoch
        epochs = candidate.epochs if self.epochs is None else self.epochs
        return (epoch.bit_length() if epochs is None else bisect_right(_stages(epochs), epoch)) - 1


def _came(epoch: int, candidates: Candidates) -> dict[int, Candidate]:
    """Return the points that came to an epoch, or to their end before."""
    complete = TrialState.COMPLETE
    return {n: each for n, each in candidates.items() if each.last >= epoch or each.state is complete}


def _is_due(epochs: int, candidates: Candidates, least: float, free: int = 0) -> bool:
    """Return whether so many epochs more whatever a rank are within the share of those beyond the free ones."""
    spent = sum(each.last for each in candidates.values()) - free
    hedged = sum(each.last for each in candidates.values() if each.hedged)
    return hedged + epochs <= hedged_share(worth_of_ranks(candidates), least) * spent


def _rank(candidate: Candidate, candidates: Candidates) -> int:
    """Return how many curves were better at the last epoch of a point; equal ones up to there are one."""
    return len({each.prefix(candidate.epoch) for each in ahead(candidate, candidates)})


@cache
def _stages(epochs: int) -> list[int]:
    """Return half of so many epochs, a quarter and so on, the last first."""
    return sorted({epochs // 2**k for k in range(1, epochs.bit_length())})


def _parted(waiting: list[Candidate], candidates: Candidates) -> tuple[list[Candidate], list[Candidate]]:
    """Return those of the points that wait at an epoch whose curve is new, and those that repeat one that went on.

    A single report may be equal by chance.
    """
    epoch = waiting[0].epoch
    if len(waiting[0].scores) == 1:
        return waiting, []
    went_on = {each.prefix(epoch) for each in peers(waiting[0], candidates) if each.epoch > epoch or not each.waits}
    went_on = {prefix for prefix in went_on if len(prefix) > 1}
    new = [each for each in waiting if each.prefix(epoch) not in went_on]
    return new, [each for each in waiting if each.prefix(epoch) in went_on]
