"""A space that is open: it holds the hyperparameters that objectives of Optuna have suggested so far."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)

from hpsearch.search.distributions import expression_of
from hpsearch.search.expression import MAX_RANGE
from hpsearch.search.parameter import Parameter
from hpsearch.search.space import Space

SUGGESTED = "suggested"
"""User attribute of an Optuna study: what was suggested in it, a distribution as JSON by flat name."""


def open_space(suggested: Mapping[str, BaseDistribution]) -> Space:
    """Return the space of what was suggested so far, in the order in which it was."""
    return Space(tuple(_parameter(name, each) for name, each in suggested.items()), is_open=True)


def suggested_in(study: optuna.Study) -> dict[str, BaseDistribution]:
    """Return what was suggested in a study so far, by flat name."""
    return {name: json_to_distribution(text) for name, text in study.user_attrs.get(SUGGESTED, {}).items()}


def keep_suggested(study: optuna.Study, suggested: Mapping[str, BaseDistribution]) -> None:
    """Store what was suggested in a study so far."""
    study.set_user_attr(SUGGESTED, {name: distribution_to_json(each) for name, each in suggested.items()})


def united(known: BaseDistribution | None, asked: BaseDistribution) -> BaseDistribution:
    """Return the distribution that holds what was suggested under a name before and what is now.

    Args:
        known: that of before; None for a new name.
        asked: that of now. As in Optuna its ends may be others, but neither its kind, its scale nor its choices: then
            it raises a ValueError.
    """
    if known is None or known == asked:
        return asked
    check_distribution_compatibility(known, asked)
    assert isinstance(known, FloatDistribution | IntDistribution)
    assert isinstance(asked, FloatDistribution | IntDistribution)
    low, high = min(known.low, asked.low), max(known.high, asked.high)
    if isinstance(known, IntDistribution) and isinstance(asked, IntDistribution):
        same = known.step == asked.step and (known.low - asked.low) % known.step == 0
        return IntDistribution(int(low), int(high), log=known.log, step=known.step if same else 1)
    same = known.step == asked.step and known.low == asked.low
    return FloatDistribution(low, high, log=known.log, step=known.step if same else None)


def count_of(distribution: BaseDistribution) -> int | None:
    """Return how many values a distribution has; None where they are without end."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return len(choices)
        case IntDistribution(low=low, high=high, step=step):
            return (high - low) // step + 1
        case FloatDistribution(low=low, high=high, step=step) if step is not None:
            return round((high - low) / step) + 1
    return 1 if distribution.single() else None


def _parameter(name: str, distribution: BaseDistribution) -> Parameter:
    """Return the hyperparameter of a distribution, whose values Optuna holds as they are."""
    expression = expression_of(distribution)
    return Parameter(name, name, (), distribution, expression, _values(distribution), as_it_is=True)


def _values(distribution: BaseDistribution) -> tuple[Any, ...] | None:
    """Return the values of categories and of numbers with a step; None for an interval."""
    count = count_of(distribution)
    match distribution:
        case CategoricalDistribution(choices=choices):
            return tuple(choices)
        case IntDistribution(low=low, high=high, step=step) if step > 1 and count is not None and count <= MAX_RANGE:
            return tuple(range(low, high + 1, step))
        case FloatDistribution(low=low, step=step) if step is not None and count is not None and count <= MAX_RANGE:
            return tuple(min(low + step * place, distribution.high) for place in range(count))
    return None
