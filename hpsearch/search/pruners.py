"""Stopping and pausing points: what ours adds to Optuna's pruners, and what the driver asks of either."""

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.base.types import Decision, Objective, Report, TrialState


@dataclass(slots=True)
class Candidate:
    """A point as a promoter sees it: its first replicate.

    Attributes:
        point: its number.
        scores: the objective by epoch, from epoch 1, the sign turned so that larger is better.
        state: RUNNING, PAUSED or final; a final point that came to its end by itself is COMPLETE.
    """

    point: int
    scores: dict[int, float] = field(default_factory=dict)
    state: TrialState = TrialState.RUNNING

    @property
    def epoch(self) -> int:
        """Its last epoch, 0 before the first report."""
        return max(self.scores, default=0)


class Promoter(NopPruner):
    """A pruner that pauses points and chooses which of them go on; a paused one continues from its checkpoint.

    Both methods are functions of the candidates alone, so that a resumed study goes on in the same way.
    """

    @abstractmethod
    def decide(self, point: int, candidates: Mapping[int, Candidate]) -> Decision:
        """Decide what a running point does after a report.

        Args:
            point: its number.
            candidates: of every point asked so far, by number.
        """

    @abstractmethod
    def promote(self, candidates: Mapping[int, Candidate], asking: bool) -> int | None:
        """Choose a paused point that goes on now, before a new one is asked.

        Args:
            candidates: of every point asked so far, by number.
            asking: whether new points may still be asked.

        Returns:
            Its number. None: ask for a new one; or, when there will be none and nothing runs any more, tell the
            paused ones PRUNED.
        """


class TopKAfter(Promoter):
    """All points train to an epoch, the best of them go on to the end, the others wait.

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

    def decide(self, point: int, candidates: Mapping[int, Candidate]) -> Decision:
        """Pause a point at its first report at or after the epoch."""
        reached = [epoch for epoch in candidates[point].scores if epoch >= self.epochs]
        return Decision.PAUSE if len(reached) == 1 else Decision.CONTINUE

    def promote(self, candidates: Mapping[int, Candidate], asking: bool) -> int | None:
        """Choose the best paused one of the k best of a batch, once all of the batch have come to the epoch."""
        for batch in self._whole_batches(candidates, asking):
            if any(each.state is TrialState.RUNNING and each.epoch < self.epochs for each in batch):
                continue
            for each in self._best(batch):
                if each.state is TrialState.PAUSED and len([e for e in each.scores if e >= self.epochs]) == 1:
                    return each.point
        return None

    def _whole_batches(self, candidates: Mapping[int, Candidate], asking: bool) -> list[Sequence[Candidate]]:
        """Return the batches that get no further points."""
        ordered = [candidates[point] for point in sorted(candidates)]
        size = self.of or max(len(ordered), 1)
        batches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        return [batch for batch in batches if not asking or (self.of is not None and len(batch) == size)]

    def _best(self, batch: Sequence[Candidate]) -> list[Candidate]:
        """Return the k best at the epoch, or at its first report after it, of those that came so far."""
        scored = []
        for each in batch:
            late = [epoch for epoch in each.scores if epoch >= self.epochs]
            if late and each.state is not TrialState.INFEASIBLE:
                scored.append((-each.scores[min(late)], each.point, each))
        return [each for _, _, each in sorted(scored)[: self.k]]


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
        self._candidates: dict[int, Candidate] = {}
        self.by_replicate = isinstance(pruner, WilcoxonPruner)
        self.by_epoch = not self.by_replicate and (self._promoter is not None or not isinstance(pruner, NopPruner))

    def opened(self, point: int, curve: Mapping[int, float] | None = None) -> None:
        """Note a point that was asked, with the curve that is on record of its first replicate."""
        if self._promoter is not None:
            scores = {epoch: self._signed(value) for epoch, value in (curve or {}).items() if epoch > 0}
            self._candidates[point] = Candidate(point, scores)

    def after_report(self, trial: optuna.Trial, report: Report) -> Decision:
        """Decide what the first replicate of a point does after a report."""
        value = report.metrics.get(self._objective.metric)
        if not self.by_epoch or report.epoch == 0 or value is None:
            return Decision.CONTINUE
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*already reported")  # by an attempt that failed later
            trial.report(value, step=report.epoch)
        if self._promoter is not None:
            self._candidates[trial.number].scores[report.epoch] = self._signed(value)
            return self._promoter.decide(trial.number, self._candidates)
        return Decision.STOP if trial.should_prune() else Decision.CONTINUE

    def pauses(self, point: int) -> bool:
        """Return whether a point whose driver ended stands where it is paused."""
        candidate = self._candidates.get(point)
        if self._promoter is None or candidate is None or not candidate.scores:
            return False
        return self._promoter.decide(point, self._candidates) is Decision.PAUSE

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

    def promote(self, asking: bool) -> int | None:
        """Return a paused point that goes on now; see `Promoter.promote`."""
        return None if self._promoter is None else self._promoter.promote(self._candidates, asking)

    @property
    def remembers(self) -> bool:
        """Whether the curves of finished points are read again when a study is resumed."""
        return self._promoter is not None

    def _signed(self, value: float) -> float:
        return value if self._objective.maximize else -value
