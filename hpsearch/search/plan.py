"""How much a search trains, and in which world."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hpsearch.base.keys import PATIENCE, POINTS
from hpsearch.base.observer import Observer
from hpsearch.base.types import Clock, Objective
from hpsearch.search.watch import UNLIMITED, TimeLimits


@dataclass(frozen=True, slots=True)
class Plan:
    """How many points, each over which replicates, and when to stop.

    Attributes:
        objective: what is searched for.
        seeds: of the replicates.
        folds: of the cross-validation; ``(0,)`` for a single split.
        points: at most so many points; None: until the grid or the space is used up.
        patience: at most so many points after the last improvement, see `hpsearch.search.ending.last_improvement`.
        seconds: start nothing new after so long; what then runs pauses, and is killed after the launcher's grace.
        epochs: start nothing new after so many epochs of all trials together.
        target: start nothing new once a point's score is this good.
        failures: start nothing new once so many of the first points have failed alike and none has worked.
        recalls_failures: whether those count that failed under earlier drivers; else every driver tries again.
        limits: how long a trial may take.
    """

    objective: Objective
    seeds: tuple[int, ...]
    folds: tuple[int, ...] = (0,)
    points: int | None = None
    patience: int | None = None
    seconds: float | None = None
    epochs: int | None = None
    target: float | None = None
    failures: int | None = None
    recalls_failures: bool = False
    limits: TimeLimits = UNLIMITED

    def allow_again(self, ended_by: Mapping[str, float]) -> bool:
        """Return whether a limit that ended a trial or a point has been raised since, see `TrialResult.ended_by`."""
        own: Mapping[str, float | None] = {POINTS: self.points, PATIENCE: self.patience}
        now = {key: own[key] if key in own else self.limits.of(key) for key in ended_by}
        return any((limit := now[key]) is None or limit > then for key, then in ended_by.items())

    @property
    def replicates(self) -> list[tuple[int, int]]:
        """The (seed, fold) of every trial of a point; the first one is judged by pruners."""
        return [(seed, fold) for fold in self.folds for seed in self.seeds]


@dataclass(frozen=True, slots=True)
class Environment:
    """What a driver needs of the world.

    Attributes:
        observer: shows progress.
        clock: seconds since the Unix epoch.
        system: samples the load of the machine, at its own pace by the timer.
        timer: monotonic seconds, for the limits of trials and of the search.
    """

    observer: Observer
    clock: Clock
    system: Callable[[float], Mapping[str, float] | None] = lambda _: None
    timer: Clock = time.monotonic
