"""What stopping bad trials early saved."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.epochs import epochs_of
from hpsearch.base.keys import ARGS
from hpsearch.base.outcome import GIVEN_UP, REPEATED
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.space import floats

_EPOCHS = ("trainer.epochs", f"{ARGS}.epochs")

ENOUGH = 5
"""Fewer complete trials say nothing of what early ranks were worth."""


@dataclass(frozen=True, slots=True)
class EarlyRanks:
    """What ranks at an early epoch were worth.

    Attributes:
        epoch: the first at which a trial was pruned.
        correlation: Spearman's, of the objective's metric there and at the end, over the complete trials.
        n: how many these are.
    """

    epoch: int
    correlation: float
    n: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """Epochs trained, and those that would have been trained without a pruner.

    Attributes:
        trained: epochs that all trials trained together, those that were trained twice counted twice.
        saved: epochs that the pruned trials would have trained on.
        pruned: how many trials were pruned.
        trials: how many trials trained at all.
        stops: how many trials were pruned after each epoch, by epoch.
        alive: how many trials trained epoch 1, 2, ...
        without: how many would have without a pruner.
        early: what early ranks were worth; None where too few trials are complete.
    """

    trained: int
    saved: int
    pruned: int
    trials: int
    stops: tuple[tuple[int, int], ...]
    alive: tuple[int, ...]
    without: tuple[int, ...]
    early: EarlyRanks | None = None

    @property
    def share(self) -> float:
        """The saved epochs as a share of those without a pruner."""
        return self.saved / (self.trained + self.saved)


def pruning_of(table: TrialTable, metric: str = "") -> Pruning | None:
    """Count the epochs that pruning saved.

    A pruned trial would have gone on to its number of epochs (``trainer.epochs``, else the longest trial's); diverged
    and unfinished trials, and those that the user gave up, would have trained what they did.

    Args:
        table: the study.
        metric: by which points were compared.

    Returns:
        The counts; None when no trial was pruned.
    """
    by_hand = table.trials["reason"] == GIVEN_UP
    pruned = np.asarray((table.trials["state"] == TrialState.PRUNED) & ~by_hand)
    if not pruned.any() or not len(table.curves):
        return None
    last = table.curves.groupby(["point", "seed", "fold"])["epoch"].max().rename("last").reset_index()
    merged = table.trials[["point", "seed", "fold"]].merge(last, how="left", on=["point", "seed", "fold"])
    epochs = np.ceil(floats(merged["last"].fillna(0))).astype(int)  # one that was begun was trained
    planned = np.where(pruned, np.maximum(_planned(table, int(epochs.max())), epochs), epochs)
    again = int(np.nansum(floats(table.trials[REPEATED]))) if REPEATED in table.trials else 0
    stops, counts = np.unique(epochs[pruned], return_counts=True)
    return Pruning(
        trained=int(epochs.sum()) + again,
        saved=max(int((planned - epochs).sum()) - again, 0),
        pruned=int(pruned.sum()),
        trials=int((epochs > 0).sum()),
        stops=tuple(zip(stops.tolist(), counts.tolist(), strict=True)),
        alive=_alive(epochs, int(planned.max())),
        without=_alive(planned, int(planned.max())),
        early=_early_ranks(table, metric, int(stops[0])),
    )


def _early_ranks(table: TrialTable, metric: str, epoch: int) -> EarlyRanks | None:
    if metric not in table.curves:
        return None
    keys = ["point", "seed", "fold"]
    complete = table.trials.loc[table.trials["state"] == TrialState.COMPLETE, keys]
    curves = complete.merge(table.curves.dropna(subset=[metric]).sort_values("epoch"), on=keys)
    epochs = curves.groupby(keys)["epoch"]
    longer = curves[(epochs.transform("min") <= epoch) & (epoch < epochs.transform("max"))]
    early, last = (part.groupby(keys)[metric].last() for part in (longer[longer["epoch"] <= epoch], longer))
    correlation = early.rank().corr(last.rank()) if len(last) >= ENOUGH else math.nan
    return None if math.isnan(correlation) else EarlyRanks(epoch, float(correlation), len(last))


def _planned(table: TrialTable, longest: int) -> NDArray[np.int64]:
    fixed = epochs_of(table.study.get("config") or {})
    default = longest if fixed is None else fixed
    for searched in _EPOCHS:
        if searched in table.trials:
            return np.asarray(np.nan_to_num(floats(table.trials[searched]), nan=default).astype(np.int64))
    return np.full(len(table.trials), default)


def _alive(epochs: NDArray[np.int64], last: int) -> tuple[int, ...]:
    return tuple(int((epochs >= epoch).sum()) for epoch in range(1, last + 1))
