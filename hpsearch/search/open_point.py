"""A point that was asked and not told yet."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna

from hpsearch.base.types import Objective, TrialId
from hpsearch.search.live import Finished

HEDGED = "hedged"
"""User attribute of a point that trains to its end whatever its rank."""


@dataclass
class Point:
    """An open point: asked, not yet told.

    Attributes:
        trial: its Optuna trial.
        params: its active hyperparameters by dotted key.
        waiting: the replicates that are yet to start.
        open: its trials that have started and not ended.
        finished: its trials that have ended.
        paused: its first trial, while the pruner has paused it.
        judged: up to this epoch its first trial was judged good enough to go on.
        stopped: whether a pruner stopped it between its replicates.
    """

    trial: optuna.Trial
    params: Mapping[str, Any]
    waiting: list[tuple[int, int]]
    open: set[TrialId] = field(default_factory=set)
    finished: dict[TrialId, Finished] = field(default_factory=dict)
    paused: Finished | None = None
    judged: int = 0
    stopped: bool = False

    def untrained(self, objective: Objective) -> float:
        """Return what the untrained model scored; where smaller is better also its first training loss will do."""
        scores = [done.curve.get(0, math.nan) for done in self.finished.values()]
        if not objective.maximize:
            scores += [float(done.result.facts.get("first_loss", math.nan)) for done in self.finished.values()]
        return next(filter(math.isfinite, scores), math.nan)

    @property
    def hedged(self) -> bool:
        """Whether it is stored that it goes on whatever its rank."""
        return HEDGED in self.trial.user_attrs

    def keep_hedged(self, hedged: bool) -> None:
        """Store that it goes on whatever its rank, for a driver that resumes the study."""
        if hedged and not self.hedged:
            self.trial.set_user_attr(HEDGED, True)
