"""What is wrong with the updates of one training run, and whether the loss reaches its layers."""

import math

import numpy as np

from hpsearch.reports.diagnosis.history import Array, History
from hpsearch.reports.kit.layer_rules import dead_units, vanishing

RATIO, FAR = 1e-3, 40.0
"""The update-to-weight ratio of the rule of thumb, and how many times more or less is far: small networks that train
well for a few epochs have up to .03 (calibrated)."""


def update_ratio(run: History) -> str:
    """Update ratio: while the loss falls, the typical update changes the weights far more or less than a thousandth.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    ratio = typical_ratio(run)
    if not math.isfinite(ratio) or RATIO / FAR <= ratio <= RATIO * FAR:
        return ""
    return f"an update changes {ratio:.1g} of the weights; about {RATIO:g} is usual"


def typical_ratio(run: History) -> float:
    """Return the median update ratio of the epochs up to nine tenths of the training loss's fall, nan without any."""
    fall = run.scale - run.train
    active = 1 + int(np.argmax(fall >= 0.9 * fall.max())) if len(fall) else 0
    ratios = run.update_ratio[: max(active, 1)]
    finite: Array = ratios[np.isfinite(ratios)]
    return float(np.median(finite)) if len(finite) else math.nan


def signal_lost(run: History) -> bool:
    """Return whether little of the loss reaches some layer: its gradient vanishes, or its units are dead."""
    return bool(vanishing(run.layers) or dead_units(run.layers))
