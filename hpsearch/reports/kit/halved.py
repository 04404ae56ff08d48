"""Training losses at their end and at their beginning: which trials brought theirs below half."""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialState, TrialTable

if TYPE_CHECKING:
    import pandas as pd

_TRIAL = ["point", "seed", "fold"]


def loss_ratios(table: TrialTable) -> "pd.Series[float]":
    """Return each trial's last training loss over its first.

    First is the loss of its first optimizer step where steps were recorded, else its first epoch's; last is its last
    epoch's, else its last recorded step. An epoch's is ``train/weighted_loss`` where there is one, as steps are.

    Args:
        table: the study.

    Returns:
        Ratios indexed by (point, seed, fold); trials without a training loss are left out.
    """
    steps = table.steps.sort_values("step").groupby(_TRIAL)["loss"]
    first, last = steps.first(), steps.last()
    if "train/loss" in table.curves:
        curves = table.curves.sort_values("epoch")
        trained = curves.get("train/weighted_loss", curves["train/loss"]).combine_first(curves["train/loss"])
        epochs = curves.assign(trained=trained).groupby(_TRIAL)["trained"]
        first, last = first.combine_first(epochs.first()), epochs.last().combine_first(last)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (last.astype(float) / first.astype(float)).dropna()


def trains_of(table: TrialTable) -> dict[int, tuple[bool | None, ...]]:
    """Return, for each point, of each trial that has ended whether its last training loss is below half its first.

    Args:
        table: the study.

    Returns:
        True or False, by seed and fold; False where it diverged, None where no training loss was recorded. Trials that
        FAILED, were stopped for another reason or have not ended are left out.
    """
    ratios, found = loss_ratios(table).to_dict(), defaultdict(list)
    trials = table.trials.sort_values(_TRIAL)
    for point, seed, fold, state, reason in zip(*(trials[c] for c in (*_TRIAL, "state", "reason")), strict=True):
        if diverged(state, reason):
            found[int(point)].append(False)
        elif state == TrialState.COMPLETE:
            ratio = ratios.get((point, seed, fold))
            found[int(point)].append(None if ratio is None else ratio < 0.5)
    return {point: tuple(each) for point, each in found.items()}


def halved(table: TrialTable) -> dict[int, bool]:
    """Return, for each point, whether every replicate's last training loss is below half its first.

    Args:
        table: the study.

    Returns:
        True or False by point; a diverged replicate makes it False. Points that FAILED, have not ended or recorded no
        training loss are left out: nothing is known of them.
    """
    ratios = loss_ratios(table).to_dict()
    known: dict[int, list[float]] = defaultdict(list)
    unstable, unknown = set(), set()
    trials = table.trials
    for point, seed, fold, state, reason in zip(*(trials[c] for c in (*_TRIAL, "state", "reason")), strict=True):
        if diverged(state, reason):
            unstable.add(point)
        elif state not in (TrialState.COMPLETE, TrialState.PRUNED):
            unknown.add(point)
        elif (point, seed, fold) in ratios:
            known[point].append(ratios[point, seed, fold])
    measured = {p: max(values) < 0.5 for p, values in known.items() if p not in unknown}
    return {int(point): ok for point, ok in {**measured, **dict.fromkeys(unstable, False)}.items()}
