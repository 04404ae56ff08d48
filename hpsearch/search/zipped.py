"""Keys that vary together: lists of the same length, of which a point takes what stands at the same place."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from optuna.distributions import CategoricalDistribution, IntDistribution

from hpsearch.base.conditions import Condition, is_number
from hpsearch.base.errors import SpaceError
from hpsearch.search.parameter import Parameter


def with_leads(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Put zipped hyperparameters of the same tag and condition together, behind the first of them.

    Args:
        parameters: of a whole space, in order.

    Returns:
        The same; the zipped ones know the first, which Optuna is asked for: for an ordered place where every list is of
        numbers that rise or fall, for one of several places else. Lists of different lengths, one alone, and the same
        twice in all of them raise a SpaceError.
    """
    groups: dict[tuple[str, Condition], list[Parameter]] = {}
    for parameter in parameters:
        if parameter.zipped is not None:
            groups.setdefault((parameter.zipped, parameter.condition), []).append(parameter)
    for columns in groups.values():
        _check(columns)
    found: list[Parameter] = []
    for parameter in parameters:
        columns = [parameter] if parameter.zipped is None else groups[parameter.zipped, parameter.condition]
        if parameter.zipped is None:
            found.append(parameter)
        elif parameter is columns[0]:
            places = len(parameter.values or ())
            ordered = all(_is_ordered(column) for column in columns)
            asked = IntDistribution(0, places - 1) if ordered else CategoricalDistribution(range(places))
            found += [replace(column, lead=parameter.name, distribution=asked) for column in columns]
    return tuple(found)


def _check(columns: Sequence[Parameter]) -> None:
    first = columns[0]
    if len(columns) == 1:
        raise SpaceError(f"space {first.name} = {first.expression}: nothing to zip it with; write choice(...)")
    for column in columns[1:]:
        if len(column.values or ()) != len(first.values or ()):
            raise SpaceError(
                f"space {column.name} = {column.expression}: zipped with {len(first.values or ())} values of "
                f"{first.name} = {first.expression}; write as many"
            )
    rows = list(zip(*(column.values or () for column in columns), strict=True))
    for place, row in enumerate(rows):
        if row in rows[:place]:
            text = ", ".join(f"{column.key} = {value!r}" for column, value in zip(columns, row, strict=True))
            raise SpaceError(f"space {first.name} = {first.expression}: {text} is zipped twice")


def _is_ordered(column: Parameter) -> bool:
    values = column.values or ()
    if not all(map(is_number, values)):
        return False
    return all(a <= b for a, b in pairwise(values)) or all(a >= b for a, b in pairwise(values))
