"""A search space: Hydra's sweep grammar in, Optuna's distributions out.

Optuna is asked a flat, static space: every key of every branch. A conditional key carries its condition in its name
(``model=lenet/model.kernel_size``); its value is ignored while the condition does not hold. Of zipped keys Optuna is
asked for the first, whose place in its list the others share.
"""

import json
import random
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Any

from optuna.distributions import BaseDistribution

from hpsearch.base.conditions import WHERE, Clause, flat_name, is_number, split_name, where_parts, where_text
from hpsearch.base.constraint import Constraint
from hpsearch.base.errors import SpaceError, nearest
from hpsearch.base.grammar import option_text
from hpsearch.search.branches import holds, in_order
from hpsearch.search.cells import Cells
from hpsearch.search.expression import parse_parameter
from hpsearch.search.parameter import Parameter
from hpsearch.search.zipped import with_leads

MAX_CELLS = 100_000
MAX_DRAWS = 10_000
"""So many random points are drawn for one that meets the constraints."""
MAX_NEIGHBOURS = 2000
"""So many neighbours of a point are looked at."""
MAX_NEAR = 32
"""So many other values of one hyperparameter are near a value."""


@dataclass(frozen=True)
class Space:
    """A flat, static search space.

    Attributes:
        parameters: searched hyperparameters; one comes before what is conditional on it.
        constraints: what every point meets.
        is_open: whether trials say themselves what is searched: the parameters are those met so far, each active in the
            points that have a value of it.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()
    is_open: bool = False

    @classmethod
    def parse(cls, table: Mapping[str, str], where: Callable[[str], str] | None = None) -> "Space":
        """Parse a flat table of expressions.

        Args:
            table: expression by flat name; under the key ``where`` what points must meet.
            where: where a flat name's entry came from, for messages.

        Returns:
            The space.

        Raises:
            SpaceError: for an expression, a condition or a constraint that makes no sense.
        """
        parameters: list[Parameter] = []
        constraints: list[Constraint] = []
        for name, expression in table.items():
            try:
                key, condition = split_name(name)
                if key == WHERE:
                    constraints += [Constraint(text, condition) for text in where_parts(expression)]
                else:
                    parameters.append(parse_parameter(name, expression))
            except SpaceError as error:
                source = f" (from {where(name)})" if where else ""
                raise SpaceError(f"space {name} = {expression}: {error}{source}") from None
        ordered = with_leads(in_order(parameters))
        for constraint in constraints:
            _check_constraint(constraint, ordered)
        return cls(ordered, tuple(constraints))

    @cached_property
    def asked(self) -> tuple[Parameter, ...]:
        """What Optuna is asked for: of zipped hyperparameters the first alone."""
        return tuple(parameter for parameter in self.parameters if parameter.is_asked)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return what Optuna is asked, by flat name."""
        return {parameter.name: parameter.distribution for parameter in self.asked}

    def active(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters that an Optuna point sets.

        Args:
            flat: Optuna's values by flat name; inactive ones may be missing.

        Returns:
            Values by dotted key, without the inactive ones.
        """
        params: dict[str, Any] = {}
        for parameter in self.parameters:
            if holds(parameter.condition, params) and parameter.asked_as in flat:
                params[parameter.key] = parameter.decode(flat[parameter.asked_as])
        return params

    def key(self, flat: Mapping[str, Any]) -> str:
        """Return the same text for the values of one point, whatever its inactive ones are."""
        if self.is_open:
            return json.dumps(dict(flat), sort_keys=True)
        return json.dumps(self.active(flat), sort_keys=True)

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Optuna's values of active hyperparameters by flat name: the inverse of `active`."""
        flat: dict[str, Any] = {}
        for parameter in self.asked:
            if parameter.key in params and holds(parameter.condition, params):
                place = self._place(parameter, params) if parameter.zipped is not None else None
                if place is not None or parameter.zipped is None:
                    flat[parameter.name] = parameter.encode(params[parameter.key]) if place is None else place
        return flat

    def allows(self, params: Mapping[str, Any]) -> bool:
        """Return whether values by dotted key meet the constraints."""
        return all(constraint.holds(params) for constraint in self.constraints)

    def check_constraints(self) -> None:
        """Refuse constraints that leave nothing.

        Raises:
            SpaceError: no combination meets them, or of an infinite space none of `MAX_DRAWS` random points.
        """
        rng = random.Random(0)
        if not self.constraints or any(self.allows(self.active(self._anywhere(rng))) for _ in range(MAX_DRAWS)):
            return
        size = self.size()
        if not size:
            text = where_text([constraint.text for constraint in self.constraints])
            found = "no combination" if size == 0 else f"none of {MAX_DRAWS} random points"
            raise SpaceError(f"space.{WHERE} = {text}: leaves nothing to search: {found} meets it")

    def _place(self, parameter: Parameter, params: Mapping[str, Any]) -> int | None:
        """Return the place in zipped lists at which all values stand, None where there is none."""
        columns = [p for p in self.parameters if p.asked_as == parameter.name]
        places = range(len(parameter.values or ()))
        return next((i for i in places if all(_is_at(column, i, params) for column in columns)), None)

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
        flat = self.picked(params)
        active = self.active(flat)
        unused = [key for key in params if key not in active]
        if unused:
            raise SpaceError(f"{unused[0]} is not searched where {_chosen(self.parameters, active)}")
        return flat

    def picked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return Optuna's values of the point that a table gives, which may hold other keys too.

        Args:
            values: at least one for every hyperparameter that is active at the point, by dotted key.

        Returns:
            The values by flat name, without the inactive ones.

        Raises:
            SpaceError: for a key that is missing, values that are not zipped together or do not meet the constraints; a
                value outside its range raises one too.
        """
        active: dict[str, Any] = {}
        for parameter in self.parameters:
            if holds(parameter.condition, active):
                if parameter.key not in values:
                    raise SpaceError(f"{parameter.key} is missing")
                active[parameter.key] = parameter.resolve(values[parameter.key])
        flat = self.flat(active)
        for parameter in self.asked:
            if parameter.key in active and holds(parameter.condition, active) and parameter.name not in flat:
                zipped = [p.key for p in self.parameters if p.asked_as == parameter.name]
                raise SpaceError(f"{', '.join(f'{key} = {active[key]!r}' for key in zipped)} are not zipped together")
        for constraint in self.constraints:
            if not constraint.holds(active):
                raise SpaceError(f"it does not meet {constraint.text}, see space.{WHERE}")
        return flat

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return a random point that meets the constraints: Optuna's values of every branch by flat name.

        Raises:
            SpaceError: none was found.
        """
        for _ in range(10 * MAX_DRAWS):
            point = self._anywhere(rng)
            if not self.constraints or self.allows(self.active(point)):
                return point
        if self.size():
            return {**point, **rng.choice(list(self.cells()))}
        raise SpaceError(f"space.{WHERE}: no random point of {10 * MAX_DRAWS} meets it")

    def _anywhere(self, rng: random.Random) -> dict[str, Any]:
        return {parameter.name: parameter.from_unit(rng.random()) for parameter in self.asked}

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
        active = self.flat(self.active(point))
        changing = [p for p in self.asked if p.name in active and p.name not in keep]
        near = {p.name: _sample(p.near(point[p.name]), MAX_NEAR, rng) for p in changing}
        changed = list(combinations(near, changes))
        for names in changed:
            moves = list(product(*(near[name] for name in names)))
            for move in _sample(moves, -(-MAX_NEIGHBOURS // len(changed)), rng):
                yield {**point, **dict(zip(names, move, strict=True))}

    def is_complete(self, flat: Mapping[str, Any]) -> bool:
        """Return whether Optuna's values set every active hyperparameter; of an open space nobody knows."""
        if self.is_open:
            return False
        params = self.active(flat)
        return all(p.key in params for p in self.parameters if holds(p.condition, params))

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
        cells = Cells(self.parameters, self._cuts(points), self.constraints)
        number = cells.count()
        if number is None or number > MAX_CELLS:
            found = "too many" if number is None else str(number)
            raise SpaceError(f"the space has {found} combinations, and a queue holds at most {MAX_CELLS}")
        return [self.flat(params) for params in cells]

    def cells(self) -> Iterator[dict[str, Any]]:
        """Yield every active combination of a finite space, as `grid` returns them."""
        return (self.flat(params) for params in Cells(self.parameters, self._every, self.constraints))

    def _cuts(self, points: int | Mapping[str, int] | None) -> dict[str, Sequence[Any]]:
        keys = {parameter.key for parameter in self.parameters}
        for key in points if isinstance(points, Mapping) else ():
            if key not in keys:
                raise SpaceError(f"sampler.points names {key}, which is not searched{nearest(key, keys)}")
        per_key = points if isinstance(points, Mapping) else dict.fromkeys(keys, points)
        for key, number in per_key.items():
            if isinstance(number, int) and number > MAX_CELLS:
                raise SpaceError(f"sampler.points = {number} for {key}: a queue holds at most {MAX_CELLS} points")
        return {p.name: p.places() or p.grid_values(per_key.get(p.key)) for p in self.asked}

    def size(self) -> int | None:
        """Return the number of active combinations, None when it is infinite or too large to count."""
        return self._size

    @cached_property
    def _size(self) -> int | None:
        if self.is_open or len(self._every) < len(self.asked):
            return None
        return Cells(self.parameters, self._every, self.constraints).count()

    @cached_property
    def _every(self) -> dict[str, Sequence[Any]]:
        """The values of every hyperparameter that has finitely many, whole numbers of an interval too."""
        every = {p.name: p.places() or p.all_values() for p in self.asked}
        return {name: values for name, values in every.items() if values is not None}

    def covering(self, most: int, also: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return points to try beforehand: together they hold every option of a group, and every pair of options.

        All-pairs testing: most faults are of one option or of two that do not go together (Kuhn, Wallace and Gallo,
        Software fault interactions, IEEE Transactions on Software Engineering 2004). Hyperparameters that are no groups
        take their first value.

        Args:
            most: points added for the pairs; what they cannot hold is left out, in a fixed random order.
            also: keys every value of which is held too, of a range its ends.

        Returns:
            Values by dotted key, without the inactive ones; at least one point.
        """
        single = [{p.key: option} for p in self.parameters if p.is_group for option in p.values or ()]
        pairs = [one | other for one, other in combinations(single, 2) if not one.keys() & other.keys()]
        random.Random(0).shuffle(pairs)
        single += [{p.key: value} for p in self.parameters if p.key in also for value in p.ends()]
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
                found += [point] if asked.items() <= point.items() and self.allows(point) else []
        return found

    def _point(self, asked: Mapping[str, Any], turn: int) -> dict[str, Any]:
        """Return a point with the options that are asked for where they can be; groups take turns else.

        One that does not meet the constraints is replaced by a random one that does and has most of these options.
        """
        holders = (p for p in self.parameters if p.key in asked and asked[p.key] in p.ends())
        needed = {**{clause.key: clause for p in holders for clause in p.condition}, **asked}
        params: dict[str, Any] = {}
        for parameter in self.asked:
            if holds(parameter.condition, params):
                columns = [p for p in self.parameters if p.asked_as == parameter.name]
                places = parameter.places() or parameter.ends()
                fitting = [place for place in places if all(_fits(needed.get(p.key), p.at(place)) for p in columns)]
                turned = places[turn % len(places)] if parameter.is_group else places[0]
                place = turned if turned in fitting or not fitting else fitting[0]
                params |= {column.key: column.at(place) for column in columns}
        if self.allows(params):
            return params
        rng = random.Random(turn)
        others = [self.active(self.draw(rng)) for _ in range(100)]
        return max(others, key=lambda each: sum(asked[key] == each.get(key) for key in asked))

    def ends(self) -> dict[str, tuple[Any, ...]]:
        """Return, by flat name, the values between which all others lie; what the rules of a key must allow."""
        return {parameter.name: parameter.ends() for parameter in self.parameters}

    def to_dict(self) -> dict[str, str]:
        """Return the space in a form to store and compare; `parse` reads it again."""
        table = {parameter.name: parameter.expression for parameter in self.parameters}
        for constraint in self.constraints:
            name = flat_name(WHERE, constraint.condition)
            table[name] = where_text([*where_parts(table.get(name, "")), constraint.text])
        return table


def _is_at(column: Parameter, place: int, params: Mapping[str, Any]) -> bool:
    value = column.at(place)
    return column.key in params and value == params[column.key] and type(value) is type(params[column.key])


def _fits(wanted: Any, value: Any) -> bool:
    """Return whether a value is what is wanted: that value, what a clause holds for, or anything."""
    return wanted is None or (wanted.holds(value) if isinstance(wanted, Clause) else wanted == value)


def _check_constraint(constraint: Constraint, parameters: Sequence[Parameter]) -> None:
    keys = [parameter.key for parameter in parameters]
    for key in (*constraint.keys, *(clause.key for clause in constraint.condition)):
        if key not in keys:
            raise SpaceError(f"space.{WHERE}: {constraint.text}: {key} is not searched{nearest(key, keys)}")
    for parameter in parameters:
        if parameter.key in constraint.numeric and not all(map(is_number, parameter.ends())):
            raise SpaceError(
                f"space.{WHERE}: {constraint.text}: {parameter.key} = {parameter.expression} is not always a number"
            )


def _sample(items: list[Any], most: int, rng: random.Random) -> list[Any]:
    return items if len(items) <= most else rng.sample(items, most)


def _chosen(parameters: Sequence[Parameter], active: Mapping[str, Any]) -> str:
    """Return the keys that conditions name, as they are chosen, in words."""
    keys = dict.fromkeys(clause.key for parameter in parameters for clause in parameter.condition)
    return ", ".join(f"{key}={option_text(active[key])}" for key in keys if key in active)
