"""What was searched: one axis per hyperparameter, with the scale it is read on."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.conditions import WHERE, Condition, split_name
from hpsearch.base.digits import Digits
from hpsearch.base.types import TrialTable
from hpsearch.base.words import label, number

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["log", "linear", "category"]
_LOG_TAG = re.compile(r"\btag\(\s*(?:\w+\s*,\s*)*log\b")
INACTIVE: Any = object()
"""Stands for the value of a hyperparameter that is not searched under the conditions that a point meets."""
_SPACED = re.compile(r"\b(interval|range)\(")  # says by itself how its values are spaced
_WIDE = 100  # numbers that span this factor are read on a log scale even when the space lists them one by one


@dataclass(frozen=True, slots=True)
class Axis:
    """One searched hyperparameter.

    Attributes:
        key: dotted key, a column of the trials.
        name: its name in words.
        scale: how its values are spaced.
        values: the distinct values tried, ascending, or in order of appearance for a category; null is one like any
            other.
        digits: how they are told apart.
    """

    key: str
    name: str
    scale: Scale
    values: tuple[Any, ...]
    digits: Digits = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digits", Digits.of(self.values))

    def write(self, value: Any) -> str:
        """Write a value so that it is told from the others that were tried."""
        return number(value, self.digits)

    @property
    def numeric(self) -> bool:
        """Whether the values have an order and distances."""
        return self.scale != "category"

    def place(self, value: Any) -> float:
        """Return where a value lies: its logarithm to base 10, itself, or its index; NaN for an unknown one."""
        if self.scale == "category":
            return float(self.values.index(value)) if value in self.values else math.nan
        if value is None:
            return math.nan
        return math.log10(value) if self.scale == "log" else float(value)

    def place_in(self, params: Mapping[str, Any]) -> float:
        """Return where the value of a point lies; NaN where the hyperparameter is inactive."""
        return self.place(params[self.key]) if self.key in params else math.nan

    def unplace(self, place: float) -> float:
        """Return the number at a place of a numeric axis."""
        return float(10**place) if self.scale == "log" else place

    def relative(self, value: Any) -> float:
        """Return where a value lies between the smallest (0) and the largest (1) value tried; 0.5 for a single one."""
        low, high = self.place(self.values[0]), self.place(self.values[-1])
        return (self.place(value) - low) / (high - low) if high > low else 0.5


def searched(table: TrialTable) -> tuple[Axis, ...]:
    """Return the axes of a study in the order of its space, the conditional ones under their plain key.

    Args:
        table: the study.

    Returns:
        One axis per searched key that some trial has a value of.
    """
    expressions: dict[str, str] = {}
    for name, expression in dict(table.study.get("space") or {}).items():
        expressions.setdefault(split_name(name)[0], str(expression))
    known = columns(table, [key for key in expressions if key in table.trials])
    axes = (_axis(key, expressions[key], values) for key, values in known.items())
    return tuple(axis for axis in axes if axis.values)


def digits_of(table: TrialTable) -> dict[str, Digits]:
    """Return how the values of each searched hyperparameter of a study are told apart."""
    return {axis.key: axis.digits for axis in searched(table)}


@dataclass(frozen=True, slots=True)
class Activity:
    """Under which conditions each key of a study is searched; a value of null is a value like any other.

    Attributes:
        conditions: of every searched key; it is active where one of them holds.
        nullable: of a space that trials suggest, in which any key may be missing: those of which null is a choice; None
            for any other space.
    """

    conditions: Mapping[str, Sequence[Condition]]
    nullable: frozenset[str] | None = None

    def always(self, key: str) -> bool:
        """Return whether a key is active at every point."""
        return self.nullable is None and any(not condition for condition in self.conditions.get(key, ()))

    def holds(self, key: str, values: Mapping[str, Any]) -> bool:
        """Return whether a key is active at a point.

        Args:
            key: searched.
            values: of every searched key at the point, None also where one is inactive.
        """
        if self.nullable is not None:
            return key in self.nullable or values.get(key) is not None
        return any(
            all(self.holds(clause.key, values) and clause.holds(values.get(clause.key)) for clause in condition)
            for condition in self.conditions.get(key, ())
        )


def activity(study: Mapping[str, Any]) -> Activity:
    """Return when each searched key of a study is active, as the names of its space say."""
    conditions: dict[str, list[Condition]] = {}
    for name in dict(study.get("space") or {}):
        key, condition = split_name(name)
        if key != WHERE:
            conditions.setdefault(key, []).append(condition)
    texts = {split_name(name)[0]: str(text) for name, text in dict(study.get("space") or {}).items()}
    null = frozenset(key for key, text in texts.items() if re.search(r"\bnull\b", text))
    return Activity(conditions, null if "suggested" in study else None)


def main_axis(axes: tuple[Axis, ...]) -> Axis | None:
    """Return the axis to draw first: the first on a log scale, else the first numeric one, else the first."""
    for scale in ("log", "linear", "category"):
        for axis in axes:
            if axis.scale == scale:
                return axis
    return None


def combined(one: Axis, other: Axis) -> Axis:
    """Return the axis of a hyperparameter that two studies searched, with the values of both.

    Args:
        one: axis of the first study, which decides the scale of numbers.
        other: axis of the same key of the second.

    Returns:
        An axis; of categories where one of them is.
    """
    values = tuple(dict.fromkeys((*one.values, *other.values)))
    if not (one.numeric and other.numeric):
        return Axis(one.key, one.name, "category", values)
    scale: Scale = "log" if one.scale == "log" and min(values) > 0 else "linear"
    return Axis(one.key, one.name, scale, tuple(sorted(values)))


def plain(value: Any) -> Any:
    """Return a hyperparameter as None, a bool, a Python number or text; lists and mappings as JSON.

    Args:
        value: a cell of the trials.

    Returns:
        A hashable value; NaN is None.
    """
    value = _cell(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(value, default=str)
    return str(value)


def cells(table: TrialTable) -> dict[str, list[Any]]:
    """Return every searched hyperparameter of every trial as it was set, None for NaN, which stands for no value."""
    keys = [key for key in activity(table.study).conditions if key in table.trials]
    return {key: _cells(table.trials[key]) for key in keys}


def _cells(values: "pd.Series[Any]") -> list[Any]:
    if values.dtype.kind == "f":
        return [None if value != value else value for value in values.tolist()]
    return [_cell(value) for value in values.tolist()]


def columns(table: TrialTable, keys: Sequence[str]) -> dict[str, list[Any]]:
    """Return searched hyperparameters of every trial, `INACTIVE` where one was not searched."""
    active, found = activity(table.study), cells(table)
    known = {key: [plain(value) for value in found[key]] for key in keys}
    conditional = [key for key in keys if not active.always(key)]
    rows = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)] if conditional else []
    for key in conditional:
        known[key] = [v if active.holds(key, row) else INACTIVE for v, row in zip(known[key], rows, strict=True)]
    return known


def _cell(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _ordered(values: Sequence[Any]) -> Sequence[Any]:
    """Return numbers ascending, other values as they are."""
    return sorted(values) if all(isinstance(value, int | float) for value in values) else values


def floats(values: "pd.Series[Any]") -> NDArray[np.float64]:
    """Return a column of the trials as numbers, NaN for None."""
    return np.asarray(values, dtype=np.float64)


def _axis(key: str, expression: str, known: Sequence[Any]) -> Axis:
    every = dict.fromkeys(value for value in known if value is not INACTIVE)
    values = [value for value in every if value is not None]
    if None in every:
        return Axis(key, label(key), "category", (None, *_ordered(values)))
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values):
        return Axis(key, label(key), "category", tuple(values))
    values.sort()
    positive = bool(values) and values[0] > 0
    wide = positive and values[-1] / values[0] >= _WIDE and not _SPACED.search(expression)
    log = positive and (wide or _LOG_TAG.search(expression) is not None)
    return Axis(key, label(key), "log" if log else "linear", tuple(values))
