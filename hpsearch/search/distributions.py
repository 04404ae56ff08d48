"""Optuna's distributions in the words of a space."""

from decimal import Decimal
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hpsearch.base.errors import SpaceError
from hpsearch.base.grammar import value_text


def expression_of(distribution: BaseDistribution) -> str:
    """Return the search expression of the same values.

    Args:
        distribution: of floats, whole numbers or categories; of a category of a type that no configuration holds a
            TypeError is raised.

    Raises:
        SpaceError: it is of another kind.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            return f"choice({', '.join(map(value_text, choices))})"
        case FloatDistribution() | IntDistribution() if distribution.low == distribution.high:
            return f"choice({distribution.low!r})"
        case FloatDistribution(low=low, high=high, step=None, log=log):
            return _tagged(f"interval({float(low)!r}, {float(high)!r})", log)
        case IntDistribution(low=low, high=high, step=1, log=log):
            return _tagged(f"int(interval({low}, {high}))", log)
        case FloatDistribution(low=low, high=high, step=step) | IntDistribution(low=low, high=high, step=step):
            return f"range({low!r}, {_sum(high, step)}, {step!r})"
    raise SpaceError(f"a {type(distribution).__name__} cannot be searched")


def _tagged(interval: str, log: bool) -> str:
    return f"tag(log, {interval})" if log else interval


def _sum(high: Any, step: Any) -> str:
    """Return where a range ends that holds `high`: it leaves its end out."""
    return str(Decimal(str(high)) + Decimal(str(step)))
