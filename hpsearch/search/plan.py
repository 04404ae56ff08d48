"""How much a search trains, and in which world."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hpsearch.base.keys import PATIENCE, POINTS
from hpsearch.base.observer import Observer
from hpsearch.base.types import Clock, Objective
from hpsearch.search.watch import UNLIMITED, TimeLimits

FRESH = 1000
"""Added to the seed of a study: no trial of its search has seen the seeds that follow."""
KEPT = 0.2
"""The share of the budget that a search over one seed keeps for them."""


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
        confirm: fresh seeds over which the best points of a search over one seed are trained at its end.
        trial_epochs: of one trial, where they are known.
        rounds: ask for every point first, and train each once before any a second time.
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
    confirm: int = 0
    trial_epochs: int | None = None
    rounds: bool = False

    def allow_again(self, ended_by: Mapping[str, float]) -> bool:
        """Return whether a limit that ended a trial or a point has been raised since, see `TrialResult.ended_by`."""
        own: Mapping[str, float | None] = {POINTS: self.points, PATIENCE: self.patience}
        now = {key: own[key] if key in own else self.limits.of(key) for key in ended_by}
        return any((limit := now[key]) is None or limit > then for key, then in ended_by.items())

    @property
    def replicates(self) -> list[tuple[int, int]]:
        """The (seed, fold) of every trial of a point; the first one is judged by pruners."""
        return [(seed, fold) for fold in self.folds for seed in self.seeds]

    @property
    def fresh(self) -> tuple[int, ...]:
        """Seeds that nothing is chosen by; none where points have several trials, or there are several objectives."""
        once = len(self.replicates) == 1 and not self.objective.others
        return tuple(self.seeds[0] + FRESH + place for place in range(self.confirm if once else 0))

    @property
    def search_seconds(self) -> float | None:
        """What of `seconds` is searched; the rest is kept for the fresh seeds."""
        return self.seconds if self.seconds is None or not self.fresh else (1 - KEPT) * self.seconds

    @property
    def search_epochs(self) -> float | None:
        """What of `epochs` is searched: the rest is kept for the fresh seeds, of one point at least.

        Nothing is kept where that takes more than a third of them.
        """
        if self.epochs is None or not self.fresh:
            return self.epochs
        one = len(self.fresh) * (self.trial_epochs or 0)
        return self.epochs if 3 * one > self.epochs else self.epochs - max(KEPT * self.epochs, one)


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
