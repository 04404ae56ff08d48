"""What a search has come to: trials by state, epochs, the best score and the worst."""

import math
from collections import Counter
from collections.abc import Sequence

from hpsearch.base.types import BestPoint, Objective, TrialState


class Tally:
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

    def note_scores(self, scores: Sequence[float]) -> None:
        """Note a complete point's scores, one per objective."""
        for place, (objective, score) in enumerate(zip(self._objective.each, scores, strict=True)):
            worst = self._worst[place]
            if math.isfinite(score) and (worst is None or objective.better(worst, score)):
                self._worst[place] = score

    def note_best(self, point: BestPoint) -> bool:
        """Return whether a complete point is the best so far, by the first objective; of equal ones the less spread."""
        best = self.best
        better = best is None or self._objective.better(point.mean, best.mean) or _steadier(point, best)
        if better:
            self.best = point
        return better

    def penalties(self, untrained: Sequence[float]) -> list[float]:
        """Return what an infeasible point is told: the worst finite score so far, per objective.

        Args:
            untrained: what the untrained model scored, per objective; it stands in while there is no score.
        """
        finite = [score if math.isfinite(score) else 0.0 for score in untrained]
        return [known if worst is None else worst for worst, known in zip(self._worst, finite, strict=True)]


def _steadier(point: BestPoint, best: BestPoint) -> bool:
    return point.mean == best.mean and point.sd < best.sd
