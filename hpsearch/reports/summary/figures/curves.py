"""Learning curves of all trials, coloured by a hyperparameter."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hpsearch.reports.kit.theme as theme
from hpsearch.base.labels import labels, shorten
from hpsearch.base.types import TrialTable
from hpsearch.base.words import settings
from hpsearch.reports.kit.canvas import (
    Drawn,
    Layout,
    Trace,
    axis_style,
    colour_bar,
    draw,
    escape,
    menu,
    parameter_ticks,
    positive_span,
)
from hpsearch.reports.kit.curves import (
    STEP_LOSSES,
    Array,
    Curve,
    curves_of,
    extremes,
    metrics_of,
    quantiles,
    smooth,
)
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.lines import VALUE, band, breaks, lone_trace, lost_spots, lost_trace
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.numbers import Findings, Summary

MANY = 200  # trials; beyond, quantile bands stand for all and only the best points are drawn singly
_TOP = 12
_METRICS = 8
_SHORT = 5  # curves up to this many values are not smoothed
_FEW = 8  # epochs
_LONG = 120  # values drawn per curve
_POINTS = 40  # beyond, points of one colour share a trace: a page with a thousand traces is slow
_FAINT = 0.22
_WHO = "<br>point %{customdata[0]}, seed %{customdata[1]}"


@dataclass(frozen=True, slots=True)
class _Line:
    """One trace and which part it plays in the menus."""

    trace: Trace
    metric: str
    raw: bool | None  # None: drawn the same whether raw or smoothed


def figure(found: Findings) -> Drawn:
    """Return the learning curves."""
    summary, curves = found.summary, _curves(found.table, found.summary)
    aid = _curves_aid(summary, curves, len(found.table.trials) > MANY)
    return "curves", "Learning curves", aid, _drawn(summary, curves)


def curves_figure(table: TrialTable, summary: Summary) -> Figure:
    """Draw the learning curves with menus for the metric and for raw or smoothed curves.

    Args:
        table: the study.
        summary: its result.

    Returns:
        The figure. Beyond 200 trials it shows quantiles over all trials and the curves of the 12 best points.
    """
    return _drawn(summary, _curves(table, summary))


def _curves(table: TrialTable, summary: Summary) -> dict[str, list[Curve]]:
    known = ((metric, curves_of(table, metric)) for metric in metrics_of(table, summary.objective))
    return dict(itertools.islice(((metric, found) for metric, found in known if found), _METRICS))


def _drawn(summary: Summary, curves: Mapping[str, list[Curve]]) -> Figure:
    metrics = list(curves)
    lines = [line for metric in metrics for line in _lines(summary, metric, curves[metric])]
    smoothing = any(line.raw is False for line in lines)
    shown = metrics[0] if metrics else ""
    for line in lines:
        line.trace["visible"] = line.metric == shown
        if smoothing and line.raw is not None:
            line.trace["opacity"] = _FAINT if line.raw else 1.0
    key = _colour_key(summary.main)
    menus = _menus(metrics, curves, lines, len(key), smoothing)
    layout = {
        "xaxis": _x_axis(shown, curves.get(shown, [])),
        "yaxis": _y_axis(shown, curves.get(shown, [])),
        "updatemenus": menus,
    }
    return draw([*(line.trace for line in lines), *key], layout, _alt(summary, metrics))


def _menus(
    metrics: Sequence[str], curves: Mapping[str, list[Curve]], lines: Sequence[_Line], keys: int, smoothing: bool
) -> list[Layout]:
    menus = []
    if len(metrics) > 1:
        entries: list[tuple[str, list[Any]]] = []
        for metric in metrics:
            visible = [line.metric == metric for line in lines] + [True] * keys
            axes = {"xaxis": _x_axis(metric, curves[metric]), "yaxis": _y_axis(metric, curves[metric])}
            entries.append((escape(metric), [{"visible": visible}, axes]))
        menus.append(menu("Metric", "dropdown", entries))
    if smoothing:
        smoothed = [1.0 if line.raw is None else _FAINT if line.raw else 1.0 for line in lines]
        raw = [0.0 if line.raw is False else 1.0 for line in lines]
        pair = [("smoothed", smoothed), ("raw", raw)]
        entries = [(name, [{"opacity": opacity + [1.0] * keys}, {}]) for name, opacity in pair]
        menus.append(menu("Curves", "buttons", entries))
    return menus


def _lines(summary: Summary, metric: str, curves: Sequence[Curve]) -> list[_Line]:
    lines: list[_Line] = []
    if len(curves) > MANY:
        lines = [_Line(trace, metric, None) for trace in _bands(curves)]
        top = top_points(summary)
        curves = [c for c in curves if c.point in top]
    for style, trials in _groups(summary, curves):
        long = max(len(c.x) for c in trials) > _SHORT
        raw = _trace(trials, style, smoothed=False)
        lines.append(_Line(raw, metric, raw=True if long else None))
        lines += [_Line(dots, metric, None) for dots in _lone(raw)]
        if long:
            lines.append(_Line(_trace(trials, style, smoothed=True), metric, raw=False))
    along = "step" if metric in STEP_LOSSES else "epoch"
    spots = [spot for c in curves for spot in lost_spots(c, f"point {c.point}, seed {c.seed}", along)]
    return [*lines, *(_Line(trace, metric, None) for trace in lost_trace(spots))]


def top_points(summary: Summary) -> set[int]:
    """Return the points that are drawn singly when there are very many: the 12 best."""
    sign = -1 if summary.objective.maximize else 1
    scored = sorted((p for p in summary.points if p.mean is not None), key=lambda p: sign * (p.mean or 0.0))
    return {p.point for p in scored[:_TOP]}


def _width(curve: Curve) -> float:
    """Return the width of the kernel: 3.5 % of the values that a curve without gaps has, .7 of one at least."""
    every = float(np.median(np.diff(curve.x)))
    return max(0.7 * every, 0.035 * (float(curve.x[-1] - curve.x[0]) + every))


def _groups(summary: Summary, curves: Sequence[Curve]) -> list[tuple[Trace, list[Curve]]]:
    """Return the curves to draw as one trace each, with its style: a point's, or of many points a colour's."""
    params = {p.point: p.params for p in summary.points}
    single = len({c.point for c in curves}) <= _POINTS
    groups: dict[tuple[str, bool, int], list[Curve]] = {}
    for c in curves:
        best = summary.best is not None and summary.best.point == c.point
        colour = curve_colour(summary.main, params[c.point].get(summary.main.key) if summary.main else None)
        groups.setdefault((colour, best, c.point if single or best else -1), []).append(c)
    return [
        (_style(colour, best, settings(params[point]) if point >= 0 else ""), trials)
        for (colour, best, point), trials in groups.items()
    ]


def _style(colour: str, best: bool, name: str) -> Trace:
    line = {"color": colour, "width": 3.2 if best else 1.5}
    return {"name": escape(shorten(name, 70)), "line": line, "zorder": 2 if best else 1}


def _trace(trials: Sequence[Curve], style: Trace, *, smoothed: bool) -> Trace:
    """Return the curves of one point as one trace, with gaps between its trials and where values were lost."""
    xs: list[Array] = []
    ys: list[Array] = []
    who: list[Array] = []
    for c in trials:
        kept = extremes(c.y, _LONG, c.cuts)
        at = [*breaks(kept, c.cuts), len(kept)]
        measured = c.y[kept]
        places = [np.full(len(kept), float(number)) for number in (c.point, c.seed)]
        columns = np.stack([*places, *([measured] if smoothed else [])])
        xs.append(np.insert(c.x[kept], at, math.nan))
        ys.append(np.insert(_trend(c)[kept] if smoothed else measured, at, math.nan))
        who.append(np.insert(columns, at, math.nan, axis=1))
    lone = all(len(c.x) == 1 for c in trials)
    value = f"smoothed {VALUE}, measured %{{customdata[2]:.6g}}" if smoothed else VALUE
    return {
        **{"type": "scatter", "mode": "markers" if lone else "lines", "showlegend": False, **style},
        "marker": {"color": style["line"]["color"], "symbol": "x", "size": 7},
        "x": _compact(np.concatenate(xs)),
        "y": _compact(np.concatenate(ys)),
        "customdata": _compact(np.concatenate(who, axis=1).T),
        "hovertemplate": f"{value} at %{{x}}{_WHO}"
        + ("<br>%{fullData.name}" if style["name"] else "")
        + "<extra></extra>",
    }


def _lone(raw: Trace) -> list[Trace]:
    """Return the dots of values between two gaps."""
    return [] if raw["mode"] == "markers" else lone_trace(raw["x"], raw["y"], raw)


def _compact(values: Array) -> NDArray[np.floating]:
    """Return values in four bytes each where that keeps them as they are."""
    with np.errstate(over="ignore"):
        short = values.astype(np.float32)
    return short if np.array_equal(short.astype(np.float64), values, equal_nan=True) else values


def _trend(curve: Curve) -> Array:
    """Smooth all but the first value: the untrained model is no part of the trend."""
    if len(curve.x) < 2:
        return curve.y
    return np.append(curve.y[0], smooth(curve.x[1:], curve.y[1:], _width(curve)))


def _bands(curves: Sequence[Curve]) -> list[Trace]:
    x, (low, lower, middle, upper, high) = quantiles(curves, (0.05, 0.25, 0.5, 0.75, 0.95))
    traces = band(x, low, high, theme.GREY_WASH, "5–95 %", "5–95 % of trials")
    traces += band(x, lower, upper, theme.GREY_WASH_DEEP, "25–75 %", "25–75 % of trials")
    line = {"color": theme.MUTED, "width": 2, "dash": "dot"}
    hover = {"hovertemplate": f"median of {len(curves)} trials: {VALUE} at %{{x}}<extra></extra>"}
    traces.append({"type": "scatter", "mode": "lines", "x": x, "y": middle, "name": "median", "line": line, **hover})
    return traces


def curve_colour(axis: Axis | None, value: Any) -> str:
    """Return the colour of a value of the main hyperparameter; grey where it has none."""
    if axis is None or value is None:
        return theme.MUTED
    if axis.numeric:
        return theme.value_colour(axis.relative(value))
    return theme.CATEGORIES[min(axis.values.index(value), len(theme.CATEGORIES) - 1)]


def _colour_key(axis: Axis | None) -> list[Trace]:
    """Return traces without data that carry the colour bar of a numeric axis or the legend of a category."""
    empty: Trace = {"type": "scatter", "x": [None], "y": [None], "mode": "lines", "hoverinfo": "skip"}
    if axis is None or len(axis.values) < 2:
        return []
    if not axis.numeric:
        names = labels([axis.write(value) for value in axis.values])
        if (others := len(names) - len(theme.CATEGORIES)) > 0:  # the last colour is that of all that have none
            names = [*names[: len(theme.CATEGORIES) - 1], f"{others + 1} others"]
        shown = zip(names, theme.CATEGORIES, strict=False)
        return [{**empty, "name": escape(name), "line": {"color": colour, "width": 3}} for name, colour in shown]
    places = [axis.place(axis.values[0]), axis.place(axis.values[-1])]
    ticks = parameter_ticks(axis)
    bar = colour_bar(
        axis.name, tickvals=[axis.place(value) for value, _ in ticks], ticktext=[escape(text) for _, text in ticks]
    )
    marker = {"color": places, "cmin": places[0], "cmax": places[1], "colorscale": theme.value_scale(), "colorbar": bar}
    return [
        {
            **empty,
            "x": [None, None],
            "y": [None, None],
            "mode": "markers",
            "marker": {**marker, "showscale": True},
            "showlegend": False,
        }
    ]


def _x_axis(metric: str, curves: Sequence[Curve]) -> Layout:
    last = max((int(c.x[-1]) for c in curves), default=0)
    few = metric not in STEP_LOSSES and last <= _FEW  # each epoch is marked then, and no half of one
    ticks = list(range(last + 1)) if few else None
    return axis_style("step" if metric in STEP_LOSSES else "epoch", rangemode="tozero", tickvals=ticks)


def _y_axis(metric: str, curves: Sequence[Curve]) -> Layout:
    values = np.concatenate([c.y for c in curves]).tolist() if curves else []
    return axis_style(metric, type="log" if positive_span(values) > 50 else "linear", exponentformat="power")


def _alt(summary: Summary, metrics: Sequence[str]) -> str:
    coloured = f", coloured by {summary.main.name}" if summary.main else ""
    if summary.main and summary.main.numeric and summary.main.values:
        coloured += (
            f" from {summary.main.write(summary.main.values[0])} to {summary.main.write(summary.main.values[-1])}"
        )
    return f"Line chart of {metrics[0] if metrics else 'no metric'} over training for every trial{coloured}."


def _curves_aid(summary: Summary, curves: Mapping[str, Sequence[Curve]], many: bool) -> str:
    text = f"Colour is the {summary.main.name}; the thick line is the best point." if summary.main else ""
    if many:
        text += f" The bands are quantiles over all trials; the curves are of the {_TOP} best points."
    text += " Smoothed is a centred average, with the raw curve faint behind it."
    every = [(metric, curve) for metric, of_one in curves.items() for curve in of_one]
    if any(curve.lost for _, curve in every):
        text += " A line ends where values were not measured, and a cross stands there."
    metric, longest = max(every, key=lambda each: len(each[1].x), default=("", None))
    if longest is not None and len(shown := extremes(longest.y, _LONG, longest.cuts)) < len(longest.x):
        text += (
            f" Of the longest curve, of {metric}, {len(shown):,} of {len(longest.x):,} values are drawn, the least and "
            "the greatest of each stretch among them."
        )
    return text
