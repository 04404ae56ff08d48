"""What is known of one trial's training, as the diagnosis reads it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.curves import smooth

Array: TypeAlias = NDArray[np.float64]
_TRIAL = ["point", "seed", "fold"]
_EPOCHS = {"train": "train/loss", "valid": "valid/loss", "update_ratio": "update_ratio"}


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """One trial's course; each is equal to itself alone, so that what was read off it can be kept.

    Attributes:
        train: training loss by epoch that was evaluated.
        valid: validation loss, likewise.
        untrained: loss before the first update; nan where it is not known.
        diverged: why the run was ended as diverged; empty for one that was not.
        update_ratio: |Δw|₂ / |w|₂ of an update, by epoch; may be empty.
        layers: rows of the trial's ``layers.json``, see `hpsearch.trial.layers.LayerWatch`; may be empty.
        twin: training loss by epoch of a shallower network that was trained alike; None where there is none.
        unit: a loss of ordinary size: 1 for a classification; for a regression, whose targets have any unit, the
            untrained loss.
        numbers: of the epochs; empty: 1, 2, 3, ...
    """

    train: Array
    valid: Array
    untrained: float
    diverged: str = ""
    update_ratio: Array = field(default_factory=lambda: np.empty(0))
    layers: tuple[Mapping[str, Any], ...] = ()
    twin: Array | None = None
    unit: float = 1.0
    numbers: tuple[int, ...] = ()

    def epoch(self, place: int) -> int:
        """Return the number of the epoch at a place of the curves, from 0."""
        return self.numbers[place] if self.numbers else place + 1

    @property
    def x(self) -> Array:
        """Where the values of the curves lie, in the usual distance of two: 0, 1, 2, ... where none is missing."""
        longest = max(len(self.train), len(self.valid))
        return places(np.asarray(self.numbers, dtype=np.float64)) if self.numbers else np.arange(float(longest))

    @property
    def last(self) -> int:
        """Number of the last epoch."""
        return self.epoch(len(self.train) - 1)

    def length(self, values: int) -> int:
        """Return how many epochs so many values of the curves stand for."""
        return round(values * self.numbers[-1] / len(self.numbers)) if self.numbers else values

    @property
    def epochs(self) -> int:
        """Epochs with both losses."""
        return min(len(self.train), len(self.valid))

    @property
    def scale(self) -> float:
        """The untrained loss, which losses are compared with; the first training loss where it is not known."""
        for value in (self.untrained, *self.train[:1].tolist()):
            if np.isfinite(value) and value > 0:
                return float(value)
        return 1.0


def history(fields: Mapping[str, Any]) -> History:
    """Return the history that plain lists describe: those of `histories`, or any with the names of `History`."""
    arrays = {name: np.asarray(fields[name], dtype=np.float64) for name in _EPOCHS if fields.get(name) is not None}
    twin = fields.get("twin")
    return History(
        **arrays,
        untrained=float(fields.get("untrained", np.nan)),
        diverged=str(fields.get("diverged", "")),
        layers=tuple(fields.get("layers") or ()),
        unit=float(fields.get("unit", 1.0)),
        numbers=tuple(fields.get("numbers", ())),
        twin=None if twin is None else np.asarray(twin, dtype=np.float64),
    )


def histories(table: TrialTable) -> dict[tuple[int, int, int], dict[str, Any]]:
    """Return the curves of a study's trials as plain lists, which can be handed on and stored.

    Args:
        table: the study.

    Returns:
        By (point, seed, fold): the arguments of `history`, without layers and without a twin. Trials without both
        losses are left out, unless they diverged before their first report.
    """
    curves = _curves(table)
    found = {}
    for row in zip(*(table.trials[name].tolist() for name in (*_TRIAL, "state", "reason")), strict=True):
        place, (state, reason) = (int(row[0]), int(row[1]), int(row[2])), map(str, row[3:])
        reason = reason if diverged(state, reason) else ""
        fields = curves.get(place) or {"train": [], "valid": [], "untrained": float("nan")}
        if fields["train"] or reason:
            found[place] = {**fields, "diverged": reason}
    return found


def _curves(table: TrialTable) -> dict[tuple[int, ...], dict[str, Any]]:
    """Return the curves of each trial that has any, read from the columns of all trials at once."""
    rows = table.curves.sort_values([*_TRIAL, "epoch"])
    places, epochs = rows[_TRIAL].to_numpy(dtype=np.int64), rows["epoch"].to_numpy(dtype=np.float64)
    columns = {name: rows[key].to_numpy(dtype=np.float64) for name, key in _EPOCHS.items() if key in rows}
    kept, numbers = epochs > 0, np.ceil(epochs).astype(int)
    for name in ("train", "valid"):
        kept &= ~np.isnan(columns.get(name, epochs))
    changes = 1 + np.flatnonzero(np.diff(places, axis=0).any(axis=1))
    starts = [0, *changes.tolist()] if len(rows) else []
    found, has_accuracy = {}, "valid/acc" in rows
    for start, stop in itertools.pairwise((*starts, len(rows))):
        trained = start + np.flatnonzero(kept[start:stop])
        trained = trained[np.append(np.diff(numbers[trained]) != 0, True)[: len(trained)]]  # the last of each epoch
        before = start + np.flatnonzero(epochs[start:stop] == 0)
        known = "valid" in columns and len(before) > 0
        untrained = float(columns["valid"][before[0]]) if known else float("nan")
        given = numbers[trained].tolist()
        found[tuple(places[start].tolist())] = {
            **{name: columns[name][trained].tolist() if name in columns else [] for name in _EPOCHS},
            "untrained": untrained,
            "unit": 1.0 if has_accuracy or not known else untrained,
            **({} if given == list(range(1, len(given) + 1)) else {"numbers": given}),
        }
    return found


def places(epochs: Array) -> Array:
    """Return how far epochs lie from the first one, in their median distance."""
    return (epochs - epochs[0]) / float(np.median(np.diff(epochs))) if len(epochs) > 1 else np.zeros(len(epochs))


def smoothed(y: Array, x: Array | None = None) -> Array:
    """Return a curve of losses, smoothed over about a thirtieth of its length to each side.

    Args:
        y: its values.
        x: where they lie, see `History.x`, of which the first count; None: 0, 1, 2, ...
    """
    return _smoothed(y.tobytes(), _at(y, x).tobytes()) if len(y) > 2 else y


def _at(y: Array, x: Array | None) -> Array:
    return np.arange(float(len(y))) if x is None else x[: len(y)]


@lru_cache(maxsize=16)
def _smoothed(values: bytes, where: bytes) -> Array:
    """Return the same for a curve's bytes: several rules read each curve."""
    y, x = np.frombuffer(values), np.frombuffer(where)
    found = smooth(x, y, max(0.6, len(y) / 30))
    found.flags.writeable = False
    return found


