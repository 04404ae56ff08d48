"""Which points of a space were tried."""

from collections.abc import Mapping
from typing import Any

from optuna.study import Study

from hpsearch.search.optuna_internals import all_trials, given_params
from hpsearch.search.space import Space


class Tried:
    """The points of a space that were tried or are being tried, each with the number of its first trial.

    Args:
        space: the whole space, so that a point is known at once.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._first: dict[str, int] = {}
        self._last = -1

    def note_others(self, study: Study, number: int) -> None:
        """Note the points of trials that were not seen yet: numbers are dense, and a drawn point stays as it is."""
        if number == self._last + 1:
            self._last = number
            return
        trials = all_trials(study)
        drawn_so_far = True
        for other in trials[self._last + 1 :]:
            if other.number != number:
                point = given_params(other)
                drawn = other.state.is_finished() or self._space.is_complete(point)
                drawn_so_far = drawn_so_far and drawn
                if drawn:
                    self.note_point(point, other.number)
            if drawn_so_far:
                self._last = other.number

    def note_point(self, point: Mapping[str, Any], number: int) -> None:
        """Note a point that was drawn."""
        self._first.setdefault(self._space.key(point), number)

    def is_new(self, point: Mapping[str, Any], number: int) -> bool:
        """Return whether a point meets the constraints and was not tried before."""
        if self._space.constraints and not self._space.allows(self._space.active(point)):
            return False
        return self._first.get(self._space.key(point), number) == number
