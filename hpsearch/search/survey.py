"""What is known of a study's trials, of which only those are looked at that have changed since the last look."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.base.outcome import INFEASIBLE
from hpsearch.search.observed import changed
from hpsearch.search.optuna_internals import is_of_no_study
from hpsearch.search.space import Space

NEAREST = 3
"""Where so many of the nearest points all trained to no end, no further one is spread."""
_NEAR = 1e-9
"""Distances that differ by less, as a share, are computed again, one after the other as they are compared."""


class Survey:
    """The trials of a study, as a sampler sees them: how many have a score, which were best, where they fail.

    Args:
        space: of the study; None: nothing is asked about places.
        direction: of its objective; None: it has several, and nothing is asked about the best.
    """

    def __init__(self, space: Space | None, direction: StudyDirection | None) -> None:
        self._space = space
        self._ranks, self._sign = direction is not None, -1 if direction is StudyDirection.MAXIMIZE else 1
        self._begin()

    def _begin(self) -> None:
        self._trials: Sequence[FrozenTrial] = []
        self.scored = self._foreign = self._unordered = 0
        self._places = _Places(self._space)
        self._keys: list[tuple[float, ...] | None] = []
        self._ranked: list[tuple[float, ...]] = []
        self._holders: dict[tuple[float, ...], list[int]] = {}

    def look(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in how the trials are now."""
        if len(trials) < len(self._trials):
            self._begin()
        for index in changed(self._trials, trials):
            self._replace(index, trials[index])
        self._trials = trials

    def _replace(self, index: int, trial: FrozenTrial) -> None:
        if index < len(self._trials):
            before = self._trials[index]
            self.scored -= is_scored(before)
            self._foreign -= is_of_no_study(before)
            self._forget(index)
        else:
            self._keys.append(None)
        self.scored += is_scored(trial)
        self._foreign += is_of_no_study(trial)
        self._rank(index, trial)
        self._places.note(index, trial)

    @property
    def has_foreign(self) -> bool:
        """Whether there are trials of another study."""
        return self._foreign > 0

    def _forget(self, index: int) -> None:
        if (key := self._keys[index]) is None:
            return
        self._unordered -= _is_unordered(key)
        holders = self._holders[key]
        del holders[bisect_left(holders, index)]
        if not holders:
            del self._holders[key]
            if not _is_unordered(key):
                del self._ranked[bisect_left(self._ranked, key)]

    def _rank(self, index: int, trial: FrozenTrial) -> None:
        self._keys[index] = key = rank_key(trial, self._sign) if self._ranks else None
        if key is None:
            return
        self._unordered += _is_unordered(key)
        if key not in self._holders and not _is_unordered(key):
            insort(self._ranked, key)
        insort(self._holders.setdefault(key, []), index)

    def best(self, most: int) -> list[FrozenTrial]:
        """Return the feasible points that came furthest and were best there, one of those with the same curve."""
        if self._unordered:
            return best_of_all(self._trials, self._sign, most)
        return [self._trials[self._holders[key][0]] for key in self._ranked[:most]]

    def is_among_failures(self, point: Mapping[str, Any]) -> bool:
        """Return whether the nearest points that have ended all trained to no end."""
        return self._places.is_among_failures(point, self._trials)


