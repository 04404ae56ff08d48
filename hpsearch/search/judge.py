"""What a study's pruner says of its points, whichever kind of pruner it is."""

import warnings
from collections.abc import Mapping

import optuna
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner

from hpsearch.base.types import Decision, Objective, Report, TrialState
from hpsearch.search.pruners import Promoter, Standing


class Judge:
    """Asks a pruner after every report, or after every replicate, and keeps the standings that a promoter reads.

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
        self._standings: dict[int, Standing] = {}
        self.by_replicate = isinstance(pruner, WilcoxonPruner)
        self.by_epoch = not self.by_replicate and (self._promoter is not None or not isinstance(pruner, NopPruner))

    def opened(self, point: int, curve: Mapping[int, float] | None = None) -> None:
        """Note a point that was asked, with the curve that is on record of its first replicate."""
        if self._promoter is not None:
            scores = {epoch: self._signed(value) for epoch, value in (curve or {}).items() if epoch > 0}
            self._standings[point] = Standing(point, scores)

    def after_report(self, trial: optuna.Trial, report: Report) -> Decision:
        """Decide what the first replicate of a point does after a report."""
        value = report.metrics.get(self._objective.metric)
        if not self.by_epoch or report.epoch == 0 or value is None:
            return Decision.CONTINUE
        trial.report(value, step=report.epoch)
        if self._promoter is not None:
            self._standings[trial.number].scores[report.epoch] = self._signed(value)
            return self._promoter.judge(trial.number, self._standings)
        return Decision.STOP if trial.should_prune() else Decision.CONTINUE

    def pauses(self, point: int) -> bool:
        """Return whether a point whose driver ended stands where it is paused."""
        standing = self._standings.get(point)
        if self._promoter is None or standing is None or not standing.scores:
            return False
        return self._promoter.judge(point, self._standings) is Decision.PAUSE

    def after_replicate(self, trial: optuna.Trial, place: int, score: float) -> bool:
        """Return whether a point stops after a replicate: the one at `place`, complete with `score`."""
        if not self.by_replicate:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a step that is stored already, and of a test on few pairs
            trial.report(score, step=place)
            return trial.should_prune()

    def stands(self, point: int, state: TrialState) -> None:
        """Note that a point's first replicate runs, waits or has ended."""
        if point in self._standings:
            self._standings[point].state = state

    def promote(self, asking: bool) -> int | None:
        """Return a paused point that goes on now; see `Promoter.promote`."""
        return None if self._promoter is None else self._promoter.promote(self._standings, asking)

    @property
    def remembers(self) -> bool:
        """Whether the curves of finished points are read again when a study is resumed."""
        return self._promoter is not None

    def _signed(self, value: float) -> float:
        return value if self._objective.maximize else -value
