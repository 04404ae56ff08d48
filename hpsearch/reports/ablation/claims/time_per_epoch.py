"""Claim 6: an epoch takes less time with a larger batch, until the device is full."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hpsearch.reports.ablation.claims.common as common
import hpsearch.reports.ablation.claims.drawing as drawing
from hpsearch.base.labels import labels
from hpsearch.base.words import duration
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.claims.claim import BATCH, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.costs import Cost
from hpsearch.reports.ablation.fastest import in_rounds
from hpsearch.reports.kit.canvas import Drawn, Layout, Trace, draw, escape
from hpsearch.statistics.blocks import above_least_p
from hpsearch.statistics.comparisons import ALPHA
from hpsearch.statistics.intervals import Estimate

FASTEST = 1.1
"""Sizes whose median time is at most so many times the least are called fastest."""
NOT_IN_ROUNDS = "the repeats were not made in rounds over all sizes: the load may differ (ablation.rounds=true)"
"""Why times are not compared."""
ROUNDS = 3
"""Repeats from which on times are compared."""


def time_per_epoch(evidence: Evidence) -> ClaimResult:
    """Test whether time per epoch falls with batch size until the device is full.

    What disturbs a time is the load of the machine, which lasts: so every size is timed again and again, in rounds over
    all of them, and the medians over the rounds are compared. Whether the smallest size is slower than the fastest says
    a shuffle of the times within each round, `hpsearch.statistics.blocks.above_least_p`. Wrong would be to support it
    where the times differ by the load alone.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the smallest size is slower than the fastest at the 5 % level in every group, not
        supported when in one the smallest is the fastest and the largest is slower than it; undecided in between, of
        fewer than three rounds, of repeats that were not made in rounds, and without two batch sizes.
    """
    groups = common.along_factor(evidence.pairs, BATCH, lambda pair: pair[0].levels)
    verdicts, texts, numbers, series = [], [], dict[str, float](), {}
    for name, group in groups.items():
        timed = [(size, arm, cost) for size, (arm, cost) in group if cost.timed]
        rounds = sorted(set.intersection(*(set(cost.timed) for _, _, cost in timed))) if len(timed) > 1 else []
        if len(timed) < 2:
            continue
        epoch, update = (_times(timed, rounds, pick) for pick in (_epoch, _update))
        sizes = [size for size, _, _ in timed]
        why = _why_not(evidence, [arm for _, arm, _ in timed], rounds)
        series[name] = {"x": sizes, "epoch_sec": _medians(epoch), "update_sec": _medians(update)}
        found = _compared(name, sizes, epoch, why)
        verdicts.append(found.verdict)
        numbers |= found.numbers
        listed = ", ".join(
            f"{duration(e)} an epoch and {duration(u)} an update at {size:g}"
            for size, e, u in zip(sizes, _medians(epoch), _medians(update), strict=True)
        )
        texts.append(f"{common.lead(name)}{found.sentence}; medians of {len(rounds)} repeats: {listed}")
    if not series:
        few = common.one_level_only((arm.levels for arm in evidence.arms), BATCH)
        return untested(few or "no two batch sizes, all else equal, were timed")
    return ClaimResult(common.together(verdicts), "; ".join(texts), numbers, {"groups": series})


def _compared(name: str, sizes: Sequence[float], epoch: NDArray[np.float64], why: str) -> ClaimResult:
    """Compare the times of one group, ``[round, size]``."""
    medians = _medians(epoch)
    least = min(medians)
    fastest = [size for size, median in zip(sizes, medians, strict=True) if median <= FASTEST * least]
    ends = f"{fastest[0]:g}" if len(fastest) == 1 else f"{fastest[0]:g} to {fastest[-1]:g}"
    numbers = {f"slower[{name}]": medians[0] / least, f"fastest[{name}]": sizes[medians.index(least)]}
    said = f"an epoch is fastest at {ends}, at {sizes[0]:g} it takes {medians[0] / least:.2g} times as long"
    if why:
        return ClaimResult(ClaimVerdict.UNDECIDED, f"{said}; {why}", numbers)
    p, reverse = above_least_p(np.log(epoch)), above_least_p(np.log(epoch[:, ::-1]))
    verdict = common.decide(p <= ALPHA, reverse <= ALPHA and medians[0] == least)
    return ClaimResult(verdict, f"{said} (p = {p:.2g})", {**numbers, f"p[{name}]": p})


def _why_not(evidence: Evidence, arms: Sequence[Arm], rounds: Sequence[common.Replicate]) -> str:
    """Return why times cannot be compared; empty where they can."""
    if len(rounds) < ROUNDS:
        return f"fewer than {ROUNDS} repeats of every size"
    return "" if in_rounds(evidence.table, arms, rounds) else NOT_IN_ROUNDS


def _times(
    timed: Sequence[tuple[float, Arm, Cost]],
    rounds: Sequence[common.Replicate],
    pick: Callable[[Cost], Estimate],
) -> NDArray[np.float64]:
    """Return the times ``[round, size]``; of no round in common the means of each size."""
    by_size = [dict(zip(cost.timed, pick(cost).values, strict=True)) for _, _, cost in timed]
    if not rounds:
        return np.array([[pick(cost).mean for _, _, cost in timed]])
    return np.array([[times[place] for times in by_size] for place in rounds])


def _medians(times: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.median(times, axis=0)]


def _epoch(cost: Cost) -> Estimate:
    return cost.epoch_sec


def _update(cost: Cost) -> Estimate:
    return cost.update_sec


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
        for index, (name, line) in enumerate(zip(labels(list(groups), drawing.NAME), groups.values(), strict=True)):
            colour, dash, symbol = drawing.look(index, len(groups))
            text = escape(name) or "median of the repeats"
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
    aid = "Medians of the repeats, training alone; both axes are logarithmic."
    figure = draw(drawing.once_in_legend(traces), layout, f"Time per epoch and per update against batch size: {ends}.")
    return "claim-times", "Claim 6: time per epoch and per update", aid, figure


CLAIM = Claim(
    number=6,
    statement="Time per epoch falls with batch size until the device is full.",
    factor=BATCH,
    test=time_per_epoch,
    figure=_figure,
)
