"""What arguments of trackers may be."""

from hpsearch.base.limits import NOT_NEGATIVE, POSITIVE, Limits, flag, optional, text

LIMITS: Limits = {
    "hpsearch.tracking.mlflow.MlflowTracker": {
        "uri": optional(text),
        "send_every_sec": POSITIVE,
        "timeout_sec": POSITIVE,
        "artifact_mib": NOT_NEGATIVE,
        "wait": flag,
    },
}
