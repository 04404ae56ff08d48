"""What the layers of trials did: gradients, updates and outputs by layer and epoch, as numbers."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpsearch.base.types import TrialId, TrialTable
from hpsearch.reports.kit.curves import Array
from hpsearch.reports.kit.layer_rules import Rows, relative_gradient


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured of a layer.

    Attributes:
        title: its name in words.
        aid: what it is.
        log: whether it spans decades.
        part: key of a row of ``layers.json`` that has it by layer.
        read: takes a row and a layer's name, and returns its value, nan where it is not known.
    """

    title: str
    aid: str
    log: bool
    part: str
    read: Callable[[Mapping[str, Any], str], float]


@dataclass(frozen=True, slots=True)
class LayerCourse:
    """One quantity of the layers of one or several trials alike.

    Attributes:
        quantity: a key of `QUANTITIES`.
        layers: their names, the one nearest the inputs first.
        epochs: those that were measured, ascending; epoch 1 is the first step, of the untrained model.
        values: ``[layer, epoch]`` median over the trials, nan where nothing finite is known.
        trials: how many trials these are.
    """

    quantity: str
    layers: tuple[str, ...]
    epochs: tuple[int, ...]
    values: Array
    trials: int


def _ratio(row: Mapping[str, Any], name: str) -> float:
    update, weight = row["update"][name], row["weight"][name]
    return math.nan if update is None or not weight else float(update / weight)


def _output(key: str) -> Callable[[Mapping[str, Any], str], float]:
    def read(row: Mapping[str, Any], name: str) -> float:
        value = row["outputs"][name].get(key)
        return math.nan if value is None else float(value)

    return read


QUANTITIES: Mapping[str, Quantity] = {
    "gradient": Quantity(
        "relative gradient |g||w|",
        "by how much the loss would change if the layer's weights changed by as much as they are large",
        True,
        "gradient",
        relative_gradient,
    ),
    "update": Quantity(
        "update over weight",
        "the share of the layer's weights that one update changes, .001 as a rule",
        True,
        "update",
        _ratio,
    ),
    "activation": Quantity(
        "sd of activations",
        "the standard deviation of the outputs of an activation over samples and units",
        True,
        "outputs",
        _output("sd"),
    ),
    "dead": Quantity(
        "dead units",
        "the share of units that give the same output for all samples",
        False,
        "outputs",
        _output("dead"),
    ),
    "saturated": Quantity(
        "saturated outputs",
        "the share of outputs within a twentieth of the range from a bound of a sigmoid or tanh",
        False,
        "outputs",
        _output("saturated"),
    ),
}
"""By key, in the order of a menu."""


def layer_courses(trials: Sequence[Rows]) -> dict[str, LayerCourse]:
    """Return what the layers of some trials did.

    Args:
        trials: rows of ``layers.json`` of each, see `hpsearch.trial.layers.LayerWatch`; of trials with other layers
            than the first one's nothing is read.

    Returns:
        By key of `QUANTITIES`, those of which anything finite is known.
    """
    found = {}
    for key, quantity in QUANTITIES.items():
        known = [[row for row in rows if row.get(quantity.part)] for rows in trials]
        known = [rows for rows in known if rows]
        names = tuple(known[0][0][quantity.part]) if known else ()
        alike = [rows for rows in known if all(tuple(row[quantity.part]) == names for row in rows)]
        epochs = tuple(sorted({int(row["epoch"]) for rows in alike for row in rows}))
        values = np.full((len(alike), len(names), len(epochs)), math.nan)
        for trial, rows in enumerate(alike):
            for row in rows:
                at = epochs.index(int(row["epoch"]))
                values[trial, :, at] = [quantity.read(row, name) for name in names]
        if np.isfinite(values).any():
            found[key] = LayerCourse(key, names, epochs, _median(values), len(alike))
    return found


def _median(values: Array) -> Array:
    """Return [layer, epoch] medians over trials of what is finite, nan where nothing is."""
    finite = np.where(np.isfinite(values), values, math.nan)
    known = np.isfinite(finite).any(axis=0)
    medians = np.full(known.shape, math.nan)
    medians[known] = np.nanmedian(finite[:, known], axis=0)
    return medians


@dataclass(frozen=True, slots=True)
class Watched:
    """A trial whose layers were watched.

    Attributes:
        rows: of its ``layers.json``.
        unit: a loss of ordinary size: 1 for a classification; for a regression, whose targets have any unit, the
            untrained loss.
    """

    rows: Rows
    unit: float = 1.0


def watched_trials(table: TrialTable, trials: Iterable[tuple[int, int, int]]) -> list[Watched]:
    """Return those of some trials whose layers were watched.

    Args:
        table: the study.
        trials: point, seed and fold of each.
    """
    known = [place for place in trials if TrialId(*place) in table.layers]
    return [Watched(rows, _unit(table, place)) for place in known if (rows := table.layers[TrialId(*place)])]


def _unit(table: TrialTable, place: tuple[int, int, int]) -> float:
    curves = table.curves
    if "valid/acc" in curves or "valid/loss" not in curves:
        return 1.0
    own = (curves["point"] == place[0]) & (curves["seed"] == place[1]) & (curves["fold"] == place[2])
    losses = curves.loc[own & (curves["epoch"] == 0), "valid/loss"].dropna()
    return float(losses.iloc[0]) if len(losses) else 1.0


def reading_aid(keys: Iterable[str]) -> str:
    """Say what these quantities are."""
    text = "; ".join(f"{QUANTITIES[key].title}: {QUANTITIES[key].aid}" for key in keys)
    return f"{text[:1].upper()}{text[1:]}."
