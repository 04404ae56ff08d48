"""What arguments of samplers may be."""

from typing import Any

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.base.limits import NOT_NEGATIVE, Limits, number, optional, text


def _points(key: str, value: Any) -> None:
    """Check how many values an interval is cut into: one number, or one by key."""
    for name, points in value.items() if isinstance(value, dict) else [(None, value)]:
        check_int(f"{key}.{name}" if name else key, points, 2)


def _list(key: str, value: Any) -> None:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{key} = {value!r}: must be a list of points, as [{{optimizer.lr: 0.1}}, ...]")


OPTIONS: Limits = {"sampler": {"first": _list, "prior": optional(text)}}
"""Keys of every option of the group that say what is known; they are taken out before its target is built."""

LIMITS: Limits = {
    "hpsearch.search.samplers.Grid": {"points": optional(_points)},
    "hpsearch.search.shared.store.PostgresStore": {
        "url": optional(text),
        "lease_sec": number("[1, inf)"),
        "wait_sec": NOT_NEGATIVE,
    },
}
