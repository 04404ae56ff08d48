"""How well a mean over seeds is known, over samples, folds and splits too, and which difference counts as none."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.keys import PER_SEED
from hpsearch.base.samples import SampleResults
from hpsearch.base.types import Objective, TrialId, TrialTable
from hpsearch.reports.kit.space import floats
from hpsearch.statistics.best import smallest_difference
from hpsearch.statistics.crossed import FEWEST_SEEDS, crossed_mean, share_interval
from hpsearch.statistics.intervals import NOISE, Interval, folds_interval, mean_interval, mean_of, splits_interval

SEEDS = "over seeds"
"""What an interval is over that counts nothing else."""
_PARTS = {"valid": "validation", "test": "test", "train_eval": "training"}
_SHARES = ("valid/acc", "test/acc")
"""Metrics that are shares of samples."""
_SCORE = 1e-4
"""By how much, relative to it, the mean over the kept results of samples may miss a score in float32."""


@dataclass(frozen=True, slots=True)
class Known:
    """An interval of a mean over seeds, and what it is over.

    Attributes:
        interval: None where there are too few seeds, or nothing differs.
        over: in words, such as ``over seeds and 360 validation samples``.
        conservative: whether it is rather too wide, because what each seed got of every sample is not known.
        narrow: whether it is too narrow for other samples, because it leaves them out.
        student: whether it is Student's, over the seeds, the folds or the splits.
        these: what all seeds are scored on, ``on these 360 validation samples``, which differences between points are
            for; empty where that is not known or not the same.
    """

    interval: Interval | None
    over: str = SEEDS
    conservative: bool = False
    narrow: bool = False
    student: bool = False
    these: str = ""

    def moved(self, by: float) -> "Known":
        """Return the same with one end further away from the mean: the lower one for a negative number."""
        if self.interval is None or by == 0:
            return self
        low, high = self.interval.low + min(by, 0.0), self.interval.high + max(by, 0.0)
        return replace(self, interval=replace(self.interval, low=low, high=high))

    def write(self, ends: str) -> str:
        """Return ``95 % interval 0.961–0.984 over seeds and 360 validation samples``, of ends that are written."""
        level = f"{100 * self.interval.level:.0f} %" if self.interval is not None else ""
        over = "" if self.over == SEEDS else f"{',' * self.over.startswith('on ')} {self.over}"
        return f"{level} {'t ' * self.student}interval {ends}{over}{', rather too wide' * self.conservative}"


class StudyIntervals:
    """What is known of a study's means: read of a point only when its interval is asked for.

    Args:
        table: the study.
        objective: what it optimizes.
    """

    def __init__(self, table: TrialTable, objective: Objective) -> None:
        self._table, self._metric = table, objective.metric
        self._bounds = (0.0, 1.0) if objective.share else (-math.inf, math.inf)
        self._data: Mapping[str, Any] = dict(dict(table.study.get("config") or {}).get("data") or {})
        self._folds = table.trials["fold"].nunique() if "fold" in table.trials else 1

    def known(
        self,
        point: int,
        replicates: Sequence[tuple[int, int]],
        scores: Sequence[float],
        part: str = "valid",
        optimism: float = 0.0,
    ) -> Known:
        """Return the interval of the mean of a point's scores.

        In this order: from the results of single samples (`crossed_mean`), over folds, over splits, over a share's
        seeds and samples (`share_interval`), over the seeds alone.

        Args:
            point: its number.
            replicates: (seed, fold) of its trials.
            scores: their scores, in the same order.
            part: of the data, on which the objective's metric was measured.
            optimism: see `PointInterval.allow_for`.
        """
        found = self._known(point, replicates, scores, part).moved(-optimism)
        return replace(found, interval=self._possible(found.interval), these=self.these(part))

    def _possible(self, interval: Interval | None) -> Interval | None:
        """Return an interval cut at what the scores can be; None where it has no width."""
        if interval is None or interval.high - interval.low <= NOISE * max(abs(interval.low), abs(interval.high)):
            return None
        low, high = self._bounds
        return replace(interval, low=max(interval.low, low), high=min(interval.high, high))

    def these(self, part: str) -> str:
        """Return what all seeds are scored on, ``on these 360 validation samples``; empty where it is not known.

        Args:
            part: of the data.
        """
        size = self._fact(f"data.{part}_size")
        shared = self._folds == 1 and not self._own_splits(part)
        return f"on these {_counted(size, part, 'sample')}" if size is not None and shared else ""

    def samples(self) -> int | None:
        """Return of how many samples that stand for themselves every score is a share; None where it is no such one.

        Of a label per step it is a share of steps, of which a difference may have one in each sample.
        """
        grouped = self._data.get("groups") or self._data.get("time") or self._fact("data.valid_steps")
        shared = self._folds == 1 and not grouped and not self._own_splits("valid")
        return self._fact("data.valid_size") if self._metric in _SHARES and shared else None

    def splits(self) -> float:
        """Return m / (N - m) of m validation samples among N where each seed has a split of its own, else 0."""
        train, valid = (self._fact(f"data.{part}_size") for part in ("train", "valid"))
        return valid / train if self._own_splits("valid") and train and valid else 0.0

    def _own_splits(self, part: str) -> bool:
        return part == "valid" and self._data.get("split_seed") == PER_SEED

    def _known(self, point: int, replicates: Sequence[tuple[int, int]], scores: Sequence[float], part: str) -> Known:
        if len(scores) < FEWEST_SEEDS:
            return Known(None)
        if self._folds > 1:
            return _over_folds(replicates, scores)
        if self._own_splits(part):
            return self._over_splits(scores)
        found = self._samples(point, replicates, scores, part)
        if found is not None:
            rows, units, unit = found
            known = crossed_mean(rows, units, bounds=self._bounds).interval
            counted = rows.shape[1] if units is None else len(np.unique(units))
            return Known(_wide(known), f"over seeds and {_counted(counted, part, unit)}")
        return self._unknown(scores, part)

    def _samples(
        self, point: int, replicates: Sequence[tuple[int, int]], scores: Sequence[float], part: str
    ) -> tuple[NDArray[np.float64], NDArray[np.int64] | None, str] | None:
        """Return [seed, sample] results, the unit of each sample, and its name; None unless every seed has them."""
        metric = self._named(part)
        found = [self._table.samples.get(TrialId(point, *each)) for each in replicates]
        if not all(each is not None and _says(each, metric, score) for each, score in zip(found, scores, strict=True)):
            return None
        read = [each for each in found if each is not None]
        rows, units = (
            [each.values[metric] for each in read],
            [each.units.get(metric.partition("/")[0]) for each in read],
        )
        if len({len(row) for row in rows}) > 1 or any(not _same(each, units[0]) for each in units):
            return None
        return np.stack(rows), units[0], read[0].unit if units[0] is not None else "sample"

    def _named(self, part: str) -> str:
        return f"{part}/{self._metric.partition('/')[2]}"

    def _unknown(self, scores: Sequence[float], part: str) -> Known:
        """Return the interval where the results of single samples are not kept."""
        size, units = self._fact(f"data.{part}_size"), self._fact(f"data.{part}_units")
        grouped = bool(self._data.get("groups") or self._data.get("time"))
        counted = units if grouped or self._fact(f"data.{part}_steps") else size
        if self._named(part) in _SHARES and counted is not None:
            unit = "sample" if not grouped else "group" if self._data.get("groups") else "block of time"
            return Known(share_interval(scores, counted), f"over seeds and {_counted(counted, part, unit)}", True)
        these = self.these(part)
        return Known(_wide(mean_interval(scores)), f"{SEEDS}{', ' * bool(these)}{these}", narrow=True, student=True)

    def _over_splits(self, scores: Sequence[float]) -> Known:
        train, valid = (self._fact(f"data.{part}_size") for part in ("train", "valid"))
        if train is None or valid is None:
            return Known(_wide(mean_interval(scores)), "over seeds, each with a split of its own", student=True)
        known = splits_interval(scores, train, valid)
        return Known(
            _wide(known), "over seeds, each with a split of its own, corrected for the samples that they share"
        )

    def _fact(self, name: str) -> int | None:
        """Return a number that every trial has alike; None where it is not known."""
        if name not in self._table.trials:
            return None
        known = floats(self._table.trials[name])
        sizes = set(known[np.isfinite(known)].tolist())
        return int(min(sizes)) if len(sizes) == 1 else None


class PointInterval:
    """The interval of one point's mean, made when it is asked for.

    Args:
        intervals: of the study.
        point: its number.
        replicates: (seed, fold) of its trials.
        scores: their scores, in the same order.
    """

    def __init__(
        self, intervals: StudyIntervals, point: int, replicates: Sequence[tuple[int, int]], scores: Sequence[float]
    ) -> None:
        self._made = intervals, point, replicates, scores
        self._optimism = 0.0

    def allow_for(self, optimism: float) -> None:
        """Let the interval of a point that was picked for its mean reach as much further as picking adds on average.

        Its end away from the better scores moves by `optimism`. Of 5 or 20 points over 0, 3 and 10 standard deviations,
        3 to 10 seeds each, it covers the picked point's true mean in 94 to 98 % then, and in 68 to 96 % without.

        Args:
            optimism: see `hpsearch.statistics.optimism.expected_optimism`; negative where smaller scores are better.
        """
        self._optimism = optimism

    @cached_property
    def known(self) -> Known:
        """What `StudyIntervals.known` says, and what `allow_for` adds."""
        intervals, point, replicates, scores = self._made
        return intervals.known(point, replicates, scores, optimism=self._optimism)

    @cached_property
    def samples(self) -> int | None:
        """What `StudyIntervals.samples` says."""
        return self._made[0].samples()

    @cached_property
    def splits(self) -> float:
        """What `StudyIntervals.splits` says."""
        return self._made[0].splits()


def _over_folds(replicates: Sequence[tuple[int, int]], scores: Sequence[float]) -> Known:
    """Return the interval over seeds, each with the mean of its folds; of fewer than three seeds over the folds."""
    by_seed = defaultdict[int, list[float]](list)
    for (seed, _), score in zip(replicates, scores, strict=True):
        by_seed[seed].append(score)
    folds = len({fold for _, fold in replicates})
    if folds > 1 and len(by_seed) < FEWEST_SEEDS:
        return Known(
            _wide(folds_interval(scores, folds)), "over folds, corrected for the samples that they share", student=True
        )
    return Known(
        _wide(mean_interval([mean_of(of_seed) for of_seed in by_seed.values()])),
        "over the means of seeds",
        student=True,
    )


def _wide(interval: Interval | None) -> Interval | None:
    return interval if interval is not None and interval.low < interval.high else None


def _says(found: SampleResults, metric: str, score: float) -> bool:
    """Whether the results of samples are those that a score is the mean of."""
    rows = found.values.get(metric)
    if rows is None or not len(rows) or not np.isfinite(rows).all():
        return False
    return abs(float(rows.mean()) - score) <= _SCORE * max(float(np.abs(rows).mean()), abs(score))


def _same(one: NDArray[np.int64] | None, other: NDArray[np.int64] | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def _counted(count: int, part: str, unit: str) -> str:
    kind = _PARTS.get(part, part)
    if unit == "sample":
        return f"{count} {kind} sample{'s' * (count != 1)}"
    first, _, rest = unit.partition(" ")
    return f"{count} {first}{'s' * (count != 1)}{' ' * bool(rest)}{rest} of {kind} samples"


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


def by_seed(
    replicates: Sequence[tuple[int, int]], scores: NDArray[np.float64], splits: float = 0.0
) -> tuple[NDArray[np.float64], float]:
    """Return scores ``[point, replicate]`` as they count beside each other, and what the samples that they share add.

    Args:
        replicates: (seed, fold) of the scores.
        scores: of every point.
        splits: see `StudyIntervals.splits`.

    Returns:
        One score per seed, or per training where folds have fewer than three seeds; and the share of the variance of
        one that stays however many there are, 1 / (folds - 1) of folds and m / (N - m) of splits of each seed's own.
    """
    seeds, folds = np.asarray([seed for seed, _ in replicates]), len({fold for _, fold in replicates})
    if folds < 2:
        return scores, splits
    known = np.unique(seeds)
    if len(known) < FEWEST_SEEDS:
        return scores, 1 / (folds - 1)
    return np.stack([scores[:, seeds == seed].mean(axis=1) for seed in known], axis=1), 0.0
