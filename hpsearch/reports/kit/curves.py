"""Learning curves: read per trial with what they lost, smoothed, thinned and summed up over many trials."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpsearch.base.columns import metric_column
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.kit.lost import Lost, lost_stretches
from hpsearch.statistics.intervals import binary_scale

Array: TypeAlias = NDArray[np.float64]
STEP_LOSS = "train/loss per step"
WEIGHTED_STEP_LOSS = "train/weighted_loss per step"
STEP_LOSSES = (STEP_LOSS, WEIGHTED_STEP_LOSS)
"""The thinned training loss of single steps; the second where classes are weighted, as what is minimized is."""
_PLACE = ("point", "seed", "fold", "epoch", "step", "time")
_ON_GRID = 1e-6  # steps by which places may lie beside an even grid
_SPARSE = 20  # times as many places as values from which on a grid is not worth its emptiness
_ORDER = ("train/loss", "valid/loss", "train/acc", "valid/acc", "grad_norm", "update_ratio", "lr")


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of one trial.

    Attributes:
        point: number of the point.
        seed: seed of the trial.
        fold: fold of the trial.
        x: epochs or steps, ascending.
        y: finite values, as many.
        lost: the stretches of the trial in which the metric was not measured, see `hpsearch.reports.kit.lost`.
    """

    point: int
    seed: int
    fold: int
    x: Array
    y: Array
    lost: tuple[Lost, ...] = ()

    @property
    def cuts(self) -> NDArray[np.intp]:
        """The places of values behind which some are lost: a line ends there."""
        inside = [stretch.low for stretch in self.lost if self.x[0] <= stretch.low and stretch.high <= self.x[-1]]
        return np.searchsorted(self.x, np.asarray(inside, dtype=np.float64))

    @property
    def end(self) -> float:
        """How far the trial got."""
        return max([float(self.x[-1]), *(stretch.high for stretch in self.lost)])

    def reaches(self, x: Array) -> NDArray[np.bool_]:
        """Return which places lie between the trial's beginning and its end."""
        return np.asarray((self.x[0] <= x) & (x <= self.end) | self.loses(x))

    def loses(self, x: Array) -> NDArray[np.bool_]:
        """Return where a value is missing that was lost, between the trial's beginning and its end."""
        held = np.zeros(len(x), dtype=bool)
        for stretch in self.lost:
            behind = x <= stretch.high if stretch.high > self.x[-1] else x < stretch.high
            before = x >= stretch.low if stretch.low < self.x[0] else x > stretch.low
            held |= before & behind
        return held


def metrics_of(table: TrialTable, objective: Objective) -> tuple[str, ...]:
    """Return the metrics that have values: the objective first, losses and accuracies next, then the others.

    Args:
        table: the study.
        objective: what it optimizes.

    Returns:
        Columns of the curves; one of `STEP_LOSSES` stands for the thinned training loss of single steps.
    """
    numeric = table.curves.select_dtypes("number").columns
    known = [str(c) for c in numeric if c not in _PLACE and table.curves[c].notna().any()]
    first = [m for m in dict.fromkeys((metric_column(objective.metric), *_ORDER)) if m in known]
    steps = [WEIGHTED_STEP_LOSS if "train/weighted_loss" in known else STEP_LOSS] if len(table.steps) else []
    return tuple([*first, *steps, *(m for m in known if m not in first)])


def curves_of(table: TrialTable, metric: str, along: str = "epoch") -> list[Curve]:
    """Return one metric's curve of every trial that reported it; what is not finite was not measured.

    Args:
        table: the study.
        metric: a column of the curves, or one of `STEP_LOSSES`.
        along: ``epoch`` or ``step``, the updates done; of `STEP_LOSSES` it is always the step.

    Returns:
        Curves by point, seed and fold, of the trials that measured it once or more.
    """
    single = metric in STEP_LOSSES
    rows, x, y = (table.steps, "step", "loss") if single else (table.curves, along, metric)
    rows = rows[["point", "seed", "fold", x, y]].sort_values(["point", "seed", "fold", x])
    if rows.empty:
        return []
    place = rows[["point", "seed", "fold"]].to_numpy()
    starts = np.flatnonzero(np.any(np.diff(place, axis=0) != 0, axis=1)) + 1
    xs, ys = _floats(rows[x]), _floats(rows[y])
    known = np.isfinite(ys)
    found = []
    for start, stop in itertools.pairwise((0, *starts.tolist(), len(rows))):
        of_one, there = xs[start:stop], known[start:stop]
        if there.any():
            point, seed, fold = place[start].tolist()
            lost = lost_stretches(of_one, there, every=single)
            found.append(Curve(int(point), int(seed), int(fold), of_one[there], ys[start:stop][there], lost))
    return found


