"""Which keys move what the points of a search are compared by: a search over them would give a winner of nothing.

What does stands beside the noun it belongs to, in the module ``limits`` of its package: in ``YARDSTICK`` the keys that
change the samples or the measure itself, with the reason; in ``MOVED_BY`` by the name of a metric the keys that it
depends on, a star for all keys of a group.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from hpsearch.base.errors import SpaceError
from hpsearch.base.loss_keys import only_trained_on
from hpsearch.base.plain import list_of

_ROOMS = ("data", "losses", "metrics", "regularizers", "trial")


def check_yardstick(key: str, expression: Any, source: str, config: Mapping[str, Any]) -> None:
    """Refuse a hyperparameter that moves what its values are compared by.

    Args:
        key: dotted key that is searched, or a group.
        expression: what it is searched over.
        source: where its expression stands.
        config: the configuration that is searched around, resolved.

    Raises:
        SpaceError: naming the objective that depends on it and some that do not.
    """
    for room in _ROOMS:
        if why := _matching(key, getattr(_limits(room), "YARDSTICK", {})):
            raise SpaceError(f"{key} cannot be searched: {why} (from {source})")
    if why := _limits("data").dropped_by(key, expression, config):
        raise SpaceError(f"{key} cannot be searched: {why} (from {source})")
    for where, metric in _objectives(config.get("objective") or {}):
        if _depends(metric.rpartition("/")[2], key, config):
            raise SpaceError(
                f"{key} cannot be searched with {where} = {metric}, which is measured by it: take one that does not "
                f"depend on it, such as valid/acc of classes, or valid/rmse or valid/r2 of numbers (from {source})"
            )


def _limits(room: str) -> Any:
    return import_module(f"hpsearch.{room}.limits")


def _matching(key: str, table: Mapping[str, str]) -> str:
    """Return what a table says of a key, an element of a list or a part of a table; empty where it says nothing."""
    return next((why for known, why in table.items() if fnmatchcase(list_of(key), known)), "")


def _objectives(objective: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the key and the name of each metric that points are compared by."""
    yield "objective.metric", str(objective.get("metric"))
    others = objective.get("others")
    for place, other in enumerate(others if isinstance(others, list | tuple) else ()):
        if isinstance(other, Mapping):
            yield f"objective.others[{place}].metric", str(other.get("metric"))
    limits = objective.get("limits") or {}
    yield from ((f"objective.limits.{name}", str(name)) for name in (limits if isinstance(limits, Mapping) else ()))


def _depends(metric: str, key: str, config: Mapping[str, Any]) -> bool:
    moved = {known: metric for room in _ROOMS for known in getattr(_limits(room), "MOVED_BY", {}).get(metric, ())}
    if not _matching(key, moved):
        return False
    group, _, argument = key.partition(".")
    target = (config.get(group) or {}).get("_target_", "")
    return not (metric == "loss" and argument in only_trained_on(target))
