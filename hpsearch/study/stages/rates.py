"""Learning rates: those that gates try when the configured one does not work, those that are worth searching."""

from collections.abc import Sequence

from optuna.distributions import FloatDistribution

from hpsearch.base.errors import ConfigError, check_float
from hpsearch.base.grammar import value_text
from hpsearch.search.space import Space

RATE = "optimizer.lr"


def check_factors(key: str, factors: Sequence[float]) -> None:
    """Refuse factors that are no list of positive numbers.

    Args:
        key: dotted key of the configuration.
        factors: what was given.

    Raises:
        ConfigError: naming the key and the value.
    """
    if isinstance(factors, str) or not isinstance(factors, Sequence) or not factors:
        raise ConfigError(f"{key} = {factors!r}: must be a list of numbers")
    for factor in factors:
        check_float(key, factor, "(0, inf)")


def within(expression: str, low: float, high: float) -> str | None:
    """Return what an expression of learning rates has from `low` to `high`.

    Args:
        expression: of a range or of choices; its ends are limits.
        low: lowest rate that trains.
        high: highest rate that trains.

    Returns:
        The part of the range, on a log scale; of choices those in between; None where there is none.

    Raises:
        ConfigError: for a range of whole numbers.
    """
    (parameter,) = Space.parse({RATE: expression}).parameters
    if parameter.values is not None:
        kept = [value for value in parameter.values if low <= value <= high]
        return f"choice({', '.join(map(value_text, kept))})" if kept else None
    if not isinstance(parameter.distribution, FloatDistribution):
        raise ConfigError(f"space {RATE} = {expression}: lr_find narrows a range of real numbers; write interval(...)")
    low, high = max(low, parameter.distribution.low), min(high, parameter.distribution.high)
    return f"tag(log, interval({low!r}, {high!r}))" if low < high else None
