"""What a curve has lost: the stretches of a trial in which a metric was not measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHARE = 1 / 3
"""Share of the distances between values from which on the commonest of them is how often a metric is measured."""
LONGER = 1.5
"""How many times as far apart as usual two values are between which some are lost."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A stretch without values.

    Attributes:
        low: where the last value before it was measured; where the trial began, if there is none.
        high: where the next one was measured; where the trial ended, if there is none.
    """

    low: float
    high: float


def lost_stretches(x: NDArray[np.float64], known: NDArray[np.bool_], *, every: bool = False) -> tuple[Lost, ...]:
    """Return where a trial has lost values of a metric.

    A metric may be measured in every epoch or in every tenth. How often is the commonest distance between its values,
    where it makes up a third of them; of two values, which tell nothing, that of the trial's reports. Where values are
    further apart than `LONGER` times that, or as far away from the trial's beginning or end, some are lost. A metric
    that is measured at ever longer distances has no usual one, and has lost nothing; nor has one that is measured
    once.

    Args:
        x: where the trial reported anything, ascending.
        known: whether the metric has a finite value there.
        every: whether each report holds this metric, so that one without a value has lost it.

    Returns:
        The stretches, ascending.
    """
    there = x[known]
    if len(there) < 2:
        return ()
    if every:
        gaps = np.diff(np.flatnonzero(known)) > 1
        return tuple(Lost(float(there[i]), float(there[i + 1])) for i in np.flatnonzero(gaps))
    usual = _usual(there if len(there) > 2 else x)
    if usual is None:
        return ()
    edges = np.unique(np.concatenate([x[:1], there, x[-1:]]))
    far = np.flatnonzero(np.diff(edges) > LONGER * usual)
    return tuple(Lost(float(edges[i]), float(edges[i + 1])) for i in far)


def _usual(x: NDArray[np.float64]) -> float | None:
    """Return the commonest distance of values, the least of equally common ones; None where none is common."""
    distances = np.diff(x)
    if not len(distances):
        return None
    found, counts = np.unique(distances.round(6), return_counts=True)
    return float(found[counts.argmax()]) if counts.max() >= SHARE * len(distances) else None
