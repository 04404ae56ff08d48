"""Trials of one point that only repeat each other: where seeds change nothing, further seeds are no further evidence.

Their spread is 0 by construction and an interval from it would claim what nobody measured: such trials count once.
"""

import math
from collections.abc import Hashable, Mapping

MEASURED = ("_sec", "_per_sec", "_mib")
"""Endings of metrics that measure the machine and not the trial."""
NO_SEEDS = "the seeds change nothing"
"""How sentences say it."""


def measured(epoch: float, step: int, metrics: Mapping[str, float]) -> Hashable:
    """Return what a trial measured after an epoch, to be compared: without what is of the machine or has no value."""
    values = ((name, value) for name, value in metrics.items() if not (name.endswith(MEASURED) or math.isnan(value)))
    return (epoch, step, *sorted(values))


def repeats(trials: Mapping[tuple[int, int], Hashable]) -> frozenset[tuple[int, int]]:
    """Return the trials of a point that only repeat others.

    Args:
        trials: what each trial measured, by seed and fold; at least one.

    Returns:
        Those of every seed but the first, where the trials of a fold measured the same whatever their seed; else none.
    """
    first = min(seed for seed, _ in trials)
    of_first = {fold: found for (seed, fold), found in trials.items() if seed == first}
    if any(fold not in of_first or of_first[fold] != found for (_, fold), found in trials.items()):
        return frozenset()
    return frozenset(trial for trial in trials if trial[0] != first)
