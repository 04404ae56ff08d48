"""A search space: Hydra's sweep grammar in, Optuna's distributions out.

Optuna is asked a flat, static space: every key of every branch. A conditional key carries its condition in its name
(``model=lenet/model.kernel_size``); its value is ignored while the condition does not hold.
"""

import random
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Any

from optuna.distributions import BaseDistribution

from hpsearch.base.errors import SpaceError, nearest
from hpsearch.base.grammar import Condition, option_text
from hpsearch.search.expression import parse_parameter
from hpsearch.search.parameter import Parameter

MAX_CELLS = 100_000
MAX_NEIGHBOURS = 2000
"""So many neighbours of a point are looked at."""
MAX_NEAR = 32
"""So many other values of one hyperparameter are near a value."""


@dataclass(frozen=True)
class Space:
    """A flat, static search space.

    Attributes:
        parameters: searched hyperparameters; a group comes before what is conditional on it.
    """

    parameters: tuple[Parameter, ...]

    @classmethod
    def parse(cls, table: Mapping[str, str], where: Callable[[str], str] | None = None) -> "Space":
        """Parse a flat table of expressions.

        Args:
            table: expression by flat name.
            where: where a flat name's entry came from, for messages.

        Returns:
            The space.

        Raises:
            SpaceError: for an expression or a condition that makes no sense.
        """
        parameters = []
        for name, expression in table.items():
            try:
                parameters.append(parse_parameter(name, expression))
            except SpaceError as error:
                source = f" (from {where(name)})" if where else ""
                raise SpaceError(f"space {name} = {expression}: {error}{source}") from None
        return cls(_in_order(parameters))

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return what Optuna is asked, by flat name."""
        return {parameter.name: parameter.distribution for parameter in self.parameters}

    def active(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters that an Optuna point sets.

        Args:
            flat: Optuna's values by flat name; inactive ones may be missing.

        Returns:
            Values by dotted key, without the inactive ones.
        """
        params: dict[str, Any] = {}
        for parameter in self.parameters:
            if _holds(parameter.condition, params) and parameter.name in flat:
                params[parameter.key] = parameter.decode(flat[parameter.name])
        return params

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Optuna's values of active hyperparameters by flat name: the inverse of `active`."""
        return {
            parameter.name: parameter.encode(params[parameter.key])
            for parameter in self.parameters
            if parameter.key in params and _holds(parameter.condition, params)
        }

    def cell(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Optuna's values of a point that a user wrote.

        Args:
            params: a value for every active hyperparameter, by dotted key.

        Returns:
            The values by flat name, without the inactive ones.

        Raises:
            SpaceError: for a key that is missing, not searched or inactive here, or a value outside its range.
        """
        keys = {parameter.key for parameter in self.parameters}
        for key in params:
            if key not in keys:
                raise SpaceError(f"{key} is not searched{nearest(key, keys)}")
        flat: dict[str, Any] = {}
        active: dict[str, Any] = {}
        for parameter in self.parameters:
            if _holds(parameter.condition, active):
                if parameter.key not in params:
                    raise SpaceError(f"{parameter.key} is missing")
                active[parameter.key] = parameter.resolve(params[parameter.key])
                flat[parameter.name] = parameter.encode(active[parameter.key])
        unused = [key for key in params if key not in active]
        if unused:
            raise SpaceError(f"{unused[0]} is not searched where {_chosen(self.parameters, active)}")
        return flat

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return a random point: Optuna's values of every branch by flat name."""
        return {parameter.name: parameter.from_unit(rng.random()) for parameter in self.parameters}

    def neighbours(
        self, point: Mapping[str, Any], changes: int, rng: random.Random, keep: Container[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield points that differ from another in so many of its active hyperparameters.

        Args:
            point: Optuna's values of every branch by flat name.
            changes: how many hyperparameters.
            rng: picks among more neighbours than `MAX_NEIGHBOURS`.
            keep: flat names that stay as they are.

        Yields:
            Optuna's values of every branch by flat name; some may be of the same point.
        """
        active = [p for p in self.parameters if p.name not in keep and p.name in self.flat(self.active(point))]
        near = {p.name: _sample(p.near(point[p.name]), MAX_NEAR, rng) for p in active}
        changed = list(combinations(near, changes))
        for names in changed:
            moves = list(product(*(near[name] for name in names)))
            for move in _sample(moves, -(-MAX_NEIGHBOURS // len(changed)), rng):
                yield {**point, **dict(zip(names, move, strict=True))}

    def is_complete(self, flat: Mapping[str, Any]) -> bool:
        """Return whether Optuna's values set every active hyperparameter."""
        params = self.active(flat)
        return all(p.key in params for p in self.parameters if _holds(p.condition, params))

    def grid(self, points: int | Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """Return every active combination, the first hyperparameter changing slowest.

        Args:
            points: values per interval: one number for all, or one per dotted key; None when there is no interval.

        Returns:
            Optuna's values by flat name, without the inactive ones.

        Raises:
            SpaceError: for an interval without `points`, `points` for a key that is not searched, or too many
                combinations to queue.
        """
        cuts = self._cuts(points)
        number = self._count(0, {}, self._branching(), cuts)
        if number > MAX_CELLS:
            raise SpaceError(f"the space has {number} combinations, and a queue holds at most {MAX_CELLS}")
        return list(self._cells(cuts))

    def cells(self) -> Iterator[dict[str, Any]]:
        """Yield every active combination of a finite space, as `grid` returns them."""
        return self._cells(self._every)

    def _cells(self, cuts: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
        return (self.flat(params) for params in self._combinations(0, {}, cuts))

    def _cuts(self, points: int | Mapping[str, int] | None) -> dict[str, tuple[Any, ...]]:
        keys = {parameter.key for parameter in self.parameters}
        for key in points if isinstance(points, Mapping) else ():
            if key not in keys:
                raise SpaceError(f"sampler.points names {key}, which is not searched{nearest(key, keys)}")
        per_key = points if isinstance(points, Mapping) else dict.fromkeys(keys, points)
        for key, number in per_key.items():
            if isinstance(number, int) and number > MAX_CELLS:
                raise SpaceError(f"sampler.points = {number} for {key}: a queue holds at most {MAX_CELLS} points")
        return {parameter.name: parameter.grid_values(per_key.get(parameter.key)) for parameter in self.parameters}

    def _combinations(
        self, place: int, params: dict[str, Any], cuts: Mapping[str, Sequence[Any]]
    ) -> Iterator[dict[str, Any]]:
        if place == len(self.parameters):
            yield params
            return
        parameter = self.parameters[place]
        if not _holds(parameter.condition, params):
            yield from self._combinations(place + 1, params, cuts)
            return
        for value in cuts[parameter.name]:
            yield from self._combinations(place + 1, {**params, parameter.key: value}, cuts)

    def size(self) -> int | None:
        """Return the number of active combinations, None when it is infinite."""
        return self._size

    @cached_property
    def _size(self) -> int | None:
        if len(self._every) < len(self.parameters):
            return None
        return self._count(0, {}, self._branching(), self._every)

    @cached_property
    def _every(self) -> dict[str, Sequence[Any]]:
        """The values of every hyperparameter that has finitely many, whole numbers of an interval too."""
        every = {parameter.name: parameter.all_values() for parameter in self.parameters}
        return {name: values for name, values in every.items() if values is not None}

    def _branching(self) -> set[str]:
        return {group for parameter in self.parameters for group, _ in parameter.condition}

    def _count(self, place: int, params: dict[str, Any], branching: set[str], cuts: Mapping[str, Sequence[Any]]) -> int:
        if place == len(self.parameters):
            return 1
        parameter = self.parameters[place]
        if not _holds(parameter.condition, params):
            return self._count(place + 1, params, branching, cuts)
        values = cuts[parameter.name]
        if parameter.key not in branching:
            return len(values) * self._count(place + 1, params, branching, cuts)
        return sum(self._count(place + 1, {**params, parameter.key: value}, branching, cuts) for value in values)

    def covering(self, most: int) -> list[dict[str, Any]]:
        """Return points to try beforehand: together they hold every option of a group, and every pair of options.

        All-pairs testing: most faults are of one option or of two that do not go together (Kuhn, Wallace and Gallo,
        Software fault interactions, IEEE Transactions on Software Engineering 2004). Hyperparameters that are no groups
        take their first value.

        Args:
            most: points added for the pairs; what they cannot hold is left out, in a fixed random order.

        Returns:
            Values by dotted key, without the inactive ones; at least one point.
        """
        single = [{p.key: option} for p in self.parameters if p.is_group for option in p.values or ()]
        pairs = [one | other for one, other in combinations(single, 2) if not one.keys() & other.keys()]
        random.Random(0).shuffle(pairs)
        points = self._holding([self._point({}, 0)], single, len(single))
        return self._holding(points, pairs, most)

    def _holding(
        self, points: Sequence[dict[str, Any]], wanted: Sequence[Mapping[str, Any]], most: int
    ) -> list[dict[str, Any]]:
        """Add at most so many points, each of which holds something wanted that none before it held."""
        found, end = list(points), len(points) + most
        for asked in wanted:
            if len(found) < end and not any(asked.items() <= point.items() for point in found):
                point = self._point(asked, len(found))
                found += [point] if asked.items() <= point.items() else []
        return found

    def _point(self, asked: Mapping[str, Any], turn: int) -> dict[str, Any]:
        """Return a point with the options that are asked for where their conditions allow; groups take turns else."""
        holders = (p for p in self.parameters if p.key in asked and asked[p.key] in p.ends())
        needed = {**{group: option for p in holders for group, option in p.condition}, **asked}
        params: dict[str, Any] = {}
        for parameter in self.parameters:
            if _holds(parameter.condition, params):
                ends, value = parameter.ends(), needed.get(parameter.key)
                other = ends[turn % len(ends)] if parameter.is_group else ends[0]
                params[parameter.key] = value if value in ends else other
        return params

    def ends(self) -> dict[str, tuple[Any, ...]]:
        """Return, by flat name, the values between which all others lie; what the rules of a key must allow."""
        return {parameter.name: parameter.ends() for parameter in self.parameters}

    def to_dict(self) -> dict[str, str]:
        """Return the space in a form to store and compare; `parse` reads it again."""
        return {parameter.name: parameter.expression for parameter in self.parameters}


def _sample(items: list[Any], most: int, rng: random.Random) -> list[Any]:
    return items if len(items) <= most else rng.sample(items, most)


def _chosen(parameters: Sequence[Parameter], active: Mapping[str, Any]) -> str:
    """Return the groups that conditions name, as they are chosen, in words."""
    groups = dict.fromkeys(group for parameter in parameters for group, _ in parameter.condition)
    return ", ".join(f"{group}={active[group]}" for group in groups if group in active)


def _holds(condition: Condition, params: Mapping[str, Any]) -> bool:
    return all(key in params and option_text(params[key]) == option for key, option in condition)


def _in_order(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Put every group before what is conditional on it, otherwise keep the order."""
    _refuse_overlaps(parameters)
    ordered: list[Parameter] = []
    waiting = list(parameters)
    while waiting:
        unplaced = {parameter.key for parameter in waiting}
        ready = [p for p in waiting if not any(group in unplaced for group, _ in p.condition)]
        if not ready:
            raise SpaceError(f"space {waiting[0].name}: its conditions go round in a circle")
        ordered.append(ready[0])
        waiting.remove(ready[0])
    for parameter in ordered:
        _check_condition(parameter, ordered)
    return tuple(ordered)


def _check_condition(parameter: Parameter, parameters: Sequence[Parameter]) -> None:
    for group, option in parameter.condition:
        holders = [p for p in parameters if p.key == group]
        if not holders:
            raise SpaceError(f"space {parameter.name}: {group} is not searched, so {option} is never chosen")
        for holder in holders:
            if holder.values is None:
                raise SpaceError(f"space {parameter.name}: {group} = {holder.expression} has no options to depend on")
        options = [option_text(value) for holder in holders for value in holder.values or ()]
        if option not in options:
            hint = nearest(option, options)
            raise SpaceError(
                f"space {parameter.name}: {group} is never {option}{hint} (searched: {', '.join(options)})"
            )


def _refuse_overlaps(parameters: Sequence[Parameter]) -> None:
    for place, parameter in enumerate(parameters):
        for other in parameters[:place]:
            if parameter.key == other.key and not _exclusive(parameter.condition, other.condition):
                raise SpaceError(f"space {parameter.name}: {parameter.key} is searched twice, see {other.name}")


def _exclusive(one: Condition, other: Condition) -> bool:
    chosen = dict(one)
    return any(group in chosen and chosen[group] != option for group, option in other)
