"""From a coarse search to a fine one: the ranges around what was good."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hpsearch.base.errors import ConfigError
from hpsearch.base.grammar import value_text
from hpsearch.search.branches import can_hold
from hpsearch.search.expression import parse_parameter
from hpsearch.search.parameter import Parameter
from hpsearch.search.space import Space

SHARE = 0.25
"""The better quarter of the points decides the ranges."""
FEWEST = 3
MARGIN = 0.5
"""A range reaches this share of its width beyond the better points on both sides, and at least a step."""
STEP = 0.25
"""The least distance to the end of a range: a quarter of a decade on a log scale, of the old width on a linear one."""


def narrowed(space: Space, ranked: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the expressions of a narrower space.

    The better quarter of the points, three at least, decides. A range becomes theirs, widened by half of its width and
    by at least a quarter of a decade (on a linear scale: a quarter of the old range) on both sides, and never beyond
    the old one; so it always holds the best point with room around it. Of choices those are kept that one of the better
    points has, and what is conditional on another one goes. Zipped keys stay as they are.

    Args:
        space: what was searched; its ranges are the limits.
        ranked: active hyperparameters of every complete point, the best first; at least one point.

    Returns:
        Expressions by flat name.
    """
    better = ranked[: max(FEWEST, math.ceil(SHARE * len(ranked)))]
    table: dict[str, str] = {}
    kept: list[Parameter] = []
    for parameter in space.parameters:
        if not can_hold(parameter.condition, kept):
            continue
        values = [params[parameter.key] for params in better if parameter.asked_as in space.flat(params)]
        text = parameter.expression
        table[parameter.name] = _expression(parameter, values, text) if values and parameter.zipped is None else text
        kept.append(parse_parameter(parameter.name, table[parameter.name]))
    keys = {parameter.key for parameter in kept}
    constraints = tuple(each for each in space.constraints if keys.issuperset(each.keys))
    return {**table, **Space((), constraints).to_dict()}


def within(key: str, expression: str, low: float, high: float) -> str | None:
    """Return what an expression of learning rates has from `low` to `high`.

    Args:
        key: of the learning rate.
        expression: of a range or of choices; its ends are limits.
        low: lowest rate that trains.
        high: highest rate that trains.

    Returns:
        The part of the range, on a log scale; of choices those in between; None where there is none.

    Raises:
        ConfigError: for a range of whole numbers.
    """
    (parameter,) = Space.parse({key: expression}).parameters
    if parameter.values is not None:
        kept = [value for value in parameter.values if low <= value <= high]
        return f"choice({', '.join(map(value_text, kept))})" if kept else None
    if not isinstance(parameter.distribution, FloatDistribution):
        raise ConfigError(f"space {key} = {expression}: lr_find narrows a range of real numbers; write interval(...)")
    low, high = max(low, parameter.distribution.low), min(high, parameter.distribution.high)
    return f"tag(log, interval({low!r}, {high!r}))" if low < high else None


def _expression(parameter: Parameter, values: Sequence[Any], old: str) -> str:
    distribution = parameter.distribution
    if parameter.values is not None or isinstance(distribution, CategoricalDistribution):
        return _choices(parameter, values, old)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    place, unplace = (math.log10, lambda x: 10.0**x) if distribution.log else (float, float)
    low, high = place(distribution.low), place(distribution.high)
    first, last = min(map(place, values)), max(map(place, values))
    margin = max(MARGIN * (last - first), STEP if distribution.log else STEP * (high - low))
    ends = unplace(max(low, first - margin)), unplace(min(high, last + margin))
    return _range(distribution, *ends)


def _range(distribution: FloatDistribution | IntDistribution, low: float, high: float) -> str:
    if isinstance(distribution, IntDistribution):
        text = f"int(interval({max(math.floor(low), distribution.low)}, {min(math.ceil(high), distribution.high)}))"
    else:
        low, high = max(_outward(low, math.floor), distribution.low), min(_outward(high, math.ceil), distribution.high)
        text = f"interval({low!r}, {high!r})"
    return f"tag(log, {text})" if distribution.log else text


def _outward(end: float, rounded: Callable[[float], int]) -> float:
    """Return an end with four digits, rounded so that nothing falls out of the range."""
    unit = 10.0 ** (math.floor(math.log10(abs(end))) - 3) if end else 1.0
    return float(f"{rounded(end / unit) * unit:.4g}")


def _choices(parameter: Parameter, values: Sequence[Any], old: str) -> str:
    kept = [value for value in parameter.values or () if value in values]
    return f"choice({', '.join(map(value_text, kept))})" if kept else old
