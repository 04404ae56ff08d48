"""Names of the columns in which a study's trials and curves are read."""

from functools import cache

TRIAL_COLUMNS = (
    *("point", "seed", "fold", "state", "score", "attempts", "reason"),
    *("started", "ended", "duration_sec", "run_id", "key", "command"),
)
CURVE_COLUMNS = ("point", "seed", "fold", "epoch", "step", "time")
STEP_COLUMNS = ("point", "seed", "fold", "step", "loss")
END_COLUMNS = ("point", "seed", "fold", "step")
ARM = "arm"
"""Of an ablation: the name of the trial's arm."""
_TAKEN = {*TRIAL_COLUMNS, *CURVE_COLUMNS, ARM}


@cache
def metric_column(metric: str) -> str:
    """Return the column of a metric, in trials and in curves: its name, ``metrics.state`` where that one is taken."""
    return f"metrics.{metric}" if metric in _TAKEN else metric
