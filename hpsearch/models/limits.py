"""What arguments that several models have may be."""

from hpsearch.base.limits import BELOW_ONE, Limits, Rules, count, each, flag, optional, text
from hpsearch.nn.limits import CONSTANTS

_NAMED: Rules = {"name": text, "weights": optional(text), "size": optional(count()), "download": flag}

LIMITS: Limits = {
    "hpsearch.models.*": {"dropout": each(BELOW_ONE), "norm_first": flag, **CONSTANTS},
    "hpsearch.models.torchvision.Torchvision": _NAMED,
    "hpsearch.models.timm.Timm": _NAMED,
    "hpsearch.models.transformers.Transformers": _NAMED,
}
