"""What a search has come to: trials by state, epochs, the best score and the worst."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.base.outcome import PointOutcome
from hpsearch.base.types import BestPoint, Objective, TrialState


class Results:
    """Counts what was trained and keeps the best and the worst.

    Args:
        objective: what is searched for.

    Attributes:
        counts: finished trials by state.
        epochs: of all finished trials together.
        best: the best complete point.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._worst: list[float | None] = [None] * len(objective.each)
        self.counts: Counter[TrialState] = Counter()
        self.epochs = 0
        self.best: BestPoint | None = None

    def add_trials(self, counts: Mapping[TrialState, int], epochs: int) -> None:
        """Count finished trials and the epochs that they trained."""
        self.counts.update(counts)
        self.epochs += epochs

    def add_point(self, point: BestPoint, scores: Sequence[float]) -> bool:
        """Note a complete point.

        Args:
            point: as it would be the best.
            scores: its means, one per objective.

        Returns:
            Whether it is the best so far, by the first objective; of equal ones the less spread.
        """
        for i, (objective, score) in enumerate(zip(self._objective.each, scores, strict=True)):
            worst = self._worst[i]
            if math.isfinite(score) and (worst is None or objective.better(worst, score)):
                self._worst[i] = score
        best = self.best
        if best is None or self._objective.better(point.mean, best.mean) or _is_steadier(point, best):
            self.best = point
        return self.best is point

    def penalties(self, untrained: float) -> list[float]:
        """Return what an infeasible point is told: the worst finite score so far, per objective.

        Args:
            untrained: what the untrained model scored; it stands in for the first objective while there is no score.
        """
        unknown = [untrained if math.isfinite(untrained) else 0.0, *(0.0 for _ in self._objective.others)]
        return [other if worst is None else worst for worst, other in zip(self._worst, unknown, strict=True)]


def _is_steadier(point: BestPoint, best: BestPoint) -> bool:
    return point.mean == best.mean and point.sd < best.sd


def outcome_attrs(outcome: PointOutcome, states: Sequence[TrialState], epochs: int) -> dict[str, Any]:
    """Return what the Optuna trial of a told point says of it, for a driver that resumes the study.

    Args:
        outcome: of the point.
        states: of its trials.
        epochs: that they trained.

    Returns:
        ``state``, ``trials`` (their number by state), ``epochs``, and of a complete one ``mean``, ``sd`` and ``n``.
    """
    attrs: dict[str, Any] = {"state": outcome.state, "trials": Counter(states), "epochs": epochs}
    if outcome.state is TrialState.COMPLETE:
        attrs |= {"mean": outcome.mean, "sd": outcome.sd, "n": outcome.n}
    return attrs
