"""Claim 7: validation loss is lowest before validation accuracy is highest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.base.words import count, minus
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.claims.claim import Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.claims.common import decide, interval_numbers, lead
from hpsearch.reports.ablation.claims.drawing import SCALING
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, axis_style, draw
from hpsearch.statistics.comparisons import ALPHA
from hpsearch.statistics.intervals import Estimate, estimate, mean_interval

if TYPE_CHECKING:
    import pandas as pd

LOSS, ACCURACY = "valid/loss", "valid/acc"
LAG = 0.05
"""Share of training by which accuracy must be at its best later: less is what noise in two flat curves gives."""
_LISTED = 4  # arms that a sentence names


@dataclass(frozen=True, slots=True)
class _Best:
    """Where one trial was at its best, as shares of its training."""

    loss: float
    accuracy: float

    @property
    def falling(self) -> bool:
        """Whether its loss was lowest at the end, so that its minimum was not seen."""
        return self.loss == 1.0


@dataclass(frozen=True, slots=True)
class _Lag:
    """By how much later accuracy was at its best in the trials of one arm."""

    arm: str
    bests: tuple[_Best, ...]
    share: Estimate

    @property
    def seen(self) -> bool:
        """Whether the minimum of the loss was seen in more than half of the trials."""
        return 2 * sum(best.falling for best in self.bests) < len(self.bests)

    @property
    def later(self) -> bool:
        """Whether the accuracy was at its best later, by more than `LAG`."""
        return self.share.shown is not None and self.share.shown.low > LAG


def loss_before_accuracy(evidence: Evidence) -> ClaimResult | None:
    """Test whether validation loss is lowest before validation accuracy is highest, so that the two choose differently.

    The share of training between the first minimum of one and the first maximum of the other, in each complete trial of
    an arm. Wrong would be to support it where both are at their best at the same time.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when in every arm the 95 % interval of the mean lies above `LAG`, not supported when in
        one it does not reach above 0 (of k arms at the level 5 % / k). Arms in which the loss was still falling at the
        end of half of the trials or more are not judged, for its minimum was not seen; undecided where none is left, or
        no trial ended; None where not both were reported.
    """
    curves = evidence.table.curves
    if LOSS not in curves or ACCURACY not in curves or not len(curves):
        return None
    lags = _lags(curves, evidence.arms)
    if not lags:
        return untested("no trial that finished recorded both")
    judged = [lag for lag in lags if lag.seen]
    unseen = f"the loss was still falling at the end of {len(lags) - len(judged)} of {count(len(lags), 'arm')}"
    drawn = [best for lag in lags for best in lag.bests]
    series = {"x": [best.loss for best in drawn], "y": [best.accuracy for best in drawn]}
    numbers = {"arms": float(len(lags)), "judged": float(len(judged))}
    if not judged:
        return ClaimResult(ClaimVerdict.UNDECIDED, f"{unseen}: its minimum was not seen", numbers, series)
    for lag in judged:
        numbers |= interval_numbers(f"lag[{lag.arm}]", lag.share)
    later = sum(lag.later for lag in judged)
    levels = [mean_interval(lag.share.values, 1 - ALPHA / len(judged)) for lag in judged]
    never = any(interval is not None and interval.high <= 0 for interval in levels)
    listed = "; ".join(f"{lead(lag.arm)}{_percent(lag.share)}" for lag in judged[:_LISTED])
    more = f"; and {len(judged) - _LISTED} more" if len(judged) > _LISTED else ""
    return ClaimResult(
        decide(later == len(judged), never),
        f"accuracy is highest later than loss is lowest, by more than {100 * LAG:.0f} % of training, in {later} of "
        f"{count(len(judged), 'arm')}: {listed}{more}{f'; {unseen}' if len(judged) < len(lags) else ''}",
        {**numbers, "later": float(later)},
        series,
    )


def _percent(share: Estimate) -> str:
    """Write a share of training with its interval: ``+21 % (+12 to +30)``."""
    if share.shown is None:
        return minus(f"{100 * share.mean:+z.0f} %")
    mean, low, high = (minus(f"{100 * value:+z.0f}") for value in (share.mean, share.shown.low, share.shown.high))
    return f"{mean} % ({low} to {high})"


def _lags(curves: "pd.DataFrame", arms: Sequence[Arm]) -> list[_Lag]:
    """Return the lag of every arm with a complete trial that reported both."""
    rows = curves[(curves["epoch"] > 0) & curves[LOSS].notna() & curves[ACCURACY].notna()]
    bests: dict[tuple[int, int, int], _Best] = {}
    for key, trial in rows.groupby(["point", "seed", "fold"]):
        point, seed, fold = (int(part) for part in key)
        epochs = trial["epoch"].to_numpy() / trial["epoch"].max()
        low, high = epochs[trial[LOSS].to_numpy().argmin()], epochs[trial[ACCURACY].to_numpy().argmax()]
        bests[point, seed, fold] = _Best(float(low), float(high))
    found = []
    for arm in arms:
        own = tuple(bests[arm.point, *place] for place in arm.replicates if (arm.point, *place) in bests)
        if own:
            found.append(_Lag(arm.name, own, estimate([best.accuracy - best.loss for best in own])))
    return found


def _figure(results: Mapping[int, ClaimResult]) -> Drawn:
    """Draw for every trial the epoch of the highest accuracy against that of the lowest loss.

    Args:
        results: of the claims.

    Returns:
        Marks that grow with the number of trials there, and the line on which both agree.
    """
    result = results[CLAIM.number]
    trials_at = Counter(zip(result.series["x"], result.series["y"], strict=True))
    same: Trace = {"mode": "lines", "name": "the same time", "x": [0, 1], "y": [0, 1], "line": SCALING}
    marks: Trace = {
        **{"mode": "markers", "name": "trials, the larger the more"},
        **{"x": [x for x, _ in trials_at], "y": [y for _, y in trials_at]},
        "hovertext": [
            f"{count(trials, 'trial')}: loss lowest after {100 * x:.0f} %, accuracy highest after {100 * y:.0f} % of "
            "training"
            for (x, y), trials in trials_at.items()
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": theme.BLUE, "opacity": 0.7, "size": [6 + 3 * trials**0.5 for trials in trials_at.values()]},
    }
    layout: Layout = {
        "xaxis": axis_style("lowest validation loss, share of training", range=[0, 1.04]),
        "yaxis": axis_style("highest accuracy, share of training", range=[0, 1.04]),
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
