"""Every combination of finitely many values: one after the other, or only their number."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpsearch.base.constraint import Constraint
from hpsearch.search.branches import holds
from hpsearch.search.parameter import Parameter

MAX_COUNTED = 300_000
"""Combinations of values that conditions and constraints look at are tried one by one, so many at most."""


class Cells:
    """The active combinations of the values of hyperparameters that meet the constraints.

    Args:
        parameters: in order; a zipped one stands behind the one that it follows.
        cuts: the values of each by name; of zipped ones their places.
        constraints: to meet.
    """

    def __init__(
        self, parameters: Sequence[Parameter], cuts: Mapping[str, Sequence[Any]], constraints: Sequence[Constraint]
    ) -> None:
        self._cuts = cuts
        self._dimensions = [(p, [q for q in parameters if q.asked_as == p.name]) for p in parameters if p.is_asked]
        self._constraints: dict[str, list[Constraint]] = {}
        for constraint in constraints:
            for key in dict.fromkeys((*constraint.keys, *(clause.key for clause in constraint.condition))):
                self._constraints.setdefault(key, []).append(constraint)
        conditions = {clause.key for parameter in parameters for clause in parameter.condition}
        self._looked_at = conditions | self._constraints.keys()
        self._counted = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield values by dotted key, the first hyperparameter changing slowest."""
        return self._combinations(0, {})

    def _combinations(self, place: int, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if place == len(self._dimensions):
            yield params
            return
        for chosen in self._choices(place, params):
            yield from self._combinations(place + 1, chosen)

    def _choices(self, place: int, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield a combination of the hyperparameters before a place with each value of the one at it."""
        parameter, columns = self._dimensions[place]
        if not holds(parameter.condition, params):
            yield params
            return
        asked = [constraint for column in columns for constraint in self._constraints.get(column.key, ())]
        for value in self._cuts[parameter.name]:
            chosen = {**params, **{column.key: column.at(value) for column in columns}}
            if all(constraint.holds(chosen) for constraint in asked):
                yield chosen

    def count(self) -> int | None:
        """Return how many there are, None where they are too many to count."""
        self._counted = 0
        try:
            return self._count(0, {})
        except OverflowError:
            return None

    def _count(self, place: int, params: dict[str, Any]) -> int:
        if place == len(self._dimensions):
            return 1
        parameter, columns = self._dimensions[place]
        if not any(column.key in self._looked_at for column in columns):
            active = holds(parameter.condition, params)
            return (len(self._cuts[parameter.name]) if active else 1) * self._count(place + 1, params)
        total = 0
        for chosen in self._choices(place, params):
            self._counted += 1
            if self._counted > MAX_COUNTED:
                raise OverflowError
            total += self._count(place + 1, chosen)
        return total
