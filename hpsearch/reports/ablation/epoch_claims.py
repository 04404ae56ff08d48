"""Claims 6 and 7: what an epoch costs with a larger batch, and when loss and accuracy are at their best."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hpsearch.base.types import TrialTable
from hpsearch.base.words import count, duration
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.claim import (
    AGAINST,
    BATCH,
    SUPPORTED,
    UNDECIDED,
    Claim,
    ClaimVerdict,
    Replicate,
    along,
    between,
    both,
    ends,
    one_only,
    over_groups,
    within,
)
from hpsearch.reports.ablation.costs import Cost
from hpsearch.statistics.intervals import Estimate, estimate

if TYPE_CHECKING:
    import pandas as pd

LOSS, ACCURACY = "valid/loss", "valid/acc"
FLAT = 0.5
"""Exponent of time per update in batch size below which it counts as flat: less than half of proportional."""
_FLATNESS = {
    SUPPORTED: f"flat (below {FLAT:g})",
    AGAINST: f"not flat (above {FLAT:g})",
    UNDECIDED: f"not told whether flat (below {FLAT:g})",
}
_Row: TypeAlias = tuple[tuple[int, int], float, float, float]


def time_per_epoch(arms: Sequence[Arm], costs: Sequence[Cost]) -> Claim:
    """Claim 6: time per epoch falls with batch size until the device is full; time per update is flat until then.

    An epoch costs B^-1 where only updates count and B^0 where the device is full, an update B^0 and B^1. The exponent
    of time per epoch, by least squares over all sizes, says whether it falls; that of time per update between the two
    smallest sizes, where the device is least full, whether it is flat there. Each is computed for every seed that was
    timed at these sizes, and averaged over the groups of other factors.

    Args:
        arms: the arms.
        costs: theirs, in the same order.

    Returns:
        The claim: supported when an epoch's exponent is below 0 and an update's below `FLAT`, by their 95 % intervals,
        not supported when either is above. Undecided where both are: the device is full from the smallest size on, and
        nothing is seen of what comes before; also without two batch sizes.
    """
    groups = along(list(zip(arms, costs, strict=True)), BATCH, lambda pair: pair[0].levels)
    epochs, updates, series = [], [], {}
    for name, group in groups.items():
        known = [(size, cost) for size, (_, cost) in group if cost.timed]
        if len(known) < 2:
            continue
        epochs.append(_exponents([(size, cost.timed, cost.epoch_sec) for size, cost in known]))
        updates.append(_exponents([(size, cost.timed, cost.update_sec) for size, cost in known[:2]]))
        series[name] = {
            "x": [size for size, _ in known],
            "epoch_sec": [cost.epoch_sec.mean for _, cost in known],
            "update_sec": [cost.update_sec.mean for _, cost in known],
        }
    if not series:
        few = one_only((arm.levels for arm in arms), BATCH)
        return Claim(6, UNDECIDED, few or "no two batch sizes, all else equal, were timed")
    epoch, update = over_groups(epochs), over_groups(updates)
    falls, flat = within(epoch, high=0.0), within(update, high=FLAT)
    full = falls != SUPPORTED and flat == AGAINST
    smaller = " The device is full from the smallest size on: only smaller ones could tell." if full else ""
    times = "; ".join(
        f"{name + ': ' if name else ''}"
        + ", ".join(
            f"{duration(e)} an epoch and {duration(u)} an update at {b:g}"
            for b, e, u in zip(each["x"], each["epoch_sec"], each["update_sec"], strict=True)
        )
        for name, each in series.items()
    )
    return Claim(
        6,
        UNDECIDED if full else both([falls, flat]),
        f"time per epoch goes as batch size to the power {between(epoch)}; time per update between the two smallest "
        f"sizes to {between(update)}: {_FLATNESS[flat]}.{smaller} {times}",
        {**ends("epoch_exponent", epoch), **ends("first_update_exponent", update)},
        {"groups": series},
    )


def loss_before_accuracy(table: TrialTable, arms: Sequence[Arm]) -> Claim | None:
    """Claim 7: validation loss is lowest before validation accuracy is highest, so the two choose different epochs.

    The epochs between the first minimum of one and the first maximum of the other, in each complete trial, averaged
    over arms for each replicate.

    Args:
        table: the study.
        arms: its arms.

    Returns:
        The claim: supported when the mean is above 0 by its 95 % interval, not supported when it is not; undecided
        where the loss was still falling at the end of half of the trials or more, for then its minimum was not seen;
        also where no trial ended; None where not both were reported.
    """
    curves = table.curves
    if LOSS not in curves or ACCURACY not in curves or not len(curves):
        return None
    found = _bests(curves, {(arm.point, *replicate) for arm in arms for replicate in arm.replicates})
    if not found:
        return Claim(7, UNDECIDED, "no trial that finished recorded both")
    lags = estimate([_mean([h - low for _, low, h, _ in g]) for _, g in _grouped(found)])
    losses = estimate([_mean([low for _, low, _, _ in g]) for _, g in _grouped(found)])
    accuracies = estimate([_mean([high for _, _, high, _ in g]) for _, g in _grouped(found)])
    shown = lags.shown
    verdict: ClaimVerdict = UNDECIDED
    falling = sum(low == end for _, low, _, end in found)
    if shown is not None and shown.low > 0:
        verdict = SUPPORTED
    elif shown is not None and shown.high <= 0 and 2 * falling < len(found):
        verdict = AGAINST
    last = max(row[3] for row in found)
    open_end = (
        f"; the loss was still falling at the end of {falling} of {count(len(found), 'trial')}" if falling else ""
    )
    return Claim(
        7,
        verdict,
        f"loss is lowest at epoch {between(losses, 'z.1f')}, accuracy highest at {between(accuracies, 'z.1f')} of "
        f"{last:.0f}: {between(lags, '+z.1f')} epochs later{open_end}",
        {
            **ends("loss_epoch", losses),
            **ends("accuracy_epoch", accuracies),
            **ends("lag", lags),
            "epochs": last,
            "falling": float(falling),
        },
        {"x": [row[1] for row in found], "y": [row[2] for row in found]},
    )


def _bests(curves: "pd.DataFrame", complete: Collection[tuple[int, int, int]]) -> list[_Row]:
    """Return, by replicate, the epochs of the lowest loss, of the highest accuracy, and the last one of each trial."""
    rows = curves[(curves["epoch"] > 0) & curves[LOSS].notna() & curves[ACCURACY].notna()]
    found = []
    for place, trial in rows.groupby(["point", "seed", "fold"]):
        point, seed, fold = (int(part) for part in place)
        if (point, seed, fold) in complete:
            epochs = trial["epoch"].to_numpy()
            low, high = epochs[trial[LOSS].to_numpy().argmin()], epochs[trial[ACCURACY].to_numpy().argmax()]
            found.append(((seed, fold), float(low), float(high), float(epochs[-1])))
    return sorted(found)


def _exponents(timed: Sequence[tuple[float, Sequence[Replicate], Estimate]]) -> dict[Replicate, float]:
    """Return the slope of log time on log size of every replicate that was timed at all sizes."""
    logs = np.log([size for size, _, _ in timed])
    x = logs - logs.mean()
    times = [dict(zip(replicates, found.values, strict=True)) for _, replicates, found in timed]
    common = sorted(set.intersection(*(set(each) for each in times)))
    return {replicate: float(x @ np.log([each[replicate] for each in times]) / (x @ x)) for replicate in common}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _grouped(rows: Sequence[_Row]) -> list[tuple[tuple[int, int], list[_Row]]]:
    return [(key, list(group)) for key, group in groupby(rows, key=lambda row: row[0])]
