"""The order that standings keep, against a look at every point each time."""

import math
import random
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace

import optuna
import pytest

from hpsearch.base.types import Decision, Objective, Report, TrialState
from hpsearch.search.auto_pruner import (
    BRACKETS,
    FREE,
    HEDGED,
    HEDGED_LAST,
    LAST,
    SHARE,
    START,
    THINNING,
    AutoPruner,
    _stages,
)
from hpsearch.search.candidates import Candidate, ahead, best_of, peers
from hpsearch.search.hedge import hedged_share, worth_of_ranks
from hpsearch.search.pruners import PruneRule
from hpsearch.search.standings import Standings


def longest_of(candidates):
    """Return the last epoch of the longest complete point of those that train as long, by how long they train."""
    longest = {}
    for each in candidates.values():
        if each.state is TrialState.COMPLETE:
            longest[each.epochs] = max(each.epoch, longest.get(each.epochs, 0))
    return longest


def end_of(candidate, candidates):
    return longest_of(candidates).get(candidate.epochs, candidate.epochs)


class Plain(AutoPruner):
    """The rule of `AutoPruner`, written down as a look at every point."""

    def decide(self, point: int, candidates: Mapping[int, Candidate]) -> Decision:
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

    def promote(self, candidates: Mapping[int, Candidate], asking: bool) -> int | None:
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

    def _fewest(self, candidates: Mapping[int, Candidate]) -> int:
        """Return how many points come to the first stage before one goes on."""
        if self.start is not None:
            return self.most
        kinds = {each.epochs: each for each in candidates.values()}.values()
        longest = max((self._epochs(each, candidates) for each in kinds), default=START)
        return min(self.most, -(-4 * longest // 3))

    def _epochs(self, candidate: Candidate, candidates: Mapping[int, Candidate]) -> int:
        """Return how long a point trains; as long as any where that is not known."""
        return self.epochs or end_of(candidate, candidates) or START

    def _bracket(self, candidate: Candidate, candidates: Mapping[int, Candidate]) -> int:
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

    def _repeats_half(self, candidate: Candidate, candidates: Mapping[int, Candidate]) -> bool:
        """Return whether a point at half of its epochs has repeated the curve of one that went on."""
        half = self._starts(candidate)[-1:]
        if not half or self._stage(candidate) != self._stage(candidate, half[0]):
            return False
        came = _came(candidate.epoch, candidates)
        del came[candidate.point]
        return not _parted([candidate], came)[0]

    def _best(self, candidates: Mapping[int, Candidate], asking: bool) -> int | None:
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

    def _places(self, candidate: Candidate, candidates: Mapping[int, Candidate]) -> float:
        """Return how many go on from where a point stands while new ones are asked."""
        asked = [each for each in candidates.values() if each.epochs == candidate.epochs]
        stage = self._stage(candidate)
        start = next((each for each in self._starts(candidate) if self._stage(candidate, each) == stage), None)
        began = sum(each.hedged == start and each.last >= start for each in asked) if start else 0
        share = self.share or min(SHARE, max(2, self._epochs(candidate, candidates) / 4))
        return max(1.0, float((len(asked) / share) ** 0.5 / THINNING**stage), began / 2)

    def _explores(self, candidate: Candidate, candidates: Mapping[int, Candidate]) -> bool:
        """Return whether a point is to show how many epochs there are."""
        unknown = self.epochs is None and end_of(candidate, candidates) is None
        return unknown and candidate.point == min(each.point for each in peers(candidate, candidates))

    def _stage(self, candidate: Candidate, epoch: int | None = None) -> int:
        """Return the last stage that a point has come to at an epoch, by default its last; -1 before the first."""
        epoch = candidate.epoch if epoch is None else epoch
        epochs = candidate.epochs if self.epochs is None else self.epochs
        return (epoch.bit_length() if epochs is None else bisect_right(_stages(epochs), epoch)) - 1


def _came(epoch: int, candidates: Mapping[int, Candidate]) -> dict[int, Candidate]:
    """Return the points that came to an epoch, or to their end before."""
    complete = TrialState.COMPLETE
    return {n: each for n, each in candidates.items() if each.last >= epoch or each.state is complete}


def _is_due(epochs: int, candidates: Mapping[int, Candidate], least: float, free: int = 0) -> bool:
    """Return whether so many epochs more whatever a rank are within the share of those beyond the free ones."""
    spent = sum(each.last for each in candidates.values()) - free
    hedged = sum(each.last for each in candidates.values() if each.hedged)
    return hedged + epochs <= hedged_share(worth_of_ranks(candidates), least) * spent


def _rank(candidate: Candidate, candidates: Mapping[int, Candidate]) -> int:
    """Return how many curves were better at the last epoch of a point; equal ones up to there are one."""
    return len({each.prefix(candidate.epoch) for each in ahead(candidate, candidates)})


def _parted(waiting: list[Candidate], candidates: Mapping[int, Candidate]) -> tuple[list[Candidate], list[Candidate]]:
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


class Search:
    """A search with several slots, whose points are drawn: they diverge, fail, repeat others and come back."""

    def __init__(self, pruner, seed, kinds, objectives=1):
        self.rng = random.Random(seed)
        self.kinds, self.objectives = kinds, objectives
        others = (Objective("b", "minimize"),) if objectives > 1 else ()
        self.rule = PruneRule(pruner, Objective("a", others=others))
        self.study = optuna.create_study(directions=["maximize", "minimize"][:objectives])
        self.running, self.trials, self.curves, self.log = [], {}, {}, []

    def value(self, number, epoch):
        curve = self.curves.setdefault(number, random.Random(self.rng.choice([number, self.rng.randrange(8)])).random())
        noise = random.Random(f"{curve} {epoch // 3}")
        return {"a": curve + 0.5 * noise.random(), "b": noise.random()}

    def first_at_end(self):
        for point, each in self.rule._candidates.items():
            longest = longest_of(self.rule._candidates).get(each.epochs, math.inf)
            if each.state is TrialState.PAUSED and each.last >= longest:
                return point
        return None

    def step(self, asking):
        while len(self.running) < 5:
            assert self.rule._candidates.at_end() == self.first_at_end()
            number = self.rule.promote(asking)
            self.log.append(("promote", number))
            if number is None and not asking:
                break
            if number is None:
                trial = self.study.ask()
                number = trial.number
                self.trials[number] = trial
                self.rule.opened(number, epochs=self.rng.choice(self.kinds))
            self.rule.note_state(number, TrialState.RUNNING)
            self.running.append(number)
        if not self.running:
            return False
        number = self.rng.choice(self.running)
        candidate = self.rule.candidate(number)
        epoch = candidate.last + 1
        fate = self.rng.random()
        if fate < 0.04:
            self.end(number, TrialState.INFEASIBLE if fate < 0.025 else TrialState.FAILED)
        elif fate < 0.06:
            curve = {e: tuple(self.value(number, e).values())[: self.objectives] for e in range(1, candidate.last)}
            self.rule.opened(number, curve, candidate.epochs, candidate.hedged, candidate.waits_at)
        else:
            decision = self.rule.after_report(self.trials[number], Report(epoch, epoch, self.value(number, epoch)))
            self.log.append((number, epoch, decision, candidate.hedged))
            if epoch == (candidate.epochs or 12):
                self.end(number, TrialState.COMPLETE)
            elif decision is Decision.PAUSE and self.rng.random() < 0.7:
                self.end(number, TrialState.PAUSED)
        return True

    def end(self, number, state):
        self.running.remove(number)
        self.rule.note_state(number, state)

    def run(self, points):
        while len(self.trials) < points and self.step(asking=True):
            pass
        while self.step(asking=False):
            pass
        return self.log


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("kinds", "objectives", "options"),
    [([12], 1, {}), ([6, 12], 1, {"start": 3, "share": 2}), ([None], 1, {"start": 4}), ([9], 2, {"start": 4})],
    ids=["one kind", "two kinds", "unknown", "two objectives"],
)
@pytest.mark.filterwarnings("ignore")
def test_it_decides_as_a_look_at_every_point_does(seed, kinds, objectives, options, monkeypatch):
    monkeypatch.setattr("hpsearch.search.auto_pruner.FREE", 2)
    monkeypatch.setitem(globals(), "FREE", 2)
    found, plain = (Search(kind(**options), seed, kinds, objectives).run(90) for kind in (AutoPruner, Plain))
    assert found == plain
    assert {entry[2] for entry in found if len(entry) == 4} == {Decision.CONTINUE, Decision.PAUSE}
    assert any(entry[3] for entry in found if len(entry) == 4)


@pytest.mark.parametrize("score", [0.5, (0.5, 0.5)])
def test_equal_curves_of_one_report_are_all_new_and_longer_ones_repeat_who_went_on(score):
    for epochs in (1, 2):
        curve = {epoch: score for epoch in range(1, epochs + 1)}
        ahead_of, waits = Candidate(0, {**curve, 3: score}), Candidate(1, curve, TrialState.PAUSED)
        group = Standings({0: ahead_of, 1: waits}).group(None, epochs)
        new, repeated = (None, waits) if epochs == 2 else (waits, None)
        assert (group.best(), group.best(repeated=True)) == (new, repeated)
        assert group.repeats(waits) is (epochs == 2)
