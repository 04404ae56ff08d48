"""Points that are known beforehand: settings that a user lists."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.base.errors import SpaceError
from hpsearch.search.space import Space


def listed_cells(where: str, points: Sequence[Any], space: Space) -> list[dict[str, Any]]:
    """Return the points of a list, in its order.

    Args:
        where: key of the list, for messages.
        points: values by dotted key, one for every hyperparameter that is active at the point.
        space: that they are of.

    Returns:
        Optuna's values by flat name.

    Raises:
        SpaceError: a point is not of the space, or is listed twice.
    """
    cells: list[dict[str, Any]] = []
    for place, point in enumerate(points):
        this = f"{where}[{place}] = {point!r}"
        if not isinstance(point, Mapping):
            raise SpaceError(f"{this}: must give values by key, as {{optimizer.lr: 0.1}}")
        try:
            cell = space.cell(point)
        except SpaceError as error:
            raise SpaceError(f"{this}: {error}") from None
        if cell in cells:
            raise SpaceError(f"{this}: is the same as {where}[{cells.index(cell)}]")
        cells.append(cell)
    return cells


def named_values(where: str, points: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the points of a list for a space that is open: nobody knows yet what they lack.

    Args:
        where: key of the list, for messages.
        points: values by dotted key.

    Raises:
        SpaceError: a point is no table.
    """
    for place, point in enumerate(points):
        if not isinstance(point, Mapping) or not point:
            raise SpaceError(f"{where}[{place}] = {point!r}: must give values by name, as {{lr: 0.1}}")
    return [dict(point) for point in points]
