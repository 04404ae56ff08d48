"""What stops points early when the user does not say how: stages, at which they wait until they are chosen."""

from bisect import bisect_right
from dataclasses import replace
from functools import cache

from hpsearch.base.errors import check_int
from hpsearch.base.types import Decision, TrialState
from hpsearch.search.candidates import Candidate, Candidates, ahead, best_of, end_of, peers
from hpsearch.search.hedge import hedged_share, worth_of_ranks
from hpsearch.search.pruners import Promoter

LAST = 3
"""So many go on to the end of their training once no new points are asked."""
THINNING = 1.2
"""Between the places of one stage and of the next."""
FREE = 5
"""So many times the epochs of a trial are not hedged while new points are asked."""


class AutoPruner(Promoter):
    """Stages: every point trains to the first one and waits; few go on, and fewer at every further stage.

    The stages are at half of a trial's epochs, a quarter, an eighth and so on down to epoch 1. Nothing goes on before
    `start` points are known. Then the best that waits at a stage goes on, the latest stage first, if it is among the
    best ``m = sqrt(n / share) / 1.2^stage`` (at least 1) of all n points asked at that epoch, so that what is spent on
    new points grows with their number, and an early leader cannot keep all others waiting for ever. A point better than
    all before it goes on at once. Once there are no new points all go on to the end that are among the best three at
    their epoch.

    First epochs may mislead, so the search is hedged as Hyperband is by its brackets (Li et al. 2017): a share of all
    epochs, a quarter at least, is for points that train to their end although others rank before them, always the one
    asked last.
    The share moves up to 95 % with what ranks were worth so far: how those end that were chosen by them, and how these
    do (`hedge`). While new points are asked, the first epochs, as many as five trials have, are not hedged.

    Points are compared at the same epoch, with those that train as long. Equal curves up to there are one trained
    prefix: one goes on, and the others (a hyperparameter that acts later, or has no effect) wait until there are no new
    points; then they go on as well, because nothing is known against them.

    Of several objectives the order is that of non-dominated fronts (Deb et al. 2002), so that a whole front goes on.

    Successive halving (Li et al. 2018) with pauses, many points at the first stage, and ranks in place of quotas.

    Args:
        epochs: whose half, quarter, ... are the stages; None: those of each trial, as its configuration says. Where
            that says nothing the stages are at epochs 1, 2, 4, ..., and the first point trains to its end, which tells
            how many there are. With 1, no point waits.
        start: so many points come to the first stage before one goes on.
        share: of so many points one place at the first stage, of four times as many two, of nine times as many three.
    """

    def __init__(self, epochs: int | None = None, start: int = 64, share: int = 12) -> None:
        if epochs is not None:
            check_int("pruner.epochs", epochs, 0)
        check_int("pruner.start", start, 1)
        check_int("pruner.share", share, 2)
        self.epochs = epochs
        self.start = start
        self.share = share

    def decide(self, point: int, candidates: Candidates) -> Decision:
        """Pause a point at its first report at or after a stage, unless it would go on at once."""
        candidate = candidates[point]
        stage = self._stage(candidate)
        earlier = max((epoch for epoch in candidate.scores if epoch < candidate.epoch), default=0)
        if stage < 0 or stage == self._stage(candidate, earlier) or self._explores(candidate, candidates):
            return Decision.CONTINUE
        if candidate.hedged or len(candidates) < self.start:
            return Decision.CONTINUE if candidate.hedged else Decision.PAUSE
        if _rank(candidate, candidates) >= self._places(candidate, candidates):
            candidate.hedged = self._is_due(candidate, candidates, FREE)
            return Decision.CONTINUE if candidate.hedged else Decision.PAUSE
        waiting = {**candidates, point: replace(candidate, state=TrialState.PAUSED)}
        return Decision.CONTINUE if self._best(waiting, asking=True) == point else Decision.PAUSE

    def promote(self, candidates: Candidates, asking: bool) -> int | None:
        """Choose the best at the latest stage; once no new points are asked also who goes on whatever its rank."""
        paused = [each for each in candidates.values() if each.state is TrialState.PAUSED]
        if not paused or (asking and len(candidates) < self.start):
            return None
        hedged = next((each.point for each in paused if each.hedged), None)
        best = self._best(candidates, asking) if hedged is None else hedged
        if best is not None or asking:
            return best
        latest = next((each for each in reversed(paused) if self._stage(each) == 0), None)
        if latest is None or not self._is_due(latest, candidates, 0):
            return None
        latest.hedged = True
        return latest.point

    def _is_due(self, candidate: Candidate, candidates: Candidates, free: int) -> bool:
        """Return whether a point at the first stage may train to its end whatever its rank."""
        end = end_of(candidate, candidates)
        if end is None or self._stage(candidate) > 0:
            return False
        spent = sum(each.last for each in candidates.values()) - free * end
        hedged = sum(each.last for each in candidates.values() if each.hedged)
        return hedged + end - candidate.epoch <= hedged_share(worth_of_ranks(candidates)) * spent

    def _best(self, candidates: Candidates, asking: bool) -> int | None:
        """Return the best of those that wait at the latest stage at which one is good enough."""
        waiting: dict[tuple[int, int, int], list[Candidate]] = {}
        for each in candidates.values():
            if each.state is TrialState.PAUSED:
                waiting.setdefault((self._stage(each), each.epoch, each.epochs or 0), []).append(each)
        for (_, epoch, _), together in sorted(waiting.items(), reverse=True):
            complete = TrialState.COMPLETE
            came = {n: each for n, each in candidates.items() if each.last >= epoch or each.state is complete}
            new, repeated = _parted(together, came)
            places = self._places(together[0], candidates) if asking else LAST
            for group in (new,) if asking else (new, repeated):
                best = best_of(group, came)
                if best is not None and _rank(best, came) < places:
                    return best.point
        return None

    def _places(self, candidate: Candidate, candidates: Candidates) -> float:
        """Return how many go on from where a point stands while new ones are asked."""
        asked = sum(each.epochs == candidate.epochs for each in candidates.values())
        return max(1.0, float((asked / self.share) ** 0.5 / THINNING ** self._stage(candidate)))

    def _explores(self, candidate: Candidate, candidates: Candidates) -> bool:
        """Return whether a point is to show how many epochs there are."""
        unknown = self.epochs is None and end_of(candidate, candidates) is None
        return unknown and candidate.point == min(each.point for each in peers(candidate, candidates))

    def _stage(self, candidate: Candidate, epoch: int | None = None) -> int:
        """Return the last stage that a point has come to at an epoch, by default its last; -1 before the first."""
        epoch = candidate.epoch if epoch is None else epoch
        epochs = candidate.epochs if self.epochs is None else self.epochs
        return (epoch.bit_length() if epochs is None else bisect_right(_stages(epochs), epoch)) - 1


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
