"""The learning curves of the arms: training and validation of a metric on one plot, the other curves behind a menu."""

import math
from collections.abc import Iterator, Sequence

from hpsearch.base.labels import labels
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.figures.style import NAME, ArmLook, arm_looks, arm_styles, dash_key, label_title
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import SIDE_LEGEND, Drawn, Layout, Trace, draw, escape, switched
from hpsearch.reports.kit.curves import STEP_LOSSES, Curve, curves_of, metrics_of
from hpsearch.reports.kit.lines import Spot, curve_axes, lost_trace, mean_traces
from hpsearch.reports.kit.losses import LOSSES, several_losses

BANDED = 6
"""Arms beyond which bands hide each other and are left out."""
MARKS = 8
"""Marks along a line, by which it is told from others without colours."""
MORE = "curves-more"
"""The figure of all other curves, which is for a screen alone."""
_PAIRS, _OTHERS = 4, 8
_TRAINING = (
    ("train_eval", "evaluated after the epoch, without dropout and augmentation"),
    ("train", "the mean over an epoch's updates, with dropout and augmentation where there are any"),
)
ACCURACY = "acc"
_WORDS = {ACCURACY: "accuracy"}
BEGINNING, CLOSER = 0.1, 3.0
"""An axis leaves out what this share of training reaches first where the rest is drawn so many times as large then."""


def curves(found: Ablation) -> Iterator[Drawn]:
    """Draw the learning curves of the arms.

    Args:
        found: the ablation.

    Yields:
        One figure per metric that was measured on the training part too, `paired`; then the other curves with a menu
        for the metric. Nothing without curves.
    """
    metrics = [m for m in metrics_of(found.table, found.objective) if m not in STEP_LOSSES]
    pairs = _pairs(found, metrics)
    for name, (part, valid) in pairs.items():
        yield from paired(found, name, f"{part}/{name}", valid)
    shown = {metric for name, (part, valid) in pairs.items() for metric in (f"{part}/{name}", valid)}
    yield from _others(
        found, [metric for metric in metrics if metric not in shown][:_OTHERS], MORE if pairs else "curves"
    )


