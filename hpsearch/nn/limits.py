"""What arguments of initializations may be."""

from hpsearch.base.limits import NUMBER, POSITIVE, Limits, flag, one_of, optional, or_word

LOG_PRIOR = "log_prior"

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
