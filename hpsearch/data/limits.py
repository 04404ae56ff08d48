"""What arguments of data sources may be."""

import re
from collections.abc import Mapping
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.keys import PER_SEED
from hpsearch.base.limits import Limits, count, flag, number, one_of, optional, or_word
from hpsearch.base.plain import list_of


def _folder(key: str, value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value):
        raise ConfigError(f"{key} = {value!r}: must be a folder or null")


LIMITS: Limits = {
    "hpsearch.data.*": {
        "batch_size": or_word(count(), "full"),
        "micro_batch": or_word(optional(count()), "auto"),
        "drop_last": or_word(flag, "auto"),
        "shuffle": flag,
        "sampling": one_of(None, "balanced"),
        "valid_fraction": number("(0, 1)"),
        "test_fraction": optional(number("(0, 1)")),
        "folds": optional(count(2)),
        "split_seed": or_word(count(0), PER_SEED),
        "train_size": optional(count()),
        "missing_value": number("(-inf, inf)"),
        "missing_indicator": flag,
        "loader_workers": optional(count(0)),
    },
    **{f"hpsearch.data.{name}": {"root": _folder} for name in ("MNIST", "FashionMNIST", "CIFAR10")},
}
"""The first are fields of every source, of users' too, whose constructor is ours."""

_SAMPLES = "it decides which samples points are compared on"

YARDSTICK: Mapping[str, str] = {
    **dict.fromkeys(("data", "data._target_", "data.classes", "data.valid_fraction", "data.test_fraction"), _SAMPLES),
    **dict.fromkeys(("data.split_seed", "data.path", "data.folder", "data.root", "data.x", "data.y"), _SAMPLES),
    **dict.fromkeys(("data.groups", "data.time", "data.header"), _SAMPLES),
    **dict.fromkeys(("data.valid_path", "data.column", "data.form", "data.unseen"), _SAMPLES),
    **dict.fromkeys(("data.sentences", "data.samples", "data.function", "data.noise", "data.draw"), _SAMPLES),
    **dict.fromkeys(("data.target", "data.task"), "it decides what is predicted"),
    "data.positive": "it decides what is measured",
}
"""Why a search over a key compares nothing; `data.folds` is refused as a replicate."""

_COLUMNS = ("data.features", "data.drop", "data.categorical")


def dropped_by(key: str, expression: Any, config: Mapping[str, Any]) -> str:
    """Return why a key decides which rows ``data.missing=drop`` leaves; empty where it does not.

    Args:
        key: dotted key that is searched.
        expression: what it is searched over.
        config: the configuration that is searched around.
    """
    if key == "data.missing":
        drops = re.search(r"\bdrop\b", str(expression)) is not None
    else:
        drops = list_of(key) in _COLUMNS and (config.get("data") or {}).get("missing") == "drop"
    return f"with data.missing=drop {_SAMPLES}" if drops else ""


MOVED_BY: Mapping[str, tuple[str, ...]] = {
    "loss": ("data.target_scaling",),
    "weighted_loss": ("data.target_scaling", "data.class_weights"),
}
"""Keys of data that change a metric itself."""
