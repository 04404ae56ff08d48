"""The learning curves of the arms."""

from collections.abc import Iterator, Sequence
from typing import Any

from hpsearch.reports.ablation.figures.style import arm_styles
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Layout, Trace, axis_style, draw, escape, menu, positive_span
from hpsearch.reports.kit.curves import STEP_LOSS, curves_of, metrics_of
from hpsearch.reports.kit.marks import band_traces
from hpsearch.reports.kit.page import Drawn

_BANDED = 6  # arms; of more, bands hide each other
_METRICS = 8


def curves(found: Ablation) -> Iterator[Drawn]:
    """Draw the learning curves of the arms, the mean over seeds with a band of one sd where there are few.

    Args:
        found: the ablation.

    Yields:
        The figure with a menu for the metric, colour that of an arm's first level and the dash that of the others;
        nothing without curves.
    """
    metrics = [m for m in metrics_of(found.table, found.objective) if m != STEP_LOSS][:_METRICS]
    groups = [(metric, traces) for metric in metrics if (traces := _arm_curves(found, metric))]
    if not groups:
        return
    owners = [index for index, (_, traces) in enumerate(groups) for _ in traces]
    drawn = [trace | {"visible": index == 0} for index, (_, traces) in enumerate(groups) for trace in traces]
    axes = [_curve_axes(metric, traces) for metric, traces in groups]
    entries: list[tuple[str, list[Any]]] = [
        (escape(metric), [{"visible": [owner == index for owner in owners]}, axes[index]])
        for index, (metric, _) in enumerate(groups)
    ]
    legend = {"orientation": "v", "x": 1.01, "y": 1, "xanchor": "left", "yanchor": "top"}
    layout = {**axes[0], "updatemenus": [menu("Metric", "dropdown", entries)], "legend": legend, "height": 460}
    aid = "Means over the seeds that finished; bands are one sd, left out where there are more than six arms."
    alt = f"Line chart of {groups[0][0]} over epochs, one line per arm."
    yield "curves", "Learning curves of the arms", aid, draw(drawn, layout, alt, min_width=620)


def _arm_curves(found: Ablation, metric: str) -> list[Trace]:
    of_metric = curves_of(found.table, metric)
    styles, few = arm_styles(found), len(found.arms) <= _BANDED
    traces: list[Trace] = []
    for arm in found.arms:
        own = [c for c in of_metric if c.point == arm.point and (c.seed, c.fold) in arm.replicates]
        if own:
            lines = band_traces(own, arm.name, styles[arm.name][0], theme.GREY_WASH, styles[arm.name][1])
            traces += lines if few else lines[-1:]
    return traces


def _curve_axes(metric: str, traces: Sequence[Trace]) -> Layout:
    values = [value for trace in traces if "name" in trace for value in trace["y"]]
    kind = "log" if positive_span(values) > 50 else "linear"
    y = axis_style(metric, type=kind, exponentformat="power")
    return {"xaxis": axis_style("epoch", rangemode="tozero"), "yaxis": y}
