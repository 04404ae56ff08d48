"""Stopping and pausing points: what ours adds to Optuna's pruners, and what the driver asks of either."""

import math
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import optuna
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.base.types import Decision, Objective, Report, TrialState
from hpsearch.search.candidates import (
    Candidate,
    Candidates,
    Evaluation,
    Score,
    ahead,
    best_of,
    passed,
    peers,
)
from hpsearch.search.fronts import stops_by_fronts
from hpsearch.search.standings import Standings

NAMED = 3
"""So many of the points that were better are named."""


class Promoter(NopPruner):
    """A pruner that pauses points and chooses which of them go on; a paused one continues from its checkpoint.

    Both methods are functions of the candidates alone, so that a resumed study goes on in the same way.
    """

    @abstractmethod
    def decide(self, point: int, candidates: Candidates) -> Decision:
        """Decide what a running point does after a report.

        Args:
            point: its number.
            candidates: of every point asked so far, by number.
        """

    @abstractmethod
    def promote(self, candidates: Candidates, asking: bool) -> int | None:
        """Choose a paused point that goes on now, before a new one is asked.

        Args:
            candidates: of every point asked so far, by number.
            asking: whether new points may still be asked.

        Returns:
            Its number. None: ask for a new one; or, when there will be none and nothing runs any more, tell the
            paused ones PRUNED: it must choose every one that was not worse than another at the same epoch.
        """


class TopKAfter(Promoter):
    """All points train to an epoch, the best of them go on to the end, the others wait.

    Points with the score of the k-th best go on as well (of several objectives: those of its non-dominated front), and
    points that train for different numbers of epochs are not compared.

    Args:
        epochs: every point trains so long.
        k: how many go on, of every `of` points.
        of: points of a batch, in the order in which they were asked; None: all points of the study.

    Raises:
        ConfigError: for numbers that leave nothing to choose.
    """

    def __init__(self, epochs: int, k: int, of: int | None = None) -> None:
        check_int("pruner.epochs", epochs, 1)
        check_int("pruner.k", k, 1)
        if of is not None:
            check_int("pruner.of", of, 1)
            if k > of:
                raise ConfigError(f"pruner.k = {k}: must be at most pruner.of = {of}")
        self.epochs = epochs
        self.k = k
        self.of = of

    def decide(self, point: int, candidates: Candidates) -> Decision:
        """Pause a point at its first report at or after the epoch."""
        candidate = candidates[point]
        return Decision.PAUSE if candidate.waits_at is None and candidate.epoch >= self.epochs else Decision.CONTINUE

    def promote(self, candidates: Candidates, asking: bool) -> int | None:
        """Choose the best paused one of the k best of a batch, once all of the batch have come to the epoch."""
        for batch in self._whole_batches(candidates, asking):
            if any(each.state is TrialState.RUNNING and each.epoch < self.epochs for each in batch.values()):
                continue
            paused = [each for each in batch.values() if each.state is TrialState.PAUSED]
            going = [each for each in paused if len(ahead(each, batch)) < self.k]
            for epoch in sorted({each.epoch for each in going}):
                best = best_of((each for each in going if each.epoch == epoch), batch)
                if best is not None:
                    return best.point
        return None

    def _whole_batches(self, candidates: Candidates, asking: bool) -> list[Candidates]:
        """Return the batches that get no further points."""
        ordered = sorted(candidates)
        size = self.of or max(len(ordered), 1)
        batches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        whole = [batch for batch in batches if not asking or (self.of is not None and len(batch) == size)]
        return [{point: candidates[point] for point in batch} for batch in whole]


