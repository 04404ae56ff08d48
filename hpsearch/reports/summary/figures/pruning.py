"""What stopping bad trials early saved."""

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialState
from hpsearch.reports.kit.canvas import Drawn, Trace, axis_style, draw
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.summary.numbers import Findings
from hpsearch.reports.summary.pruning import Pruning


def figure(found: Findings) -> Drawn | None:
    """Return what pruning saved, where something was pruned."""
    pruning = found.summary.pruning
    if pruning is None:
        return None
    return "pruning", "What pruning saved", _pruning_aid(pruning), pruning_figure(pruning)


def pruning_figure(pruning: Pruning) -> Figure:
    """Draw how many trials trained each epoch, with and without a pruner; the area between is what it saved.

    Args:
        pruning: the counts.

    Returns:
        The figure.
    """
    epochs = [epoch + 0.5 for epoch in range(len(pruning.alive) + 1)]
    with_pruner, without = ([counts[0], *counts] if counts else [] for counts in (pruning.alive, pruning.without))
    step: Trace = {"type": "scatter", "mode": "lines", "x": epochs, "hovertemplate": "%{y} trials<extra></extra>"}
    gold = theme.STATES[TrialState.PRUNED][0]
    traces = [
        {**step, "y": with_pruner, "name": "trained", "fill": "tozeroy", "fillcolor": theme.BLUE_WASH},
        {**step, "y": without, "name": "saved", "fill": "tonexty", "fillcolor": theme.GOLD_WASH},
    ]
    for trace, colour, dash in zip(traces, (theme.BLUE, gold), ("solid", "dash"), strict=True):
        trace["line"] = {"color": colour, "width": 2, "shape": "vh", "dash": dash}
    axes = {"xaxis": axis_style("epoch", range=[0.5, epochs[-1]]), "yaxis": axis_style("trials", rangemode="tozero")}
    alt = (
        f"Step chart of the trials that trained each epoch: {pruning.trained} epochs with the pruner, "
        f"{pruning.trained + pruning.saved} without."
    )
    return draw(traces, {**axes, "height": 340, "hovermode": "x unified"}, alt)


def _pruning_aid(pruning: Pruning) -> str:
    return (
        f"The golden area is what was saved: {pruning.saved:,} of {pruning.trained + pruning.saved:,} epochs "
        f"({pruning.share:.0%}), as {pruning.pruned:,} of {pruning.trials:,} trials stopped early."
    ).replace("%", " %")
