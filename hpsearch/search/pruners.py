"""Stopping and pausing points: what ours adds to Optuna's pruners."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optuna.pruners import NopPruner

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.base.types import Decision, TrialState


@dataclass(slots=True)
class Standing:
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

    Both methods are functions of the standings alone, so that a resumed study goes on in the same way.
    """

    @abstractmethod
    def judge(self, point: int, standings: Mapping[int, Standing]) -> Decision:
        """Decide what a running point does after a report.

        Args:
            point: its number.
            standings: of every point asked so far, by number.
        """

    @abstractmethod
    def promote(self, standings: Mapping[int, Standing], asking: bool) -> int | None:
        """Choose a paused point that goes on now, before a new one is asked.

        Args:
            standings: of every point asked so far, by number.
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

    def judge(self, point: int, standings: Mapping[int, Standing]) -> Decision:
        """Pause a point at its first report at or after the epoch."""
        reached = [epoch for epoch in standings[point].scores if epoch >= self.epochs]
        return Decision.PAUSE if len(reached) == 1 else Decision.CONTINUE

    def promote(self, standings: Mapping[int, Standing], asking: bool) -> int | None:
        """Choose the best paused one of the k best of a batch, once all of the batch have come to the epoch."""
        for batch in self._whole_batches(standings, asking):
            if any(each.state is TrialState.RUNNING and each.epoch < self.epochs for each in batch):
                continue
            for each in self._best(batch):
                if each.state is TrialState.PAUSED and len([e for e in each.scores if e >= self.epochs]) == 1:
                    return each.point
        return None

    def _whole_batches(self, standings: Mapping[int, Standing], asking: bool) -> list[Sequence[Standing]]:
        """Return the batches that get no further points."""
        ordered = [standings[point] for point in sorted(standings)]
        size = self.of or max(len(ordered), 1)
        batches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        return [batch for batch in batches if not asking or (self.of is not None and len(batch) == size)]

    def _best(self, batch: Sequence[Standing]) -> list[Standing]:
        """Return the k best at the epoch, or at its first report after it, of those that came so far."""
        scored = []
        for each in batch:
            late = [epoch for epoch in each.scores if epoch >= self.epochs]
            if late and each.state is not TrialState.INFEASIBLE:
                scored.append((-each.scores[min(late)], each.point, each))
        return [each for _, _, each in sorted(scored)[: self.k]]
