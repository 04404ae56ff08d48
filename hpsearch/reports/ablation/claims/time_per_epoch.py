"""Claim 6: an epoch takes less time with a larger batch, until the device is full."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import hpsearch.reports.ablation.claims.common as common
import hpsearch.reports.ablation.claims.drawing as drawing
from hpsearch.base.words import duration
from hpsearch.reports.ablation.claims.claim import BATCH, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, draw, escape, shorten
from hpsearch.statistics.intervals import Estimate

FLAT = 0.5
"""Exponent of time per update in batch size below which it counts as flat: less than half of proportional."""
_FLATNESS = {
    ClaimVerdict.SUPPORTED: f"flat (below {FLAT:g})",
    ClaimVerdict.AGAINST: f"not flat (above {FLAT:g})",
    ClaimVerdict.UNDECIDED: f"not told whether flat (below {FLAT:g})",
}


def time_per_epoch(evidence: Evidence) -> ClaimResult:
    """Test whether time per epoch falls with batch size until the device is full, time per update flat until then.

    An epoch costs B^-1 where only updates count and B^0 where the device is full, an update B^0 and B^1. The exponent
    of time per epoch, by least squares over all sizes, says whether it falls; that of time per update between the two
    smallest sizes, where the device is least full, whether it is flat there. Each is computed for every seed that was
    timed at these sizes, and averaged over the groups of other factors.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when an epoch's exponent is below 0 and an update's below `FLAT`, by their 95 % intervals,
        not supported when either is above. Undecided where both are: the device is full from the smallest size on, and
        nothing is seen of what comes before; also without two batch sizes.
    """
    groups = common.along_factor(evidence.pairs, BATCH, lambda pair: pair[0].levels)
    epochs, updates, series = [], [], {}
    for name, group in groups.items():
        timed = [(size, cost) for size, (_, cost) in group if cost.timed]
        if len(timed) < 2:
            continue
        epochs.append(_exponents([(size, cost.timed, cost.epoch_sec) for size, cost in timed]))
        updates.append(_exponents([(size, cost.timed, cost.update_sec) for size, cost in timed[:2]]))
        series[name] = {
            "x": [size for size, _ in timed],
            "epoch_sec": [cost.epoch_sec.mean for _, cost in timed],
            "update_sec": [cost.update_sec.mean for _, cost in timed],
        }
    if not series:
        few = common.one_level_only((arm.levels for arm in evidence.arms), BATCH)
        return untested(few or "no two batch sizes, all else equal, were timed")
    epoch, update = common.over_groups(epochs), common.over_groups(updates)
    falls, flat = common.lies_within(epoch, high=0.0), common.lies_within(update, high=FLAT)
    full = falls != ClaimVerdict.SUPPORTED and flat == ClaimVerdict.AGAINST
    smaller = " The device is full from the smallest size on: only smaller ones could tell." if full else ""
    times = "; ".join(
        common.lead(name)
        + ", ".join(
            f"{duration(e)} an epoch and {duration(u)} an update at {b:g}"
            for b, e, u in zip(line["x"], line["epoch_sec"], line["update_sec"], strict=True)
        )
        for name, line in series.items()
    )
    return ClaimResult(
        ClaimVerdict.UNDECIDED if full else common.together([falls, flat]),
        f"time per epoch goes as batch size to the power {common.interval_text(epoch)}; time per update between the "
        f"two smallest sizes to {common.interval_text(update)}: {_FLATNESS[flat]}.{smaller} {times}",
        common.interval_numbers("epoch_exponent", epoch) | common.interval_numbers("first_update_exponent", update),
        {"groups": series},
    )


def _exponents(timed: Sequence[tuple[float, Sequence[common.Replicate], Estimate]]) -> dict[common.Replicate, float]:
    """Return the slope of log time on log size of every replicate that was timed at all sizes."""
    logs = np.log([size for size, _, _ in timed])
    x = logs - logs.mean()
    times = [dict(zip(replicates, of.values, strict=True)) for _, replicates, of in timed]
    common = sorted(set.intersection(*(set(by_replicate) for by_replicate in times)))
    return {r: float(x @ np.log([by_replicate[r] for by_replicate in times]) / (x @ x)) for r in common}


def _figure(results: Mapping[int, ClaimResult]) -> Drawn:
    """Draw the time of an epoch and of an update against batch size on logarithmic axes.

    Args:
        results: of the claims.

    Returns:
        Two panes, a line per group of the other factors in each.
    """
    groups: Mapping[str, Mapping[str, Any]] = results[CLAIM.number].series["groups"]
    height, domains = drawing.stack([(0, drawing.PANE), (drawing.GAP + 8, drawing.PANE)])
    traces: list[Trace] = []
    layout: Layout = {"height": height + drawing.MARGIN}
    for pane, (key, title) in enumerate((("epoch_sec", "time per epoch"), ("update_sec", "time per update"))):
        for index, (name, line) in enumerate(groups.items()):
            colour, dash, symbol = drawing.look(index, len(groups))
            text = escape(shorten(name, drawing.NAME)) or "mean over seeds"
            traces.append({
                **{"type": "scatter", "mode": "lines+markers", "yaxis": drawing.y_axis(pane), "name": text},
                **{"legendgroup": text, "x": line["x"], "y": line[key], "text": [duration(v) for v in line[key]]},
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "symbol": symbol, "size": 8},
                "hovertemplate": f"<b>{text}</b><br>batch size %{{x}}: %{{text}}<extra></extra>",
            })
        values = [value for line in groups.values() for value in line[key]]
        layout[drawing.layout_axis(pane)] = drawing.log_axis(title, values, domain=domains[pane], texts=duration)
    sizes = [x for line in groups.values() for x in line["x"]]
    layout["xaxis"] = drawing.log_axis("batch size", sizes, anchor=drawing.y_axis(1))
    ends = "; ".join(
        f"{common.lead(name)}{duration(line['epoch_sec'][0])} an epoch at {line['x'][0]:g}, "
        f"{duration(line['epoch_sec'][-1])} at {line['x'][-1]:g}"
        for name, line in groups.items()
    )
    aid = "Means over seeds, training alone; both axes are logarithmic, so a power of the batch size is a line."
    figure = draw(drawing.once_in_legend(traces), layout, f"Time per epoch and per update against batch size: {ends}.")
    return "claim-times", "Claim 6: time per epoch and per update", aid, figure


CLAIM = Claim(
    number=6,
    statement="Time per epoch falls with batch size until the device is full; time per update is flat until then.",
    factor=BATCH,
    test=time_per_epoch,
    figure=_figure,
)
