"""What arguments of initializations may be, and constants of activations and normalizations."""

from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import (
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    Limits,
    Rules,
    count,
    flag,
    number,
    one_of,
    optional,
    or_word,
)

LOG_PRIOR = "log_prior"


def _odd(key: str, value: Any) -> None:
    """Refuse what is no positive odd number."""
    count()(key, value)
    if value % 2 == 0:
        raise ConfigError(f"{key} = {value}: must be odd, as many channels on either side")


CONSTANTS: Rules = {
    "activation_slope": optional(NOT_NEGATIVE),
    "activation_pieces": optional(count(2)),
    "norm_eps": optional(POSITIVE),
    "norm_momentum": optional(number("(0, 1]")),
    "norm_groups": optional(count()),
    "norm_size": optional(_odd),
    "norm_alpha": optional(NOT_NEGATIVE),
    "norm_beta": optional(NOT_NEGATIVE),
    "norm_k": optional(POSITIVE),
}
"""Of activations and normalizations, by their arguments of models; what each is: `hpsearch.nn.style.Style`."""

LIMITS: Limits = {
    "hpsearch.nn.init.*": {"bias": optional(NUMBER), "output_bias": optional(or_word(NUMBER, LOG_PRIOR))},
    "hpsearch.nn.init.Constant": {"value": NUMBER},
    "hpsearch.nn.init.Normal": {"std": POSITIVE, "truncate": flag},
    "hpsearch.nn.init.VarianceScaling": {
        "scale": POSITIVE,
        "fan": one_of("in", "avg"),
        "distribution": one_of("normal", "uniform"),
    },
    "hpsearch.nn.init.Orthogonal": {"gain": POSITIVE},
}
