"""A point that was asked and not told yet."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna

from hpsearch.base.types import Objective, TrialId
from hpsearch.search.by_hand import SKIPPED
from hpsearch.search.candidates import Candidate
from hpsearch.search.live import Finished

HEDGED = "hedged"
"""User attribute of a point: the epoch to which it trains whatever its rank."""
WAITS_AT = "waits_at"
"""User attribute of a point that was told to wait: the epoch, 0 once it was chosen to go on."""


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
        hedged: as it is stored, see `Candidate`.
        waits_at: the same.
        skipped: whether it was given up before it was asked.
    """

    trial: optuna.Trial
    params: Mapping[str, Any]
    waiting: list[tuple[int, int]]
    open: set[TrialId] = field(default_factory=set)
    finished: dict[TrialId, Finished] = field(default_factory=dict)
    paused: Finished | None = None
    judged: float = 0
    stopped: bool = False
    hedged: int = field(init=False)
    waits_at: int | None = field(init=False)
    skipped: bool = field(init=False)

    def __post_init__(self) -> None:
        stored = self.trial.user_attrs
        self.hedged, self.waits_at = stored.get(HEDGED, 0), stored.get(WAITS_AT)
        self.skipped = SKIPPED in stored

    def untrained(self, objective: Objective) -> float:
        """Return what the untrained model scored; where smaller is better also the loss of knowing nothing will do."""
        scores = [done.curve.get(0, math.nan) for done in self.finished.values()]
        if not objective.maximize:
            scores += [float(done.result.facts.get("reference_loss", math.nan)) for done in self.finished.values()]
        return next(filter(math.isfinite, scores), math.nan)

    def keep(self, candidate: Candidate | None) -> None:
        """Store what the pruner has decided, for a driver that resumes the study."""
        if candidate is None:
            return
        if candidate.hedged != self.hedged:
            self.hedged = candidate.hedged
            self.trial.set_user_attr(HEDGED, candidate.hedged)
        if candidate.waits_at != self.waits_at:
            self.waits_at = candidate.waits_at
            self.trial.set_user_attr(WAITS_AT, candidate.waits_at)


class OpenedPoints(dict[int, Point]):
    """The open points by number, among which those are known that wait, and those that may have a trial to start."""

    def __init__(self) -> None:
        super().__init__()
        self._paused: set[int] = set()
        self._may_start: set[int] = set()

    def __setitem__(self, number: int, point: Point) -> None:
        super().__setitem__(number, point)
        self._may_start.add(number)

    def __delitem__(self, number: int) -> None:
        super().__delitem__(number)
        self._may_start.discard(number)

    @property
    def paused(self) -> list[int]:
        """Those that the pruner has paused."""
        return [number for number in self if number in self._paused] if self._paused else []

    @property
    def number_paused(self) -> int:
        """How many they are."""
        return len(self._paused)

    def pause(self, point: Point, done: Finished) -> None:
        """Note that the first trial of a point waits."""
        point.paused = done
        self._paused.add(point.trial.number)

    def go_on(self, point: Point) -> Finished:
        """Return the first trial of a point, which waits no more."""
        assert point.paused is not None, f"point {point.trial.number} is not paused"
        done, point.paused = point.paused, None
        self._paused.discard(point.trial.number)
        self.look_again(point)
        return done

    def look_again(self, point: Point) -> None:
        """Note that a point may have a trial to start."""
        self._may_start.add(point.trial.number)

    def set_aside(self, point: Point) -> None:
        """Note that a point has none until one of its trials ends or goes on."""
        self._may_start.discard(point.trial.number)

    def in_order(self, rounds: bool) -> list[Point]:
        """Return those that may have one, first the one whose starts first: in rounds, that of the fewest trials."""
        found = [self[number] for number in self._may_start]
        return sorted(found, key=lambda point: (-len(point.waiting) if rounds else 0, point.trial.number))
