"""What arguments of launchers may be."""

from hpsearch.base.limits import Limits, count, flag, number, optional, or_word

LIMITS: Limits = {
    "hpsearch.launch.*": {
        "workers": optional(or_word(count(), "auto")),
        "lockstep": flag,
        "retries": count(0),
        "grace_sec": number("[0, inf)"),
        "log_mib": number("(0, inf)"),
        "paused": or_word(count(0), "auto"),
    },
}
