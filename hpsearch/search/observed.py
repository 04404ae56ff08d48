"""A study's trials as arrays for a model of them: only those are read that have changed since the last look."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress, takewhile
from operator import attrgetter, is_not
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
"""States of the trials that a model learns from."""
_RUNS, _HAS_ENDED = 1, 2
_ROOM = 64
"""Arrays that have become too small get so many places more than are needed, and half of these."""


class Listed(list[FrozenTrial]):
    """The trials of a study by number, as they were at a time, from a storage that notes which of them it writes.

    Args:
        trials: of the study.
        written: number of every trial that was written, the last one last, with the time at which it was noted; one for
            all lists of a study.
        time: of this list: what was noted up to then is in it.
    """

    def __init__(self, trials: Iterable[FrozenTrial], written: Mapping[int, int], time: int) -> None:
        super().__init__(trials)
        self.written = written
        self.time = time

    def written_since(self, other: "Listed") -> list[int]:
        """Return the numbers of what was written since the earlier one of this list and another, in order."""
        time = min(self.time, other.time)
        return sorted(takewhile(lambda number: self.written[number] > time, reversed(self.written)))


def changed(before: Sequence[FrozenTrial], now: Sequence[FrozenTrial]) -> list[int]:
    """Return the places of the trials that are new or have changed.

    Optuna gives a trial that has changed as another object; a trial that is the same object is the same.

    Args:
        before: the trials of a study at an earlier look.
        now: the same trials now, and perhaps more behind them.
    """
    old = len(before)
    if isinstance(before, Listed) and isinstance(now, Listed) and before.written is now.written:
        both = min(old, len(now))
        there = [place for place in now.written_since(before) if place < both and now[place] is not before[place]]
    else:
        there = list(compress(range(old), map(is_not, now, before)))
    return [*there, *range(old, len(now))]


class Observed:
    """The trials of a study by their places in its list, which is in the order of their numbers.

    Args:
        direction: of the objective; None: there are several, by which nothing is ranked.
        params_of: (trial that runs) -> its hyperparameters, those among them that were proposed and not drawn yet.
    """

    def __init__(self, direction: StudyDirection | None, params_of: Callable[[FrozenTrial], Mapping[str, Any]]) -> None:
        self._sign = None if direction is None else -1 if direction is StudyDirection.MAXIMIZE else 1
        self._params_of = params_of
        self._begin()

    def _begin(self) -> None:
        self._trials: Sequence[FrozenTrial] = []
        self._states = np.zeros(0, np.int8)
        self._rows: dict[tuple[str, ...], _Rows] = {}
        self._ranked: list[tuple[float, ...]] = []
        self._common: dict[str, BaseDistribution] | None = None

    def look(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in how the trials are now."""
        if trials is self._trials:
            return
        if len(trials) < len(self._trials):
            self._begin()
        places = changed(self._trials, trials)
        if any(_are_others(self._trials[place], trials[place]) for place in places if place < len(self._trials)):
            self._begin()
            places = list(range(len(trials)))
        if (more := len(trials) - len(self._states)) > 0:
            self._states = np.concatenate([self._states, np.zeros(more + _ROOM + len(trials) // 2, np.int8)])
        for place in places:
            self._note(place, trials[place])
        self._trials = trials

    def _note(self, place: int, trial: FrozenTrial) -> None:
        ended = trial.state in ENDED
        self._states[place] = _HAS_ENDED if ended else _RUNS if trial.state is TrialState.RUNNING else 0
        if ended:
            self._common = _in_both(self._common, trial.distributions)
            if self._sign is not None:
                insort(self._ranked, _rank(trial, self._sign, place))

    @property
    def ended(self) -> int:
        """How many have ended."""
        return int(np.count_nonzero(self._states[: len(self._trials)] == _HAS_ENDED))

    @property
    def common(self) -> dict[str, BaseDistribution]:
        """The hyperparameters that all have that have ended, in the same range, by name in order."""
        return dict(sorted((self._common or {}).items()))

    def trials_that_ended(self) -> list[FrozenTrial]:
        """Return those that have ended."""
        return [self._trials[place] for place in self.others([], running=False).tolist()]

    def best(self, most: int) -> list[int]:
        """Return the places of the best that have ended, of so many at most, in their order in the study."""
        return sorted(int(key[-1]) for key in self._ranked[:most])

    def place(self, number: int) -> int:
        """Return the place of the trial with a number, or where it would be."""
        return bisect_left(self._trials, number, key=attrgetter("number"))

    def others(self, but: Sequence[int], running: bool) -> Places:
        """Return the places of those that have ended, and of those that run where they are wanted.

        Args:
            but: places that are left out.
            running: whether those that run are wanted.
        """
        wanted = self._states[: len(self._trials)] >= (_RUNS if running else _HAS_ENDED)
        wanted[[place for place in but if place < len(wanted)]] = False
        return np.flatnonzero(wanted)

    def values(self, places: Sequence[int] | Places, space: Mapping[str, BaseDistribution]) -> dict[str, Floats]:
        """Return the values of trials that have all hyperparameters of a space, in Optuna's numbers by name."""
        rows = self._rows.get(tuple(space))
        if rows is None or rows.space != space:
            rows = self._rows[tuple(space)] = _Rows(space)
        rows.grow(len(self._trials))
        there = np.asarray(places, np.intp)
        for place in there[~rows.settled[there]].tolist():
            rows.read(place, self._trials[place], self._params_of)
        found = rows.values[there]
        found = found[~np.isnan(found).any(axis=1)]
        return {name: found[:, column] for column, name in enumerate(space)}


class _Rows:
    """What trials have of a space, in Optuna's numbers, each read once when it has been drawn.

    Args:
        space: hyperparameters by name.

    Attributes:
        values: a row by place, NaN where something is missing.
        settled: whether what was read stays as it is.
    """

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        self.space = dict(space)
        self.values = np.empty((0, len(space)))
        self.settled = np.zeros(0, bool)

    def grow(self, size: int) -> None:
        """Make room for so many trials."""
        if (more := size - len(self.settled)) > 0:
            more += _ROOM + size // 2
            self.values = np.concatenate([self.values, np.full((more, len(self.space)), np.nan)])
            self.settled = np.concatenate([self.settled, np.zeros(more, bool)])

    def read(self, place: int, trial: FrozenTrial, params_of: Callable[[FrozenTrial], Mapping[str, Any]]) -> None:
        """Read a trial."""
        self.settled[place] = drawn = self.space.keys() <= trial.params.keys()
        params = trial.params if drawn else params_of(trial)
        if self.space.keys() <= params.keys():
            self.values[place] = [each.to_internal_repr(params[name]) for name, each in self.space.items()]


def _are_others(before: FrozenTrial, now: FrozenTrial) -> bool:
    """Return whether the trials are those of another study, or of another part of it; what has ended stays as it is."""
    return before.state in ENDED or before.number != now.number


def _in_both(
    some: Mapping[str, BaseDistribution] | None, others: Mapping[str, BaseDistribution]
) -> dict[str, BaseDistribution]:
    if some is None:
        return dict(others)
    return {name: distribution for name, distribution in some.items() if others.get(name) == distribution}


def _rank(trial: FrozenTrial, sign: int, place: int) -> tuple[float, ...]:
    """Return what trials that have ended are in order by: complete ones, pruned ones, those that are not feasible."""
    violation = sum(value for value in trial.constraints.values() if value > 0)
    if violation > 0:
        return (2, violation, 0, place)
    if trial.state is TrialState.COMPLETE and trial.value is not None:
        return (0, sign * trial.value, 0, place)
    if not trial.intermediate_values:
        return (1, 1, 0, place)
    step, value = max(trial.intermediate_values.items())
    return (1, -step, np.inf if np.isnan(value) else sign * value, place)
