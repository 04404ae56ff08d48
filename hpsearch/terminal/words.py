"""Numbers and names as people read them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.types import BestPoint, TrialState

STATES = sorted(TrialState, key=lambda state: not state.finished)
"""The finished states first."""


def duration(seconds: float) -> str:
    """Return a time span: ``8.4 s``, ``1 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, small, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"


def number(value: Any) -> str:
    """Return a value in few digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def metric(value: float) -> str:
    """Return a measured value in digits that do not jump from epoch to epoch."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def assignments(params: Mapping[str, Any]) -> str:
    """Return hyperparameters as on a command line."""
    return " ".join(f"{key}={number(value)}" for key, value in params.items())


def spread(best: BestPoint) -> str:
    """Return a point's score: metric, mean, standard deviation and number of trials."""
    name = f"{best.metric} " if best.metric else ""
    sd = f" ± {metric(best.sd)}" if best.n > 1 and math.isfinite(best.sd) else ""
    return f"{name}{metric(best.mean)}{sd} ({best.n} trial{'s' if best.n > 1 else ''})"


def tally(counts: Mapping[TrialState, int]) -> str:
    """Return trials by state, such as ``33 complete, 6 infeasible``."""
    return ", ".join(f"{counts[state]} {state.lower()}" for state in STATES if counts.get(state))


def shown_path(path: Path) -> str:
    """Return a path relative to the working folder where it lies inside."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
