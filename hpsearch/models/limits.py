"""What arguments that several models have may be."""

from hpsearch.base.limits import BELOW_ONE, Limits, Rules, count, each, flag, one_of, optional, text
from hpsearch.nn.limits import CONSTANTS

_POOLING: Rules = {
    "pool": one_of("max", "avg", "l2"),
    "pool_size": optional(count()),
    "pool_stride": optional(count()),
    "pool_padding": count(0),
    "stride": count(),
    "padding": optional(count(0)),
}
_NAMED: Rules = {"name": text, "weights": optional(text), "size": optional(count()), "download": flag}

LIMITS: Limits = {
    "hpsearch.models.*": {"dropout": each(BELOW_ONE), "norm_first": flag, **CONSTANTS, **_POOLING, "shortcuts": flag},
    "hpsearch.models.mlp_of_size.MLPOfSize": {"depth": count(), "parameters": count()},
    "hpsearch.models.torchvision.Torchvision": _NAMED,
    "hpsearch.models.timm.Timm": _NAMED,
    "hpsearch.models.transformers.Transformers": _NAMED,
}
