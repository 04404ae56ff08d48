"""The learning curves of the arms."""

from collections.abc import Iterator

from hpsearch.reports.ablation.figures.style import arm_styles
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import SIDE_LEGEND, Drawn, Trace, draw, escape, switched
from hpsearch.reports.kit.curves import STEP_LOSSES, curves_of, metrics_of
from hpsearch.reports.kit.marks import band_traces, curve_axes

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
    metrics = [m for m in metrics_of(found.table, found.objective) if m not in STEP_LOSSES][:_METRICS]
    by_metric = {metric: traces for metric in metrics if (traces := _arm_curves(found, metric))}
    if not by_metric:
        return
    views = [(escape(metric), traces, curve_axes(metric, traces)) for metric, traces in by_metric.items()]
    traces, layout = switched("Metric", views)
    aid = "Means over the seeds that finished; bands are one sd, left out where there are more than six arms."
    alt = f"Line chart of {next(iter(by_metric))} over epochs, one line per arm."
    figure = draw(traces, {**layout, "legend": SIDE_LEGEND, "height": 460}, alt, min_width=620)
    yield "curves", "Learning curves of the arms", aid, figure


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
