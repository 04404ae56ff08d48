"""What arguments of regularizers may be."""

from collections.abc import Mapping
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import BELOW_ONE, NOT_NEGATIVE, POSITIVE, SHARE, Limits, Rules, count, flag, number, optional

_NORM: Rules = {"strength": NOT_NEGATIVE, "bias_and_norm": flag}


def _start(key: str, value: Any) -> None:
    """Refuse what is neither a share of the epochs nor an epoch."""
    NOT_NEGATIVE(key, value)
    if value >= 1 and value != int(value):
        raise ConfigError(f"{key} = {value!r}: must be a share of the epochs below 1, or an epoch")


LIMITS: Limits = {
    "hpsearch.regularizers.L1": _NORM,
    "hpsearch.regularizers.L2": _NORM,
    "hpsearch.regularizers.Lp": {**_NORM, "p": number("[1, inf)")},
    "hpsearch.regularizers.ElasticNet": {**_NORM, "l1_ratio": SHARE},
    "hpsearch.regularizers.MaxNorm": {"limit": POSITIVE},
    "hpsearch.regularizers.Mixup": {"alpha": POSITIVE},
    "hpsearch.regularizers.CutMix": {"alpha": POSITIVE},
    "hpsearch.regularizers.EarlyStopping": {"patience": count(), "min_delta": NOT_NEGATIVE, "restore_best": flag},
    "hpsearch.regularizers.EMA": {"epochs": POSITIVE, "warmup": flag},
    "hpsearch.regularizers.TorchEMA": {"decay": BELOW_ONE},
    "hpsearch.regularizers.SWA": {
        "start": _start,
        "every": count(),
        "lr": optional(POSITIVE),
        "anneal_epochs": count(0),
    },
}

MOVED_BY: Mapping[str, tuple[str, ...]] = {"penalty": ("regularizer", "regularizer.*")}
"""Keys of regularizers that change a metric itself."""
