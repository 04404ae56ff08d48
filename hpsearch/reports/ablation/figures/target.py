"""What every trial needed to the target."""

import math
from collections.abc import Iterator, Sequence

from hpsearch.base.words import duration, number
from hpsearch.reports.ablation.costs import TimeToTarget
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import MARKS, Drawn, Layout, Trace, axis_style, draw, positive_span, switched
from hpsearch.reports.kit.lanes import lanes_layout


def target(found: Ablation) -> Iterator[Drawn]:
    """Draw how much every trial needed to the target; one that did not get there stands, open, where it stopped.

    Args:
        found: the ablation.

    Yields:
        The figure with a menu for epochs, updates and seconds; nothing without a target.
    """
    units = list(dict.fromkeys(unit for cost in found.costs for unit, times in cost.to_target.items() if times.n))
    if not units:
        return
    views = [
        (unit, _marks([cost.to_target[unit] for cost in found.costs], unit), {"xaxis": _amount_axis(found, unit)})
        for unit in units
    ]
    traces, layout = switched("Counted in", views)
    layout |= lanes_layout([arm.name for arm in found.arms])
    goal = f"{found.objective.metric} {number(found.target)}"
    missed = sum(cost.to_target[units[0]].missed for cost in found.costs)
    aid = (
        "One mark per trial; an open triangle stopped before it got there, so its true value lies further right. "
        "The bar is the median, which counts those too; where it is missing, fewer than half got there."
    )
    alt = f"{units[0].capitalize()} to {goal} by arm; {missed} trials not there."
    yield "target", f"What it takes to reach {goal}", aid, draw(traces, layout, alt)


def _marks(by_arm: Sequence[TimeToTarget], unit: str) -> list[Trace]:
    trials = [
        (value, lane, there)
        for lane, times in enumerate(by_arm)
        for value, there in zip(times.values, times.reached, strict=True)
    ]
    medians = [(times.median, lane) for lane, times in enumerate(by_arm) if times.median is not None]
    amount = duration if unit == "seconds" else number
    groups: list[tuple[str, list[tuple[float, float, str]], Trace]] = [
        (
            "reached it",
            [(v, lane + 0.2, f"{amount(v)}") for v, lane, there in trials if there],
            {"color": theme.BLUE, "size": 7, "opacity": 0.55},
        ),
        (
            "stopped before it",
            [(v, lane + 0.2, f"not within {amount(v)}") for v, lane, there in trials if not there],
            {"color": theme.RED, "size": 9, "symbol": "triangle-right-open"},
        ),
        (
            "median (Kaplan and Meier)",
            [(v, float(lane), f"median {amount(v)}") for v, lane in medians],
            {"color": theme.INK, "size": 18, "symbol": "line-ns-open", "line": {"width": 2.5}},
        ),
    ]
    return [
        {
            **MARKS,
            "name": name,
            "x": [x for x, _, _ in marks],
            "y": [y for _, y, _ in marks],
            "hovertext": [text for _, _, text in marks],
            "marker": marker,
        }
        for name, marks, marker in groups
        if marks
    ]


def _amount_axis(found: Ablation, unit: str) -> Layout:
    amounts = [value for cost in found.costs for value in cost.to_target[unit].values if math.isfinite(value)]
    kind = {"type": "log"} if positive_span(amounts) > 20 else {"rangemode": "tozero"}
    return axis_style(f"{unit} to {found.objective.metric} {number(found.target)}", **kind)
