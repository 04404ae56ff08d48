"""What arguments of samplers may be."""

from typing import Any

from hpsearch.base.errors import check_int
from hpsearch.base.limits import Limits, optional


def _points(key: str, value: Any) -> None:
    """Check how many values an interval is cut into: one number, or one by key."""
    for name, number in value.items() if isinstance(value, dict) else [(None, value)]:
        check_int(f"{key}.{name}" if name else key, number, 2)


LIMITS: Limits = {"hpsearch.search.samplers.Grid": {"points": optional(_points)}}