class _Places:
    """Where the trials that have ended lie, and whether they trained to no end."""

    def __init__(self, space: Space | None) -> None:
        self._space = space
        self._rows: list[list[Any] | None] = []
        self._lost: list[bool] = []
        self._numbers = {"ended": 0, "lost": 0}
        self._codes: list[dict[Any, int]] = [{} for _ in (space.asked if space else ())]
        self._array = np.full((0, len(self._codes)), np.nan)
        self._ended = np.full(0, False)

    def note(self, index: int, trial: FrozenTrial) -> None:
        """Note how a trial stands."""
        if index == len(self._rows):
            self._rows.append(None)
            self._lost.append(False)
            if index == len(self._array):
                self._array = np.concatenate([self._array, np.full((64 + index, len(self._codes)), np.nan)])
                self._ended = np.concatenate([self._ended, np.full(64 + index, False)])
        elif self._rows[index] is not None:
            self._numbers["ended"] -= 1
            self._numbers["lost"] -= self._lost[index]
        ended = self._space is not None and trial.state.is_finished()
        self._rows[index] = row = self._row(trial.params) if ended else None
        self._lost[index] = ended and trained_to_no_end(trial)
        self._ended[index] = ended
        self._numbers["ended"] += ended
        self._numbers["lost"] += self._lost[index]
        if row is not None:
            self._array[index] = self._coded(row)

    def _row(self, params: Mapping[str, Any]) -> list[Any]:
        """Return a point's places in the ranges and its choices; None where it has none."""
        assert self._space is not None
        flat = self._space.flat(self._space.active(params))
        values = ((each, flat.get(each.name)) for each in self._space.asked)
        return [value if value is None or each.values is not None else each.to_unit(value) for each, value in values]

    def _coded(self, row: Sequence[Any]) -> list[float]:
        """Return numbers: what is not there is NaN, choices are numbered from 2."""
        assert self._space is not None
        return [
            np.nan if value is None else value if each.values is None else 2 + codes.setdefault(value, len(codes))
            for each, codes, value in zip(self._space.asked, self._codes, row, strict=True)
        ]

    def is_among_failures(self, point: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> bool:
        if self._space is None or self._numbers["ended"] < NEAREST or not self._numbers["lost"]:
            return False
        row, ended = self._row(point), np.flatnonzero(self._ended)
        far = self._far(np.array(self._coded(row)), ended)
        limit = np.partition(far, NEAREST - 1)[NEAREST - 1]
        near = ended[far <= limit + _NEAR * (1 + limit)].tolist()
        nearest = sorted(near, key=lambda index: (self._distance(row, self._rows[index]), trials[index].number))
        return all(self._lost[index] for index in nearest[:NEAREST])

    def _far(self, coded: NDArray[np.float64], ended: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the distances of those that have ended from a point, rounded."""
        assert self._space is not None
        total = np.zeros(len(ended))
        for each, ours, theirs in zip(self._space.asked, coded, self._array[ended].T, strict=True):
            unequal = np.where(np.isnan(theirs) & np.isnan(ours), 0.0, 1.0)
            apart = (theirs - ours) ** 2 if each.values is None else np.where(theirs == ours, 0.0, unequal)
            total += np.where(np.isnan(apart), unequal, apart)
        return total

    def _distance(self, one: Sequence[Any], other: Sequence[Any] | None) -> float:
        """Return how far two points lie from each other, squared.

        Every range is 1 long; so far apart are also choices that differ, and what only one of both has.
        """
        assert self._space is not None and other is not None
        squares = 0.0
        for each, a, b in zip(self._space.asked, one, other, strict=True):
            is_range = a is not None and b is not None and each.values is None
            squares += (a - b) ** 2 if is_range else a != b
        return squares


def trained_to_no_end(trial: FrozenTrial) -> bool:
    """Return whether a point was infeasible."""
    return trial.constraints.get(INFEASIBLE, -1.0) > 0


def rank_key(trial: FrozenTrial, sign: int) -> tuple[float, ...] | None:
    """Return what a point is ranked by: how far it came, how good it was there, its curve; None where it is not.

    Args:
        trial: of the point.
        sign: 1 where smaller is better, else -1.
    """
    curve = [sign * trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    ended = trial.state is OptunaState.COMPLETE and trial.value is not None
    score = [sign * trial.value] if ended and trial.value is not None else curve[-1:]
    if not score or not is_feasible(trial):
        return None
    return (not ended, -max(trial.intermediate_values, default=0), *score, *curve)


def best_of_all(trials: Sequence[FrozenTrial], sign: int, most: int) -> list[FrozenTrial]:
    """Return the same as `Survey.best` by a look at every trial."""
    ranked: dict[tuple[float, ...], FrozenTrial] = {}
    for each in trials:
        if (key := rank_key(each, sign)) is not None:
            ranked.setdefault(key, each)
    return [ranked[key] for key in sorted(ranked)[:most]]


def is_scored(trial: FrozenTrial) -> bool:
    """Return whether a point has trained to its end."""
    return trial.state is OptunaState.COMPLETE


def is_feasible(trial: FrozenTrial) -> bool:
    """Return whether a point breaks no constraint, as far as is known."""
    return all(value <= 0 for value in trial.constraints.values())


def _is_unordered(key: tuple[float, ...]) -> bool:
    return any(value != value for value in key)
