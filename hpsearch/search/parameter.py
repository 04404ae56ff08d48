"""One searched hyperparameter: what Optuna is asked, and what its values mean."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hpsearch.base.conditions import Condition
from hpsearch.base.errors import SpaceError

FEW = 16
"""Of so many values all are neighbours."""


@dataclass(frozen=True)
class Parameter:
    """One searched hyperparameter, or one branch of it.

    Attributes:
        name: what Optuna calls it: the conditions and the key, separated by slashes.
        key: dotted key of the configuration.
        condition: (group, option) pairs that must all be chosen for it to be active.
        distribution: what Optuna draws from.
        expression: the sweep expression, in a normal form.
        values: every value in order, decoded; None for an interval.
        ranked: whether Optuna is asked for a place among the sorted values, so that its models see their order.
        zipped: the tag under which it takes the value at the same place as others take theirs; None: by itself.
        lead: name of the first of those, which Optuna is asked for; empty: by itself.
        as_it_is: whether Optuna holds its values as they are, of whatever type.
    """

    name: str
    key: str
    condition: Condition
    distribution: BaseDistribution
    expression: str
    values: tuple[Any, ...] | None
    ranked: bool = False
    zipped: str | None = None
    lead: str = ""
    as_it_is: bool = False

    @property
    def asked_as(self) -> str:
        """The name of what Optuna is asked for."""
        return self.lead or self.name

    @property
    def is_asked(self) -> bool:
        """Whether Optuna is asked for it by its own name."""
        return self.asked_as == self.name

    def at(self, value: Any) -> Any:
        """Return the value at a place of a zipped one; a value of another as it is."""
        return value if self.zipped is None else self.decode(value)

    @property
    def is_group(self) -> bool:
        """Whether its values are options of a group of the configuration, not values of a key."""
        return "." not in self.key

    def encode(self, value: Any) -> Any:
        """Return what Optuna stores for a value."""
        if self._by_place:
            return self._ordered.index(value)
        if isinstance(self.distribution, CategoricalDistribution) and self._as_json:
            return json.dumps(value, sort_keys=True)
        return value

    def decode(self, stored: Any) -> Any:
        """Return the value that Optuna's stands for."""
        if self.values is None:
            return stored
        if self._by_place:
            return self._ordered[stored]
        if isinstance(self.distribution, CategoricalDistribution):
            return json.loads(stored) if self._as_json else stored
        if isinstance(self.distribution, IntDistribution):
            return stored
        return min(self.values, key=lambda value: abs(value - stored))

    @property
    def _by_place(self) -> bool:
        """Whether Optuna stores places among the values."""
        return self.ranked or self.zipped is not None

    @cached_property
    def _ordered(self) -> tuple[Any, ...]:
        """The values in the order in which what Optuna stores for them follows each other."""
        return tuple(sorted(self.values or ())) if self.ranked else self.values or ()

    @cached_property
    def _stored(self) -> Sequence[Any]:
        """What Optuna stores for the values, in order."""
        return range(len(self._ordered)) if self._by_place else [self.encode(value) for value in self._ordered]

    @property
    def _as_json(self) -> bool:
        return not self.as_it_is and not is_plain_choice(self.values or ())

    def ends(self) -> tuple[Any, ...]:
        """Return the values between which all others lie: both ends, or every choice."""
        if isinstance(self.distribution, IntDistribution | FloatDistribution) and not self._by_place:
            return (self.distribution.low, self.distribution.high)
        return self.values or ()

    def all_values(self) -> Sequence[Any] | None:
        """Return every value in order, decoded; None for an interval of real numbers."""
        if self.values is None and isinstance(self.distribution, IntDistribution):
            return range(self.distribution.low, self.distribution.high + 1)
        return self.values

    def places(self) -> Sequence[int]:
        """Return the places of a zipped one; empty for another."""
        return range(len(self.values or ())) if self.zipped is not None else ()

    def resolve(self, value: Any) -> Any:
        """Return the value among its own that a user's value means.

        Raises:
            SpaceError: there is none.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.values is not None:
            for known in self.values:
                if known == value and isinstance(known, bool) == isinstance(value, bool):
                    return known
        elif number and math.isfinite(value) and self.ends()[0] <= value <= self.ends()[1]:
            if isinstance(self.distribution, FloatDistribution):
                return float(value)
            if value == int(value):
                return int(value)
        raise SpaceError(f"{self.key} = {value!r} is not in {self.expression}")

    def from_unit(self, share: float) -> Any:
        """Return what Optuna stores for the value at a share of the range.

        Args:
            share: in [0, 1); a uniform one gives a uniform value, on a logarithmic scale where tagged so.

        Returns:
            The value; a finite one has the same share of [0, 1) as every other.
        """
        if self.values is not None:
            return self._stored[int(share * len(self.values))]
        distribution = self.distribution
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        low, high = distribution.low, distribution.high
        if isinstance(distribution, FloatDistribution):
            return min(max(_between(low, high, share, distribution.log), low), high)
        value = round(_between(low - 0.5, high + 0.5, share, distribution.log))
        return min(max(value, low), high)

    def to_unit(self, stored: Any) -> float:
        """Return the share of the range at which a value lies, the middle of those that `from_unit` gives it to."""
        if self.values is not None:
            return (self._stored.index(stored) + 0.5) / len(self.values)
        distribution = self.distribution
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        half = 0.5 if isinstance(distribution, IntDistribution) else 0.0
        low, high = distribution.low - half, distribution.high + half
        if distribution.log:
            low, high, stored = math.log(low), math.log(high), math.log(stored)
        return (stored - low) / (high - low) if high > low else 0.5

    def near(self, stored: Any) -> list[Any]:
        """Return what Optuna stores for other values, the nearest first.

        Args:
            stored: what it stores for a value.

        Returns:
            Every other choice; of numbers those at 1, 2, 4, ... places below and above; of an interval of real numbers
            those at 1/1024, 1/512, ... 1/2 of the range, on a logarithmic scale where tagged so.
        """
        if isinstance(self.distribution, CategoricalDistribution):
            return [choice for choice in self.distribution.choices if choice != stored]
        values = self.all_values()
        if values is None:
            share = self.to_unit(stored)
            shares = (share + sign / 2**k for k in range(10, 0, -1) for sign in (-1, 1))
            return [self.from_unit(each) for each in shares if 0 <= each < 1]
        known = self._stored if self.values is not None else values
        place = known.index(self.encode(self.decode(stored)))
        places = (place + sign * offset for offset in _offsets(len(known)) for sign in (-1, 1))
        return [known[each] for each in places if 0 <= each < len(known)]

    def grid_values(self, points: int | None) -> tuple[Any, ...]:
        """Return the values a grid takes.

        Args:
            points: values of an interval, its two ends among them; ignored where the values are finite.

        Returns:
            The values in order: evenly spaced, on a logarithmic scale where tagged so; whole numbers only once.

        Raises:
            SpaceError: for an interval without a number of points, or with fewer than two.
        """
        if self.values is not None:
            return self.values
        if points is None:
            raise SpaceError(
                f"a grid over {self.key} = {self.expression} needs the number of its values: sampler.points"
            )
        if not isinstance(points, int) or isinstance(points, bool) or points < 2:
            raise SpaceError(f"sampler.points = {points!r}: a grid over {self.key} needs a whole number >= 2")
        return _cut_interval(self.distribution, points)


def _offsets(count: int) -> Sequence[int]:
    """Return how many places away neighbours are looked for among so many values: all of few, else powers of two."""
    return range(1, count) if count <= FEW else [2**k for k in range((count - 1).bit_length())]


def is_plain_choice(values: Sequence[Any]) -> bool:
    """Return whether Optuna can hold the choices as they are and tell them apart: all strings or all numbers."""
    if all(isinstance(value, str) for value in values):
        return True
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values) and len(set(values)) == len(
        values
    )


def _between(low: float, high: float, share: float, log: bool) -> float:
    if log:
        return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return low + (high - low) * share


def _cut_interval(distribution: BaseDistribution, points: int) -> tuple[Any, ...]:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = distribution.low, distribution.high
    shares = [i / (points - 1) for i in range(1, points - 1)]
    inner = [_between(low, high, share, distribution.log) for share in shares]
    if isinstance(distribution, IntDistribution):
        return tuple(sorted({low, high, *map(round, inner)}))
    return (low, *_shortened(inner, low, high), high)


def _shortened(values: Sequence[float], low: float, high: float) -> list[float]:
    """Round to as few significant digits, from six up, as keep the values apart."""
    for digits in range(6, 18):
        short = [float(f"{value:.{digits}g}") for value in values]
        chain = [low, *short, high]
        if all(a < b for a, b in pairwise(chain)):
            return short
    raise SpaceError(f"the interval from {low!r} to {high!r} is too narrow for {len(values) + 2} values")