def noise(y: Array, x: Array | None = None) -> float:
    """Return the standard deviation of a curve around its own trend.

    With c = (x_i - x_(i-1)) / (x_(i+1) - x_(i-1)), what a value lies off the line through its neighbours, ``y_i - (1 -
    c) y_(i-1) - c y_(i+1)``, is near zero of a smooth curve, and of independent noise of standard deviation s it has
    the standard deviation ``s sqrt(1 + (1 - c)^2 + c^2)``, of equally spaced values s sqrt(1.5). The median of their
    magnitudes over these roots, divided by .6745, is the estimate: the minority where the trend bends or an outlier
    lies does not count. A factor 1 + 2 / (their number) allows for an estimate from few values that is too small by
    chance.

    Args:
        y: the values.
        x: where they lie; None: 0, 1, 2, ...

    Returns:
        The estimate; 0 for fewer than 4 values.
    """
    return _noise(y.tobytes(), _at(y, x).tobytes()) if len(y) >= 4 else 0.0


@lru_cache(maxsize=16)
def _noise(values: bytes, where: bytes) -> float:
    y, x = np.frombuffer(values), np.frombuffer(where)
    c = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    off = np.abs(y[1:-1] - (1 - c) * y[:-2] - c * y[2:]) / np.sqrt(1 + (1 - c) ** 2 + c**2)
    return float(np.median(off) / 0.6745 * (1 + 2 / len(off)))


def jumps(y: Array) -> float:
    """Return by how much a curve that should fall jumps up, as the standard deviation of noise that would do the same.

    The mean rise from one value to the next, falls counted as 0. Independent normal
    noise of standard deviation s around a level has s / sqrt(pi), however far apart its values are. A fall, however
    steep, adds nothing.

    Args:
        y: the values.

    Returns:
        The estimate; 0 for fewer than 4 values.
    """
    if len(y) < 4:
        return 0.0
    return float(np.clip(np.diff(y), 0, None).mean() * np.sqrt(np.pi))


def last_part(y: Array, share: float) -> Array:
    """Return the last values of a curve: a share of it, at least two."""
    return y[-max(2, round(share * len(y))) :]


def slope(y: Sequence[float] | Array, x: Array | None = None) -> float:
    """Return the slope of the least-squares line through values; 0 for fewer than two.

    Args:
        y: the values.
        x: where they lie; None: 0, 1, 2, ...
    """
    values = np.asarray(y, dtype=np.float64)
    return float(_slope_weights(_at(values, x).tobytes()) @ (values - values[0])) if len(values) > 1 else 0.0


@lru_cache(maxsize=64)
def _slope_weights(where: bytes) -> Array:
    """Return ``(x - mean x) / sum (x - mean x)^2``: its product with values is their slope."""
    x = np.frombuffer(where)
    x = x - x.mean()
    return np.asarray(x / (x @ x))
