"""What arguments of samplers may be."""

from typing import Any

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.base.limits import Limits, optional, text


def _points(key: str, value: Any) -> None:
    """Check how many values an interval is cut into: one number, or one by key."""
    for name, number in value.items() if isinstance(value, dict) else [(None, value)]:
        check_int(f"{key}.{name}" if name else key, number, 2)


def _list(key: str, value: Any) -> None:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{key} = {value!r}: must be a list of points, as [{{optimizer.lr: 0.1}}, ...]")


OPTIONS: Limits = {"sampler": {"first": _list, "prior": optional(text)}}
"""Keys of every option of the group that say what is known; they are taken out before its target is built."""

LIMITS: Limits = {"hpsearch.search.samplers.Grid": {"points": optional(_points)}}
