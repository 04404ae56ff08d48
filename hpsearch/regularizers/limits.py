"""What arguments of regularizers may be."""

from collections.abc import Mapping

from hpsearch.base.limits import NOT_NEGATIVE, POSITIVE, SHARE, Limits, Rules, count, flag, number

_NORM: Rules = {"strength": NOT_NEGATIVE, "bias_and_norm": flag}

LIMITS: Limits = {
    "hpsearch.regularizers.L1": _NORM,
    "hpsearch.regularizers.L2": _NORM,
    "hpsearch.regularizers.Lp": {**_NORM, "p": number("[1, inf)")},
    "hpsearch.regularizers.ElasticNet": {**_NORM, "l1_ratio": SHARE},
    "hpsearch.regularizers.MaxNorm": {"limit": POSITIVE},
    "hpsearch.regularizers.Mixup": {"alpha": POSITIVE},
    "hpsearch.regularizers.CutMix": {"alpha": POSITIVE},
    "hpsearch.regularizers.EarlyStopping": {"patience": count(), "min_delta": NOT_NEGATIVE, "restore_best": flag},
}

MOVED_BY: Mapping[str, tuple[str, ...]] = {"penalty": ("regularizer", "regularizer.*")}
"""Keys of regularizers that change a metric itself."""
