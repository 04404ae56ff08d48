"""What arguments of samplers may be."""

from typing import Any

from hpsearch.base.errors import check_int
from hpsearch.base.limits import Limits, optional


def _points(key: str, value: Any) -> None:
    """Check the values per interval of a grid; a list of points is for its sampler to check."""
    if isinstance(value, list):
        return
    for name, number in value.items() if isinstance(value, dict) else [(None, value)]:
        check_int(f"{key}.{name}" if name else key, number, 2)


LIMITS: Limits = {"hpsearch.search.*": {"points": optional(_points)}}
