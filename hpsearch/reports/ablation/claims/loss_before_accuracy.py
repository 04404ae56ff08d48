"""Claim 7: validation loss is lowest before validation accuracy is highest."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hpsearch.base.words import count
from hpsearch.reports.ablation.claims.claim import Claim, ClaimResult, Evidence, untested
from hpsearch.reports.ablation.claims.common import Replicate, decide, interval_numbers, interval_text
from hpsearch.reports.ablation.claims.drawing import SCALING
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, axis_style, draw
from hpsearch.statistics.intervals import estimate

if TYPE_CHECKING:
    import pandas as pd


LOSS, ACCURACY = "valid/loss", "valid/acc"
_Bests: TypeAlias = tuple[Replicate, float, float, float]
"""Replicate; epochs of the lowest loss, of the highest accuracy, and the last one of a trial."""


def loss_before_accuracy(evidence: Evidence) -> ClaimResult | None:
    """Test whether validation loss is lowest before validation accuracy is highest, so that the two choose differently.

    The epochs between the first minimum of one and the first maximum of the other, in each complete trial, averaged
    over arms for each replicate.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the mean is above 0 by its 95 % interval, not supported when it is not; undecided
        where the loss was still falling at the end of half of the trials or more, for then its minimum was not seen;
        also where no trial ended; None where not both were reported.
    """
    curves = evidence.table.curves
    if LOSS not in curves or ACCURACY not in curves or not len(curves):
        return None
    bests = _bests(curves, {(arm.point, *replicate) for arm in evidence.arms for replicate in arm.replicates})
    if not bests:
        return untested("no trial that finished recorded both")
    by_replicate = [list(group) for _, group in groupby(bests, key=lambda best: best[0])]
    lags = estimate([_mean([high - low for _, low, high, _ in group]) for group in by_replicate])
    losses = estimate([_mean([low for _, low, _, _ in group]) for group in by_replicate])
    accuracies = estimate([_mean([high for _, _, high, _ in group]) for group in by_replicate])
    shown = lags.shown
    falling = sum(low == end for _, low, _, end in bests)
    later = shown is not None and shown.low > 0
    never = shown is not None and shown.high <= 0 and 2 * falling < len(bests)
    last = max(end for _, _, _, end in bests)
    trials = count(len(bests), "trial")
    open_end = f"; the loss was still falling at the end of {falling} of {trials}" if falling else ""
    return ClaimResult(
        decide(later, never),
        f"loss is lowest at epoch {interval_text(losses, 'z.1f')}, accuracy highest at "
        f"{interval_text(accuracies, 'z.1f')} of {last:.0f}: {interval_text(lags, '+z.1f')} epochs later{open_end}",
        {
            **interval_numbers("loss_epoch", losses),
            **interval_numbers("accuracy_epoch", accuracies),
            **interval_numbers("lag", lags),
            "epochs": last,
            "falling": float(falling),
        },
        {"x": [low for _, low, _, _ in bests], "y": [high for _, _, high, _ in bests]},
    )


def _bests(curves: "pd.DataFrame", complete: Collection[tuple[int, int, int]]) -> list[_Bests]:
    """Return the epochs of every complete trial that reported both, by replicate."""
    rows = curves[(curves["epoch"] > 0) & curves[LOSS].notna() & curves[ACCURACY].notna()]
    bests = []
    for key, trial in rows.groupby(["point", "seed", "fold"]):
        point, seed, fold = (int(part) for part in key)
        if (point, seed, fold) in complete:
            epochs = trial["epoch"].to_numpy()
            low, high = epochs[trial[LOSS].to_numpy().argmin()], epochs[trial[ACCURACY].to_numpy().argmax()]
            bests.append(((seed, fold), float(low), float(high), float(epochs[-1])))
    return sorted(bests)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _figure(results: Mapping[int, ClaimResult]) -> Drawn:
    """Draw for every trial the epoch of the highest accuracy against that of the lowest loss.

    Args:
        results: of the claims.

    Returns:
        Marks that grow with the number of trials there, and the line on which both agree.
    """
    result = results[CLAIM.number]
    trials_at = Counter(zip(result.series["x"], result.series["y"], strict=True))
    last = result.numbers["epochs"]
    same: Trace = {"mode": "lines", "name": "the same epoch", "x": [0, last], "y": [0, last], "line": SCALING}
    marks: Trace = {
        **{"mode": "markers", "name": "trials, the larger the more"},
        **{"x": [x for x, _ in trials_at], "y": [y for _, y in trials_at]},
        "hovertext": [
            f"{count(trials, 'trial')}: loss lowest at epoch {x:g}, accuracy highest at {y:g}"
            for (x, y), trials in trials_at.items()
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": theme.BLUE, "opacity": 0.7, "size": [6 + 3 * trials**0.5 for trials in trials_at.values()]},
    }
    layout: Layout = {
        "xaxis": axis_style("epoch of the lowest validation loss", range=[0, 1.04 * last]),
        "yaxis": axis_style("epoch of the highest accuracy", range=[0, 1.04 * last]),
        "height": 400,
    }
    later = sum(trials for (x, y), trials in trials_at.items() if y > x)
    alt = f"Accuracy is highest after the loss is lowest in {later} of {trials_at.total()} trials."
    aid = "Trials above the dotted line reach their highest accuracy after their lowest loss."
    figure = draw([{"type": "scatter", **trace} for trace in (same, marks)], layout, alt)
    return "claim-epochs", "Claim 7: where loss and accuracy are at their best", aid, figure


CLAIM = Claim(
    number=7,
    statement="Validation loss is lowest before validation accuracy is highest: pruning on one or the other differs.",
    factor=None,
    test=loss_before_accuracy,
    figure=_figure,
)
