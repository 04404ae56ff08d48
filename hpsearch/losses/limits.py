"""What arguments of losses may be, torch's own included."""

from collections.abc import Mapping
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import NOT_NEGATIVE, POSITIVE, SHARE, Limits, Rules, each, one_of, optional

BINARY_CROSS_ENTROPY: Rules = {"label_smoothing": SHARE, "pos_weight": optional(POSITIVE)}
HINGE: Rules = {
    "margin": POSITIVE,
    "power": one_of(1, 2),
    "multiclass": one_of("crammer_singer", "weston_watkins"),
}
SQUARED_ERROR: Rules = {"outputs": optional(one_of("softmax", "sigmoid"))}
FOCAL: Rules = {"gamma": NOT_NEGATIVE, "weight": optional(each(NOT_NEGATIVE))}


def _no_class(key: str, value: Any) -> None:
    """Refuse a class whose samples a batch's mean would leave out, so that it depends on the batch."""
    if isinstance(value, int) and value >= 0:
        raise ConfigError(f"{key} = {value!r}: must be below 0; data.classes says which classes there are")


LIMITS: Limits = {
    "torch.nn.*": {"reduction": one_of("mean")},
    "torch.nn.CrossEntropyLoss": {"label_smoothing": SHARE, "ignore_index": _no_class},
    "torch.nn.NLLLoss": {"ignore_index": _no_class},
    "torch.nn.HuberLoss": {"delta": POSITIVE},
    "hpsearch.losses.binary_cross_entropy.BinaryCrossEntropy": BINARY_CROSS_ENTROPY,
    "hpsearch.losses.focal.Focal": FOCAL,
    "hpsearch.losses.hinge.Hinge": HINGE,
    "hpsearch.losses.squared_error.SquaredError": SQUARED_ERROR,
}

MOVED_BY: Mapping[str, tuple[str, ...]] = dict.fromkeys(("loss", "weighted_loss"), ("loss", "loss.*"))
"""Keys of the loss that change a metric itself."""
