"""The interval of a point's mean over seeds, samples and folds, and which difference of means counts as none."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.kit.space import floats
from hpsearch.statistics.best import smallest_difference
from hpsearch.statistics.crossed import FEWEST_SEEDS, share_interval
from hpsearch.statistics.intervals import Interval, folds_interval, mean_interval, mean_of


def shared_samples(table: TrialTable, metric: str) -> int | None:
    """Return of how many samples a study's scores are shares, the same samples in every trial.

    Args:
        table: the study.
        metric: what the scores are of.

    Returns:
        Their number; None where scores are no shares of samples that stand for themselves: of another metric than
        accuracy, of folds, of groups and blocks of time, of a loop of one's own.
    """
    data = dict(dict(table.study.get("config") or {}).get("data") or {})
    if metric not in ("valid/acc", "test/acc") or data.get("groups") or data.get("time"):
        return None
    size = f"data.{metric.split('/')[0]}_size"
    known = floats(table.trials[size]) if size in table.trials else np.asarray([])
    sizes = set(known[np.isfinite(known)].tolist())
    return int(min(sizes)) if len(sizes) == 1 and table.trials["fold"].nunique() == 1 else None


def interval_of(
    replicates: Sequence[tuple[int, int]], scores: Sequence[float], samples: int | None = None
) -> Interval | None:
    """Return the interval of the mean of a point's scores.

    Args:
        replicates: (seed, fold) of its trials.
        scores: their scores, in the same order.
        samples: from `shared_samples`.

    Returns:
        That of a share over seeds and samples; else Student's over the seeds, each with the mean of its folds; of fewer
        than three seeds over the folds, see `folds_interval`. None for fewer than three scores, and where they do not
        differ.
    """
    if len(scores) < FEWEST_SEEDS:
        return None
    if samples is not None:
        return share_interval(scores, samples)
    by_seed = defaultdict[int, list[float]](list)
    for (seed, _), score in zip(replicates, scores, strict=True):
        by_seed[seed].append(score)
    folds = len({fold for _, fold in replicates})
    if folds > 1 and len(by_seed) < FEWEST_SEEDS:
        interval = folds_interval(scores, folds)
    else:
        interval = mean_interval([mean_of(of_seed) for of_seed in by_seed.values()])
    return interval if interval is not None and interval.low < interval.high else None


def margin_of(objective: Objective, samples: int | None) -> float:
    """Return the difference of scores that counts as none.

    Args:
        objective: what is searched for.
        samples: of which its scores are shares; None where that is not known, or they are none.

    Returns:
        What `Objective.margin` says; for ``auto`` the `smallest_difference` of so many samples, 0 where they are not
        known: of losses and other metrics nothing says what a single sample makes.
    """
    if isinstance(objective.margin, str):
        return 0.0 if samples is None else smallest_difference(samples)
    return float(objective.margin)


def by_seed(replicates: Sequence[tuple[int, int]], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return scores ``[point, replicate]`` as they count beside each other, and what share of samples they share."""
    seeds, folds = np.asarray([seed for seed, _ in replicates]), len({fold for _, fold in replicates})
    if folds < 2:
        return scores, 0.0
    known = np.unique(seeds)
    if len(known) < FEWEST_SEEDS:
        return scores, 1 / (folds - 1)
    return np.stack([scores[:, seeds == seed].mean(axis=1) for seed in known], axis=1), 0.0