class PruneRule:
    """Asks a pruner after every report, or after every replicate, and keeps the candidates of a promoter.

    Args:
        pruner: one of Optuna's or a promoter of ours.
        objective: what the reports are read for.

    Attributes:
        by_epoch: whether the first replicate of a point may be stopped or paused; the others then wait for its end.
        by_replicate: whether the replicates of a point run one after the other, and a point may be stopped between.
    """

    def __init__(self, pruner: BasePruner, objective: Objective) -> None:
        self._promoter = pruner if isinstance(pruner, Promoter) else None
        self._objective = objective
        self._candidates = Standings()
        self._latest: dict[int, Evaluation] = {}
        self._stops = stops_by_fronts(pruner) if objective.others else None
        self.by_replicate = isinstance(pruner, WilcoxonPruner)
        self.by_epoch = not self.by_replicate and (self._promoter is not None or not isinstance(pruner, NopPruner))

    @property
    def ranks_fronts(self) -> bool:
        """Whether it can judge several objectives."""
        return self._promoter is not None or self._stops is not None

    def opened(
        self,
        point: int,
        curve: Mapping[float, Sequence[float]] | None = None,
        epochs: int | None = None,
        hedged: int = 0,
        waits_at: int | None = None,
    ) -> None:
        """Note a point.

        Args:
            point: its number.
            curve: what is on record of its first replicate, one number per objective.
            epochs: how long it trains, as its configuration says.
            hedged: see `Candidate`.
            waits_at: the same; forgotten where the curve has lost that epoch.
        """
        if self.by_epoch:
            self._latest.pop(point, None)
            scores: dict[int, Score] = {}
            for epoch, values in sorted((curve or {}).items()):
                if epoch > 0:
                    scores.update((each, self._signed(v)) for each, v in self._passed(point, epoch, values, epochs))
            known = waits_at if not waits_at or waits_at in scores else None
            self._candidates[point] = Candidate(point, scores, epochs=epochs, hedged=hedged, waits_at=known)

    def after_report(
        self, trial: optuna.Trial, report: Report, facts: Mapping[str, str | int | float] | None = None
    ) -> Decision:
        """Decide what the first replicate of a point does after a report; after its last one there is nothing to.

        What it reports between being told to wait and waiting is noted, so that others are compared with it there.
        Points are compared at whole epochs, each by its latest evaluation at or before them.

        Args:
            trial: of the point.
            report: of its first replicate.
            facts: of this, among which further objectives may be.

        Returns:
            Whether it goes on, stops or waits; with a report that lacks an objective it goes on.
        """
        known = {**(facts or {}), **report.metrics}
        values = [float(known[each.metric]) for each in self._objective.each if each.metric in known]
        if not self.by_epoch or report.epoch == 0 or len(values) < len(self._objective.each):
            return Decision.CONTINUE
        candidate = self._candidates[trial.number]
        decision = Decision.PAUSE if candidate.waits_at else Decision.CONTINUE
        over = self._is_at_end(candidate, report.epoch)
        for epoch, each in self._passed(trial.number, report.epoch, values, candidate.epochs):
            told = self._after_epoch(trial, epoch, each, over)
            decision = told if decision is Decision.CONTINUE else decision
        return decision

    def _passed(
        self, point: int, epoch: float, values: Sequence[float], epochs: int | None
    ) -> list[tuple[int, Sequence[float]]]:
        before, self._latest[point] = self._latest.get(point), (epoch, values)
        return passed(before, (epoch, values), epochs)

    def _after_epoch(self, trial: optuna.Trial, epoch: int, values: Sequence[float], over: bool) -> Decision:
        """Decide what a point does by what it scored at an epoch, where its training is not `over`."""
        if not self._objective.others:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*already reported")  # by an attempt that failed later
                trial.report(values[0], step=epoch)
        candidate = self._candidates[trial.number]
        candidate.note(epoch, self._signed(values))
        self._candidates.changed(trial.number, since=epoch)
        if candidate.waits_at:
            return Decision.PAUSE
        if over:
            return Decision.CONTINUE
        if self._promoter is not None:
            decision = self._promoter.decide(trial.number, self._candidates)
            if decision is Decision.PAUSE:
                candidate.wait()
                self._candidates.changed(trial.number, since=math.inf)
            return decision
        stop = trial.should_prune() if self._stops is None else self._stops(candidate, self._candidates)
        return Decision.STOP if stop and not self._may_be_whole(candidate) else Decision.CONTINUE

    def waits(self, point: int) -> bool:
        """Return whether a point whose driver ended was told to wait where it is."""
        return bool(point in self._candidates and self._candidates[point].waits_at)

    def after_replicate(self, trial: optuna.Trial, place: int, score: float) -> bool:
        """Return whether a point stops after a replicate: the one at `place`, complete with `score`."""
        if not self.by_replicate:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a step that is stored already, and of a test on few pairs
            trial.report(score, step=place)
            return trial.should_prune()

    def note_state(self, point: int, state: TrialState) -> None:
        """Note that a point's first replicate runs, waits or has ended."""
        if point in self._candidates:
            self._candidates[point].state = state
            since = math.inf
            if state is TrialState.COMPLETE and point in self._latest:
                epoch, values = self._latest[point]
                since = math.ceil(epoch)
                self._candidates[point].note(since, self._signed(values))  # its end, were it a fraction
            if state in (TrialState.RUNNING, TrialState.COMPLETE):
                self._candidates[point].go_on()
            self._candidates.changed(point, since)

    def promote(self, asking: bool) -> int | None:
        """Return a paused point that goes on now, one that has nothing more to train first; see `Promoter.promote`."""
        if self._promoter is None:
            return None
        if (point := self._candidates.at_end()) is not None:
            return point
        return self._promoter.promote(self._candidates, asking)

    def candidate(self, point: int) -> Candidate | None:
        """Return a point as the pruner sees it; None for a pruner that looks at no epochs."""
        return self._candidates.get(point)

    def why_dropped(self, point: int) -> str:
        """Return the true reason to end a paused point, empty where no other was better at its epoch."""
        candidate = self._candidates[point]
        better = ahead(candidate, self._candidates)
        if not better:
            return ""
        named = ", ".join(str(each.point) for each in better[:NAMED])
        more = f" and {len(better) - NAMED} more" if len(better) > NAMED else ""
        return f"worse after epoch {candidate.epoch} than point{'s' if len(better) > 1 else ''} {named}{more}"

    def _is_at_end(self, candidate: Candidate, epoch: float) -> bool:
        end = self._candidates.end_of(candidate.epochs)
        return end is not None and epoch >= end

    def _may_be_whole(self, candidate: Candidate) -> bool:
        """Return whether a first report may be all that a point has to report: none of its kind has reported more."""
        is_unknown = self._candidates.end_of(candidate.epochs) is None
        return is_unknown and all(len(each.scores) < 2 for each in peers(candidate, self._candidates))

    def _signed(self, values: Sequence[float]) -> Score:
        """Return a score of which larger is better; what is not a number is the worst."""
        signed = [value if each.maximize else -value for each, value in zip(self._objective.each, values, strict=True)]
        known = tuple(-math.inf if math.isnan(value) else value for value in signed)
        return known if len(known) > 1 else known[0]