def smooth(x: Array, y: Array, sd: float) -> Array:
    """Smooth a complete curve with a centred local-linear fit under a Gaussian kernel.

    At each x_i the line a + b (x - x_i) is fitted to all values within four deviations with weights
    ``w = exp(-(x - x_i)^2 / (2 sd^2))``, and s_i = a: over a stretch without values what lies beyond it counts for as
    little as it is far away. Centred, because the whole curve is known and a running average lags behind it; a line,
    because a plain weighted mean is biased at both ends.

    Args:
        x: where the values were measured, ascending.
        y: the values.
        sd: width of the kernel, in units of x.

    Returns:
        As many smoothed values.
    """
    if len(x) < 2:
        return y.copy()
    step = float(np.diff(x).min())
    places = (x - x[0]) / step if step > 0 else np.full(len(x), math.inf)
    if places[-1] > _SPARSE * len(x) or np.abs(places - places.round()).max() > _ON_GRID:
        return np.array([_level(x - at, y, sd) for at in x])
    kept = places.round().astype(np.intp)
    n, there = int(kept[-1]) + 1, np.zeros(int(kept[-1]) + 1)
    values = there.copy()
    there[kept], values[kept] = 1.0, y
    kernels, s0, s1, s2 = _fits(there.tobytes(), sd / step)
    t0, t1 = (_correlate(values, kernel) for kernel in kernels)
    spread = s0 * s2 - s1**2
    fit = np.where(spread > 1e-12 * s0**2, (s2 * t0 - s1 * t1) / np.where(spread > 0, spread, 1.0), t0 / s0)
    return np.asarray(fit if n == len(y) else fit[kept])


def _level(away: Array, y: Array, sd: float) -> float:
    """Return the height of the line through the values near a place, by how far away each was measured."""
    near = np.abs(away) <= 4 * sd
    d, weights = away[near], np.exp(-0.5 * (away[near] / sd) ** 2)
    s0, s1, s2 = (float(weights @ d**power) for power in range(3))
    t0, t1 = float(weights @ y[near]), float((weights * d) @ y[near])
    spread = s0 * s2 - s1**2
    return (s2 * t0 - s1 * t1) / spread if spread > 1e-12 * s0**2 else t0 / s0


@lru_cache(maxsize=64)
def _fits(there: bytes, sd: float) -> tuple[tuple[Array, Array], Array, Array, Array]:
    """Return what smoothing has in common of all curves with values at the same places: kernels of t0 and t1, sums.

    Args:
        there: one number per place of an even grid, 1 where there is a value and 0 where there is none.
        sd: width of the kernel in steps of the grid.

    Returns:
        The kernels, s0, s1 and s2; 1 for s0 where nothing is near.
    """
    known = np.frombuffer(there)
    reach = max(1, min(int(np.ceil(4 * sd)), len(known) - 1))
    d = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (d / sd) ** 2)
    s0, s1, s2 = (_correlate(known, kernel * d**power) for power in range(3))
    return (kernel * d**0, kernel * d**1), np.where(s0 > 0, s0, 1.0), s1, s2


def _correlate(y: Array, kernel: Array) -> Array:
    reach = len(kernel) // 2
    return np.convolve(y, kernel[::-1])[reach : reach + len(y)]


