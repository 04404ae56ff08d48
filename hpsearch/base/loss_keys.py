"""Which keys of a loss change what ``loss`` in reports measures, and which only what is trained on."""

from collections.abc import Iterable, Mapping
from typing import Any

from hpsearch.base.plain import flatten

_TRAINED_ON_ALONE = {
    "torch.nn.": frozenset({"weight", "pos_weight", "label_smoothing"}),
    "hpsearch.losses.": frozenset({"weight", "pos_weight", "label_smoothing", "gamma"}),
}
_OF_CROSS_ENTROPY = ("torch.nn.CrossEntropyLoss", "torch.nn.NLLLoss", "hpsearch.losses.focal.Focal")
"""Losses that are cross-entropy once what only training is told is left out."""


def only_trained_on(target: str) -> frozenset[str]:
    """Return the arguments of a loss that ``valid/loss`` does not depend on, see `losses.class_weights.plain_loss`."""
    return next((names for room, names in _TRAINED_ON_ALONE.items() if target.startswith(room)), frozenset())


def measure_of(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a loss's configuration that says what ``loss`` in reports measures."""
    target = str(loss.get("_target_", ""))
    if target in _OF_CROSS_ENTROPY:
        return {"_target_": _OF_CROSS_ENTROPY[0]}
    return {key: value for key, value in flatten(loss).items() if key not in only_trained_on(target)}


def moving(keys: Iterable[str], loss: Mapping[str, Any]) -> tuple[str, ...]:
    """Return those keys, dotted, whose values give ``loss`` another measure.

    Args:
        keys: that are varied.
        loss: the configuration around which they are.
    """
    kept = only_trained_on(str(loss.get("_target_", "")))
    return tuple(key for key in keys if key == "loss" or (key.startswith("loss.") and key[5:] not in kept))
