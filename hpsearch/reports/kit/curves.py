"""Learning curves: read per trial, smoothed, thinned and summed up over many trials."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpsearch.base.columns import metric_column
from hpsearch.base.types import Objective, TrialTable

Array: TypeAlias = NDArray[np.float64]
STEP_LOSS = "train/loss per step"
WEIGHTED_STEP_LOSS = "train/weighted_loss per step"
STEP_LOSSES = (STEP_LOSS, WEIGHTED_STEP_LOSS)
"""The thinned training loss of single steps; the second where classes are weighted, as what is minimized is."""
_PLACE = ("point", "seed", "fold", "epoch", "step", "time")
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
    """

    point: int
    seed: int
    fold: int
    x: Array
    y: Array


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
    """Return one metric's curve of every trial that reported it; non-finite values are left out.

    Args:
        table: the study.
        metric: a column of the curves, or one of `STEP_LOSSES`.
        along: ``epoch`` or ``step``, the updates done; of `STEP_LOSSES` it is always the step.

    Returns:
        Curves by point, seed and fold.
    """
    rows, x, y = (table.steps, "step", "loss") if metric in STEP_LOSSES else (table.curves, along, metric)
    rows = rows[["point", "seed", "fold", x, y]]
    rows = rows[np.isfinite(rows[y].astype(float))].sort_values(["point", "seed", "fold", x])
    if rows.empty:
        return []
    place = rows[["point", "seed", "fold"]].to_numpy()
    starts = np.flatnonzero(np.any(np.diff(place, axis=0) != 0, axis=1)) + 1
    bounds = itertools.pairwise((0, *starts.tolist(), len(rows)))
    xs, ys = _floats(rows[x]), _floats(rows[y])
    pieces = ((place[start].tolist(), xs[start:stop], ys[start:stop]) for start, stop in bounds)
    return [Curve(int(point), int(seed), int(fold), *of_one) for (point, seed, fold), *of_one in pieces]


def smooth(y: Array, sd: float) -> Array:
    """Smooth a complete curve with a centred local-linear fit under a Gaussian kernel.

    At each i the line a + b d is fitted to y_(i+d) with weights ``w(d) = exp(-d^2 / (2 sd^2))``, and s_i = a. Centred,
    because the whole curve is known and a running average lags behind it; a line, because a plain weighted mean is
    biased at both ends.

    Args:
        y: equally spaced values.
        sd: width of the kernel in values.

    Returns:
        As many smoothed values.
    """
    kernels, s0, s1, s2, spread = _fits(len(y), sd)
    t0, t1 = (_correlate(y, kernel) for kernel in kernels)
    return np.where(spread > 1e-12 * s0**2, (s2 * t0 - s1 * t1) / np.where(spread > 0, spread, 1.0), t0 / s0)


@lru_cache(maxsize=64)
def _fits(n: int, sd: float) -> tuple[tuple[Array, Array], Array, Array, Array, Array]:
    """Return what smoothing has in common of all curves of n values: kernels of t0 and t1, s0, s1, s2, their spread."""
    reach = max(1, min(int(np.ceil(4 * sd)), n - 1))
    d = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (d / sd) ** 2)
    s0, s1, s2 = (_correlate(np.ones(n), kernel * d**power) for power in range(3))
    return (kernel * d**0, kernel * d**1), s0, s1, s2, s0 * s2 - s1**2


def _correlate(y: Array, kernel: Array) -> Array:
    reach = len(kernel) // 2
    return np.convolve(y, kernel[::-1])[reach : reach + len(y)]


def thin(n: int, limit: int) -> NDArray[np.intp]:
    """Return at most `limit` indices of `n` values, equally spaced, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).round().astype(np.intp))


def quantiles(curves: Sequence[Curve], levels: Sequence[float]) -> tuple[Array, Array]:
    """Return quantiles over trials at every epoch, of the trials that got that far.

    Args:
        curves: one metric of many trials.
        levels: quantiles between 0 and 1.

    Returns:
        Epochs `[E]` and quantiles `[level, E]`.
    """
    x = np.unique(np.concatenate([c.x for c in curves]))
    y = np.full((len(curves), len(x)), np.nan)
    for row, curve in zip(y, curves, strict=True):
        row[np.searchsorted(x, curve.x)] = curve.y
    return x, np.asarray(np.nanquantile(y, levels, axis=0))


def _floats(column: "pd.Series[Any]") -> Array:
    return np.asarray(column, dtype=np.float64)