def thin(n: int, limit: int) -> NDArray[np.intp]:
    """Return at most `limit` indices of `n` values, equally spaced, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).round().astype(np.intp))


def extremes(y: Array, limit: int, cuts: NDArray[np.intp] | Sequence[int] = ()) -> NDArray[np.intp]:
    """Return the places of about `limit` values that show every extreme of a curve.

    Args:
        y: its values.
        limit: how many to keep of a longer curve.
        cuts: places behind which the curve is broken.

    Returns:
        Places, ascending: the first and the last, those on both sides of a break, and the least and the greatest of
        each of ``limit / 2 - 1`` stretches alike long.
    """
    if len(y) <= limit:
        return np.arange(len(y))
    bounds = np.linspace(0, len(y), max(limit // 2 - 1, 1) + 1).astype(np.intp)
    kept = [0, len(y) - 1, *(place for cut in cuts for place in (int(cut), int(cut) + 1))]
    for start, stop in itertools.pairwise(bounds.tolist()):
        kept += [start + int(y[start:stop].argmin()), start + int(y[start:stop].argmax())]
    return np.unique(np.asarray(kept, dtype=np.intp))


def quantiles(curves: Sequence[Curve], levels: Sequence[float]) -> tuple[Array, Array]:
    """Return quantiles over trials at every epoch, of the trials that measured something there.

    Args:
        curves: one metric of many trials.
        levels: quantiles between 0 and 1.

    Returns:
        Epochs `[E]` and quantiles `[level, E]`, nan between two epochs where all have lost what lies between.
    """
    x, y = _together(curves, all)
    known = np.isfinite(y).any(axis=0)
    found = np.full((len(levels), len(x)), np.nan)
    found[:, known] = np.nanquantile(y[:, known], levels, axis=0)
    return x, found


def _together(curves: Sequence[Curve], broken: Callable[[Sequence[bool]], bool]) -> tuple[Array, Array]:
    """Return where any of some curves was measured, and the values ``[curve, place]``, nan where there is none.

    Args:
        curves: one metric of several trials.
        broken: says from which trials have lost what lies between two neighbouring places, of those that got there,
            whether there is a place without values between them, where there is none anyway.
    """
    x = np.unique(np.concatenate([c.x for c in curves]))
    between = (x[:-1] + x[1:]) / 2
    at, inside = _broken(curves, x, broken), _broken(curves, between, broken)
    x = np.sort(np.concatenate([x, between[inside & ~at[:-1] & ~at[1:]]]))
    y = np.full((len(curves), len(x)), np.nan)
    for row, curve in zip(y, curves, strict=True):
        row[np.searchsorted(x, curve.x)] = curve.y
    return x, y


def _broken(curves: Sequence[Curve], x: Array, broken: Callable[[Sequence[bool]], bool]) -> NDArray[np.bool_]:
    lost, there = np.array([c.loses(x) for c in curves]), np.array([c.reaches(x) for c in curves])
    told = [own.any() and broken(away[own].tolist()) for away, own in zip(lost.T, there.T, strict=True)]
    return np.asarray(told, dtype=bool)


@dataclass(frozen=True, slots=True)
class MeanCurve:
    """The mean of curves of trials that belong together.

    Attributes:
        x: where it is known, and where a value that one of them lost makes it unknown.
        mean: over the trials that got that far; nan where one of these lost its value: a mean over the others would
            jump.
        sd: sample standard deviation, 0 of a single trial; nan where the mean is.
        n: how many trials it is over.
    """

    x: Array
    mean: Array
    sd: Array
    n: NDArray[np.intp]


def mean_curve(curves: Sequence[Curve]) -> MeanCurve:
    """Return the mean over trials at every place where each that got that far was measured.

    Args:
        curves: one metric of trials that belong together.
    """
    x, y = _together(curves, any)
    known = np.isfinite(y)
    broken = np.any(np.array([c.loses(x) for c in curves]) & ~known, axis=0)
    whole = ~np.any(np.array([c.reaches(x) for c in curves]) & ~known, axis=0)
    kept = np.asarray(whole | broken if whole.any() else known.any(axis=0))
    x, y, known, broken = x[kept], y[:, kept], known[:, kept], np.asarray(broken)[kept]
    n, scale = known.sum(axis=0), binary_scale(y[known].tolist())
    scaled = np.where(known, y / scale, 0.0)
    mean = np.where(broken, np.nan, scaled.sum(axis=0) / np.maximum(n, 1))
    squares = (np.where(known & ~broken, scaled - mean, 0.0) ** 2).sum(axis=0)
    sd = np.where(broken, np.nan, np.sqrt(squares / np.maximum(n - 1, 1)))
    return MeanCurve(x, mean * scale, sd * scale, n)


def _floats(column: "pd.Series[Any]") -> Array:
    return np.asarray(column, dtype=np.float64)
