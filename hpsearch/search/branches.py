"""Under which conditions hyperparameters are searched: in which order they are decided, and what can never be."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from optuna.distributions import IntDistribution

from hpsearch.base.conditions import Clause, Condition
from hpsearch.base.errors import SpaceError, nearest
from hpsearch.base.grammar import option_text
from hpsearch.search.parameter import Parameter


def holds(condition: Condition, params: Mapping[str, Any]) -> bool:
    """Return whether a condition holds; one on a key without a value does not."""
    return all(clause.key in params and clause.holds(params[clause.key]) for clause in condition)


def in_order(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Put every hyperparameter before what is conditional on it, otherwise keep the order.

    Args:
        parameters: of a whole space.

    Returns:
        The same in order.

    Raises:
        SpaceError: conditions go round in a circle, can never hold or are on a key that is not searched, or a key is
            searched twice under conditions that do not exclude each other.
    """
    _refuse_overlaps(parameters)
    ordered: list[Parameter] = []
    waiting = list(parameters)
    while waiting:
        unplaced = {parameter.key for parameter in waiting}
        ready = next((p for p in waiting if not any(clause.key in unplaced for clause in p.condition)), None)
        if ready is None:
            raise SpaceError(f"space {waiting[0].name}: its conditions go round in a circle: {_circle(waiting)}")
        ordered.append(ready)
        waiting.remove(ready)
    for parameter in ordered:
        _check_condition(parameter, ordered)
    return tuple(ordered)


def _circle(waiting: Sequence[Parameter]) -> str:
    """Return the keys of a circle, each conditional on the next."""
    needs = {p.key: next(c.key for c in p.condition if any(c.key == o.key for o in waiting)) for p in waiting}
    path = [waiting[0].key]
    while path[-1] not in path[:-1]:
        path.append(needs[path[-1]])
    return " -> ".join(path[path.index(path[-1]) :])


def can_hold(condition: Condition, parameters: Sequence[Parameter]) -> bool:
    """Return whether the searched values of each key allow all that a condition asks of it; other keys may be all."""
    for key in dict.fromkeys(clause.key for clause in condition):
        clauses = [clause for clause in condition if clause.key == key]
        holders = [p for p in parameters if p.key == key]
        values = [value for holder in holders for value in _examples(holder, clauses)]
        if holders and not any(all(clause.holds(value) for clause in clauses) for value in values):
            return False
    return True


def _examples(parameter: Parameter, clauses: Sequence[Clause]) -> Sequence[Any]:
    """Return values of a hyperparameter, among them one for every outcome that the clauses can have together."""
    if parameter.values is not None:
        return parameter.values
    low, high = parameter.ends()
    marks = sorted({low, high, *(n for clause in clauses for n in clause.numbers if low <= n <= high)})
    if isinstance(parameter.distribution, IntDistribution):
        near = {int(mark) + step for mark in marks for step in (-1, 0, 1)}
        return sorted(value for value in near if low <= value <= high)
    return [*marks, *((one + other) / 2 for one, other in pairwise(marks))]


def _check_condition(parameter: Parameter, parameters: Sequence[Parameter]) -> None:
    for clause in parameter.condition:
        holders = [p for p in parameters if p.key == clause.key]
        if not holders:
            raise SpaceError(f"space {parameter.name}: {clause.key} is not searched, so {clause} never holds")
        if not can_hold((clause,), holders):
            raise SpaceError(f"space {parameter.name}: {_never(clause, holders)}")
    if not can_hold(parameter.condition, parameters):
        raise SpaceError(f"space {parameter.name}: its conditions never hold together")


def _never(clause: Clause, holders: Sequence[Parameter]) -> str:
    options = [option_text(value) for holder in holders for value in holder.values or ()]
    known = ", ".join(options) or ", ".join(holder.expression for holder in holders)
    hint = nearest(clause.options[0], options) if clause.relation == "=" else ""
    return f"{clause.key} is never {clause.rest.removeprefix('=').strip()}{hint} (searched: {known})"


def _refuse_overlaps(parameters: Sequence[Parameter]) -> None:
    for place, parameter in enumerate(parameters):
        for other in parameters[:place]:
            if _touch(parameter.key, other.key) and can_hold((*parameter.condition, *other.condition), parameters):
                raise SpaceError(f"space {parameter.name}: {parameter.key} is searched twice, see {other.name}")


def _touch(one: str, other: str) -> bool:
    """Return whether two keys are the same, or one is a list and the other an element of it."""
    return one == other or one.startswith(f"{other}[") or other.startswith(f"{one}[")
