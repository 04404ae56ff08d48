"""What is wrong with the layers of one training run: gradients, units and updates.

A rule returns its evidence, empty when it does not hold.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hpsearch.reports.diagnosis.history import Array, History

VANISHES = 1e-3
"""Relative gradient |g||w| of a layer over that of the last one: five sigmoid layers, each with a derivative of at
most 1/4, leave (1/4)^5 = 1e-3."""
EXPLODES = 1e3
"""|g||w| of a layer, by which the loss would change if its weights changed as much as they are large, in units of
`History.unit`, and the same over that of the last layer: about 1 to 10 in networks that train (calibrated)."""
DEAD_SHARE = 0.4
"""Share of a layer's units that give the same output for all samples; a network that trains has up to .2 of them at
its initialization (calibrated)."""
RATIO, FAR = 1e-3, 40.0
"""The update-to-weight ratio of the rule of thumb, and how many times more or less is far: small networks that train
well for a few epochs have up to .03 (calibrated)."""


def vanishing(run: History) -> str:
    """Vanishing gradients: a layer's relative gradient |g||w| is under a thousandth of the last layer's.

    In most of the measured steps, so that a start that the run recovers from does not count. The last layer is the
    one nearest the loss.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    low = _ladder(run, lambda each, last: last > 0 and each < VANISHES * last)
    return f"the gradient vanishes in {low[0]}: {low[1]:.1g} of the last layer's" if low else ""


def exploding(run: History) -> str:
    """Exploding gradients: a layer's |g||w| is over a thousand losses of ordinary size, or times the last layer's.

    In most of the measured steps; a run that diverged in its first epoch has one.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    high = _ladder(run, lambda each, last: each > EXPLODES * run.unit or each > EXPLODES * last > 0)
    return f"the gradient explodes in {high[0]}: |g||w| is {high[2]:.2g}" if high else ""


def dead_units(run: History) -> str:
    """Dead units: more than `DEAD_SHARE` of a layer's units give the same output for all samples, at the last look.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    looks = [row["outputs"] for row in run.layers if row.get("outputs")]
    if not looks:
        return ""
    dead = {name: each["dead"] for name, each in looks[-1].items() if each["dead"] is not None}
    name = max(dead, key=lambda each: dead[each], default="")
    return f"{dead[name]:.0%} of the units of {name} are dead" if name and dead[name] > DEAD_SHARE else ""


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
    return bool(vanishing(run) or dead_units(run))


def _ladder(run: History, holds: Callable[[float, float], bool]) -> tuple[str, float, float] | None:
    """Return the first layer for which a rule on |g||w| and the last layer's holds in most of the measured steps.

    With it come its typical |g||w| over the last layer's, and its typical |g||w|.
    """
    rows = [{name: _relative(row, name) for name in row["gradient"]} for row in run.layers if row.get("gradient")]
    names = list(rows[0]) if rows else []
    for name in names:
        pairs = [(row[name], row[names[-1]]) for row in rows]
        if 2 * sum(holds(*pair) for pair in pairs) > len(pairs):
            over = float(np.median([each / last if last > 0 else math.inf for each, last in pairs]))
            return name, over, float(np.median([each for each, _ in pairs]))
    return None


def _relative(row: Mapping[str, Any], name: str) -> float:
    """Return a layer's |g||w|, infinite where it was not finite."""
    gradient, weight = row["gradient"][name], row["weight"][name]
    return math.inf if gradient is None or weight is None else float(gradient * weight)
