"""Multiples of the configured learning rate, which gates try when it does not work."""

from collections.abc import Sequence

from hpsearch.errors import ConfigError, check_float


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
