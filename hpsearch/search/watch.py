"""How long running trials train and are silent, and which of them have had their time."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from hpsearch.base.keys import SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.base.types import Clock, Message, Report, TrialId

START_SEC = 60.0
"""What a worker may take beyond a limit until a trial's first message: imports, data, the model."""
ROUNDING_SEC = 1e-6
STEP_SEC = 2.0
"""More than that between two looks at trials that go on by themselves is time in which the driver stood still."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long a trial may take.

    Attributes:
        trial_seconds: in training, over all its attempts; None: any time.
        silent_seconds: between two of its messages; None: any time.
    """

    trial_seconds: float | None = None
    silent_seconds: float | None = None

    @classmethod
    def in_budget(cls, budget: Mapping[str, Any]) -> Self:
        """Return those that a configuration's `budget` names."""
        return cls(budget["trial_seconds"], budget["silent_seconds"])

    def of(self, key: str) -> float | None:
        """Return the limit of a key of the configuration."""
        return {TRIAL_SECONDS: self.trial_seconds, SILENT_SECONDS: self.silent_seconds}[key]

    def allow_again(self, ended_by: Mapping[str, float]) -> bool:
        """Return whether a limit that ended a trial has been raised since, see `TrialResult.ended_by`."""
        return any((now := self.of(key)) is None or now > then for key, then in ended_by.items())


UNLIMITED = TimeLimits()


@dataclass(slots=True)
class _Times:
    """Of a running trial, as `Watch` counts: when its training would have begun in one go, and its last message; of its
    present epoch; and how far it is.
    """

    trained_from: float
    heard_at: float
    started: bool = False
    of_epoch: float = 0.0
    epoch: int = -1


class Watch:
    """Takes the time of running trials; what passes while a trial is paused is nobody's.

    Args:
        limits: what they may take.
        timer: monotonic seconds.
        detached: whether trials go on while nobody looks, see `Launcher`; then longer steps than `STEP_SEC` count as
            that, since the driver was suspended and cannot say what happened meanwhile.

    Attributes:
        now: seconds that were watched.
        longest: the longest time so far of an epoch, or between two messages of a trial where that is longer.
    """

    def __init__(self, limits: TimeLimits, timer: Clock, detached: bool) -> None:
        self.limits = limits
        self.now = self.longest = 0.0
        self._timer = timer
        self._step = STEP_SEC if detached else math.inf
        self._before: float | None = None
        self._times: dict[TrialId, _Times] = {}
        self._kill_at: dict[TrialId, float] = {}
        self._look_at = -math.inf
        self._trained: dict[TrialId, float] = {}

    def start(self, trial: TrialId, trained: float) -> None:
        """Watch a trial that was given to a worker.

        Args:
            trial: that begins, or goes on.
            trained: seconds that it trained under earlier drivers; what it trained under this one is known.
        """
        self._times[trial] = times = _Times(self.now - self._trained.get(trial, trained), self.now)
        self._look_at = min(self._look_at, self._due_at(times))

    def end(self, trial: TrialId) -> None:
        """Watch a trial no longer, until it goes on."""
        self._trained[trial] = self._trained_sec(self._times.pop(trial))
        self._kill_at.pop(trial, None)

    def forget(self, trial: TrialId) -> None:
        """Forget a trial that does not go on."""
        self._trained.pop(trial, None)

    def condemn(self, trial: TrialId, grace_sec: float) -> None:
        """Have a running trial killed after a grace."""
        self._kill_at[trial] = min(self._kill_at.get(trial, math.inf), self.now + grace_sec)

    def condemned(self) -> list[TrialId]:
        """Return the trials whose grace is over."""
        return [trial for trial, kill_at in self._kill_at.items() if self.now >= kill_at]

    def advance(self, waiting: Collection[TrialId] = ()) -> None:
        """Count the time that has passed, for all but the trials that wait for an answer."""
        now = self._timer()
        step = 0.0 if self._before is None else min(max(now - self._before, 0.0), self._step)
        self._before = now
        self.now += step
        for trial in waiting:
            if (times := self._times.get(trial)) is not None:
                times.heard_at += step
                times.trained_from += step

    def _trained_sec(self, times: _Times) -> float:
        return (self.now if times.started else times.heard_at) - times.trained_from

    def heard(self, trial: TrialId, message: Message | None = None) -> bool:
        """Note a message of a trial.

        Args:
            trial: that runs.
            message: a report says by its epoch whether an epoch is over: a trial pauses at the end of one.

        Returns:
            Whether it was silent for too long.
        """
        times = self._times[trial]
        late, silent = self._too_silent(times), self.now - times.heard_at
        if times.started:
            times.of_epoch += silent
            self.longest = max(self.longest, times.of_epoch)
        else:  # what it took to begin is no training
            times.trained_from += silent
        if isinstance(message, Report):
            epoch = math.floor(message.epoch)
            times.of_epoch = times.of_epoch if epoch == times.epoch else 0.0
            times.epoch = epoch
        else:
            times.of_epoch = 0.0
        begins, times.heard_at, times.started = not times.started, self.now, True
        if begins:
            self._look_at = min(self._look_at, self._due_at(times))
        return late

    def _too_silent(self, times: _Times) -> bool:
        limit = self.limits.silent_seconds
        return limit is not None and self.now - times.heard_at >= limit + (0.0 if times.started else START_SEC)

    def overdue(self) -> list[tuple[TrialId, str]]:
        """Return the trials over a limit, each with the limit's key; of a trial that is silent, this comes first."""
        found: list[tuple[TrialId, str]] = []
        if self.limits == UNLIMITED or self.now < self._look_at - ROUNDING_SEC:
            return found
        for trial, times in self._times.items():
            trained = self._trained_sec(times) if times.started else self.now - times.heard_at - START_SEC
            if self._too_silent(times):
                found.append((trial, SILENT_SECONDS))
            elif self.limits.trial_seconds is not None and trained >= self.limits.trial_seconds:
                found.append((trial, TRIAL_SECONDS))
        self._look_at = min(map(self._due_at, self._times.values()), default=math.inf)
        return found

    def _due_at(self, times: _Times) -> float:
        """Return when a trial is over a limit unless it is heard of before."""
        start = 0.0 if times.started else START_SEC
        trained_from = times.trained_from if times.started else times.heard_at + START_SEC
        silent, trained = self.limits.silent_seconds, self.limits.trial_seconds
        return min(
            math.inf if silent is None else times.heard_at + silent + start,
            math.inf if trained is None else trained_from + trained,
        )