def _pairs(found: Ablation, metrics: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return, by the metric's name, which training part is drawn beside the validation curve, and that curve.

    Returns:
        The part that was evaluated, unless that was done seldom, else the mean over an epoch's updates.
    """
    pairs = {}
    for valid in metrics:
        kind, _, name = valid.partition("/")
        parts = [part for part, _ in _TRAINING if f"{part}/{name}" in metrics] if kind == "valid" else []
        often = [part for part in parts if 2 * _values(found, f"{part}/{name}") >= _values(found, valid)]
        if often:
            pairs[name] = (often[0], valid)
    return dict(list(pairs.items())[:_PAIRS])


def _values(found: Ablation, metric: str) -> int:
    return int(found.table.curves[metric].notna().sum())


def paired(found: Ablation, name: str, train: str, valid: str) -> Iterator[Drawn]:
    """Draw one metric of training and validation of every arm on one plot.

    Args:
        found: the ablation.
        name: of the metric.
        train: column of the training curve.
        valid: column of the validation curve.

    Yields:
        The figure, with a menu for what is counted where epochs differ: an arm has its colour and its mark, validation
        is solid and training dashed; a band is one sample sd of the validation curve over seeds, left out where there
        are more than `BANDED` arms.
    """
    views = []
    for label, along in _counted(found):
        if traces := _paired_traces(found, train, valid, along):
            axes = curve_axes(_WORDS.get(name, name), traces, label[:-1])
            views.append((label, traces, axes | (_close_up(axes, traces) if name == ACCURACY else {})))
    if not views:
        return
    traces, layout = switched("Counted in", views)
    how = dict(_TRAINING)[train.partition("/")[0]]
    word = _WORDS.get(name, name)
    aid = f"Means over the seeds that finished: solid on validation, dashed on training samples ({how})."
    aid += " Bands are one sd of the validation curves." if len(found.arms) <= BANDED else ""
    if name in LOSSES and several_losses(found.table):
        aid += " Every arm has a loss of its own: compare their course, not their height."
    if "range" in views[0][2]["yaxis"]:
        aid += " What the first tenth of training reaches below the axis is not drawn."
    alt = f"Line chart of training and validation {word} over {views[0][0]}, two lines per arm."
    legend = {**SIDE_LEGEND, "title": {"text": escape(label_title(found)), "font": {"color": theme.MUTED}}}
    keys = dash_key("validation", "training")
    for button in layout["updatemenus"][0]["buttons"] if layout["updatemenus"] else ():
        button["args"][0]["visible"] += [True] * len(keys)
    figure = draw([*traces, *keys], {**layout, "legend": legend, "height": 460}, alt, min_width=620)
    yield f"curves-{name}", f"Training and validation {word} of the arms", aid, figure


def _counted(found: Ablation) -> list[tuple[str, str]]:
    """Return what curves are drawn over, and its column: updates too where epochs have more of them in some arms.

    What every arm has as much of comes first.
    """
    epochs, updates = ("epochs", "epoch"), ("updates", "step")
    known = [cost for cost in found.costs if cost.updates.n and cost.epochs.n]
    if len({round(cost.updates.mean / cost.epochs.mean, 6) for cost in known}) < 2:
        return [epochs]
    return [updates, epochs] if len({cost.updates.mean for cost in known}) == 1 else [epochs, updates]


def _close_up(axes: Layout, traces: Sequence[Trace]) -> Layout:
    """Return a y axis from the lowest value after the first tenth of training on, where that shows much more."""
    lines = [trace for trace in traces if "name" in trace]
    every = [float(y) for trace in lines for y in trace["y"] if math.isfinite(y)]
    later = [
        float(y)
        for trace in lines
        for x, y in zip(trace["x"], trace["y"], strict=True)
        if x >= BEGINNING * max(trace["x"]) and math.isfinite(y)
    ]
    low, high = min(later), max(every)
    if axes["yaxis"]["type"] == "log" or high - min(every) < CLOSER * (high - low) or high == low:
        return {}
    edge = 0.05 * (high - low)
    return {"yaxis": {**axes["yaxis"], "range": [low - edge, high + edge]}}


def _paired_traces(found: Ablation, train: str, valid: str, along: str) -> list[Trace]:
    looks, few = arm_looks(found), len(found.arms) <= BANDED
    curves_by = {metric: curves_of(found.table, metric, along) for metric in (train, valid)}
    traces: list[Trace] = []
    spots: list[Spot] = []
    for arm in found.arms:
        look = looks[arm.name]
        if own := _of(arm, curves_by[valid]):
            mean = mean_traces(own, look.label, look.colour, theme.GREY_WASH, along=along)
            traces += [*(mean.band if few else ()), _marked(mean.line, look), *mean.dots]
            spots += mean.spots
        if own := _of(arm, curves_by[train]):
            mean = mean_traces(own, look.label, look.colour, theme.GREY_WASH, "dash", along)
            traces += [{**_marked(mean.line, look, "-open"), "showlegend": False}, *mean.dots]
            spots += mean.spots
    return [*traces, *lost_trace(spots)]


def _of(arm: Arm, curves: Sequence[Curve]) -> list[Curve]:
    return [c for c in curves if c.point == arm.point and (c.seed, c.fold) in arm.replicates]


def _marked(line: Trace, look: ArmLook, kind: str = "") -> Trace:
    """Return a line with a few marks along it: plotly draws at most `MARKS` of them."""
    marker = {"symbol": f"{look.symbol}{kind}", "size": 7, "color": look.colour, "maxdisplayed": MARKS}
    return {**line, "mode": "lines+markers", "marker": marker}


def _others(found: Ablation, metrics: Sequence[str], name: str) -> Iterator[Drawn]:
    by_metric = {metric: traces for metric in metrics if (traces := _arm_curves(found, metric))}
    if not by_metric:
        return
    views = [(escape(metric), traces, curve_axes(metric, traces)) for metric, traces in by_metric.items()]
    traces, layout = switched("Metric", views)
    aid = "Means over the seeds that finished; bands are one sd, left out where there are more than six arms."
    alt = f"Line chart of {next(iter(by_metric))} over epochs, one line per arm."
    figure = draw(traces, {**layout, "legend": SIDE_LEGEND, "height": 460}, alt, min_width=620)
    yield name, "Other curves of the arms" if name == MORE else "Learning curves of the arms", aid, figure


def _arm_curves(found: Ablation, metric: str) -> list[Trace]:
    of_metric = curves_of(found.table, metric)
    styles, few = arm_styles(found), len(found.arms) <= BANDED
    traces: list[Trace] = []
    spots: list[Spot] = []
    for arm, name in zip(found.arms, labels([arm.name for arm in found.arms], NAME), strict=True):
        if own := _of(arm, of_metric):
            mean = mean_traces(own, name, styles[arm.name][0], theme.GREY_WASH, styles[arm.name][1])
            traces += [*(mean.band if few else ()), mean.line, *mean.dots]
            spots += mean.spots
    return [*traces, *lost_trace(spots)]
