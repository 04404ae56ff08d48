"""An ablation in figures: arms with every seed, a map of two factors, differences, curves, costs, what was retuned."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from plotly.graph_objects import Figure

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialTable
from hpsearch.base.words import duration, interval, interval_decimals, label, number, score, settings
from hpsearch.reports.ablation.arms import Arm, Factor
from hpsearch.reports.ablation.comparisons import Difference
from hpsearch.reports.ablation.costs import Reach
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.tuning import Tried, Tuned
from hpsearch.reports.kit.canvas import (
    Layout,
    Trace,
    axis_style,
    colour_bar,
    draw,
    escape,
    foot_trace,
    menu,
    positive_span,
    shorten,
)
from hpsearch.reports.kit.curves import STEP_LOSS, curves_of, metrics_of
from hpsearch.reports.kit.marks import band_traces
from hpsearch.statistics.intervals import Estimate

_LANE = 34  # pixels of an arm
_BANDED = 6  # arms; of more, bands hide each other
_METRICS = 8
_NAME = 44
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_PLAIN = (theme.MUTED, "solid")  # of an arm that has no trials yet
_COLOURS = {
    "better": (theme.GREEN, "triangle-up"),
    "worse": (theme.RED, "triangle-down"),
    "not told apart": (theme.MUTED, "circle"),
    "not compared": (theme.MUTED, "x"),
}
"""Colour and symbol of each verdict: none is told by colour alone."""


def map_figure(found: Ablation) -> Figure:
    """Draw the mean of every arm of two factors as a map, the interval in the hover text.

    Args:
        found: with two factors that vary.

    Returns:
        A heat map; the better a cell, the further it is from the background.
    """
    across, up = varied(found)
    arms = {(arm.levels[across.key], arm.levels[up.key]): arm for arm in found.arms}
    rows = [[arms.get((x, y)) for x in across.values] for y in up.values]
    means = [[arm.score.mean if arm is not None and arm.finished else None for arm in row] for row in rows]
    low, high = _ends([mean for row in means for mean in row if mean is not None])
    notes = [
        _in_cell(row, column, arm, found, low, high)
        for row, line in enumerate(rows)
        for column, arm in enumerate(line)
        if arm is not None
    ]
    scale: Any = theme.score_scale()
    if not found.objective.maximize:
        scale = [[1 - place, colour] for place, colour in reversed(scale)]
    trace = {
        "type": "heatmap",
        "z": means,
        "zmin": low,
        "zmax": high,
        "xgap": 2,
        "ygap": 2,
        "colorscale": scale,
        "colorbar": colour_bar(found.objective.metric),
        "hovertext": [[_told(arm, found) if arm is not None else "" for arm in row] for row in rows],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    layout = {
        "xaxis": _places(across, "x"),
        "yaxis": _places(up, "y"),
        "annotations": notes,
        "height": 150 + 74 * len(up.values),
        "margin": {"l": 90, "r": 90, "t": 20, "b": 60},
    }
    told = "; ".join(f"{arm.name} {score(arm.score.mean, arm.score.sd)}" for arm in found.arms if arm.finished)
    return draw([trace], layout, f"Map of {found.objective.metric} over {across.name} and {up.name}: {told}.")


def arms_figure(found: Ablation) -> Figure:
    """Draw every arm: each seed, the mean, its interval.

    Args:
        found: the ablation.

    Returns:
        A lane per arm, in the order of the space; the reference is marked by a line.
    """
    traces: list[Trace] = []
    for lane, arm in enumerate(found.arms):
        if arm.finished:
            traces += _lane(lane, arm, found)
    lost = [lane for lane, arm in enumerate(found.arms) if not arm.finished]
    notes = [_beside(lane, _why_lost(found.arms[lane])) for lane in lost]
    x = axis_style(found.objective.metric)
    layout = {"xaxis": x, "annotations": notes, "shapes": _reference_line(found), **_lanes(_names(found))}
    told = "; ".join(f"{arm.name} {score(arm.score.mean, arm.score.sd)}" for arm in found.arms)
    return draw(traces, layout, f"Dot plot of {found.objective.metric} by arm, with every seed and intervals: {told}.")


def _why_lost(arm: Arm) -> str:
    return f"no finished trial, {arm.diverged} diverged" if arm.trials else "trained nowhere in the search before"


def differences_figure(differences: Sequence[Difference], metric: str, other: str) -> Figure:
    """Draw the paired difference of every arm from the reference, or from its like in another study.

    Args:
        differences: with their intervals.
        metric: what differs.
        other: what they are taken from, in words.

    Returns:
        A lane per compared arm; colour and symbol say the verdict after Holm's adjustment.
    """
    compared = [each for each in differences if each.difference.n]
    traces: list[Trace] = []
    for verdict, (colour, symbol) in _COLOURS.items():
        group = [(lane, each) for lane, each in enumerate(compared) if each.verdict == verdict]
        if not group:
            continue
        halves = [_halves(each.difference) for _, each in group]
        lines = [
            f"<b>{escape(each.arm)}</b><br>{_signed(each.difference)}"
            + (f"<br>p = {each.p_holm:.2g} after Holm" if each.p_holm is not None else f"<br>{escape(each.why)}")
            for _, each in group
        ]
        traces.append({
            "type": "scatter",
            "mode": "markers",
            "name": verdict,
            "x": [each.difference.mean for _, each in group],
            "y": [lane for lane, _ in group],
            "marker": {"color": colour, "symbol": symbol, "size": 11},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [high for _, high in halves],
                "arrayminus": [low for low, _ in halves],
                "thickness": 2,
                "width": 6,
            },
            "hovertext": lines,
            "hovertemplate": "%{hovertext}<extra></extra>",
        })
    zero = {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
    zero["line"] = {"color": theme.INK, "width": 1, "dash": "dot"}
    layout = {
        "xaxis": axis_style(f"difference in {escape(metric)}"),
        "shapes": [zero],
        **_lanes([each.arm for each in compared]),
    }
    told = "; ".join(f"{each.arm} {each.verdict}" for each in compared)
    return draw(traces, layout, f"Differences from {other} with intervals: {told}.")


def arm_curves_figure(found: Ablation, table: TrialTable) -> Figure | None:
    """Draw the learning curves of the arms: the mean over seeds, with a band of one sd where they are few.

    Args:
        found: the ablation.
        table: the study of its arms.

    Returns:
        The figure with a menu for the metric: colour is the level of the first factor, the dash that of the others;
        None without curves.
    """
    metrics = [m for m in metrics_of(table, found.objective) if m != STEP_LOSS][:_METRICS]
    groups = [(metric, traces) for metric in metrics if (traces := _arm_curves(found, table, metric))]
    if not groups:
        return None
    owners = [place for place, (_, traces) in enumerate(groups) for _ in traces]
    drawn = [trace | {"visible": place == 0} for place, (_, traces) in enumerate(groups) for trace in traces]
    axes = [_curve_axes(metric, traces) for metric, traces in groups]
    entries: list[tuple[str, list[Any]]] = [
        (escape(metric), [{"visible": [owner == place for owner in owners]}, axes[place]])
        for place, (metric, _) in enumerate(groups)
    ]
    legend = {"orientation": "v", "x": 1.01, "y": 1, "xanchor": "left", "yanchor": "top"}
    layout = {**axes[0], "updatemenus": [menu("Metric", "dropdown", entries)], "legend": legend, "height": 460}
    return draw(drawn, layout, f"Line chart of {groups[0][0]} over epochs, one line per arm.", min_width=620)


def target_figure(found: Ablation) -> Figure | None:
    """Draw how much every trial needed to the target; one that did not get there stands, open, where it stopped.

    Args:
        found: the ablation.

    Returns:
        The figure with a menu for epochs, updates and seconds; None without a target.
    """
    units = list(dict.fromkeys(unit for cost in found.costs for unit, reach in cost.to_target.items() if reach.n))
    if not units:
        return None
    traces, owners = [], []
    for place, unit in enumerate(units):
        group = _reached([cost.to_target[unit] for cost in found.costs], unit)
        traces += [trace | {"visible": place == 0} for trace in group]
        owners += [place] * len(group)
    axes = [{"xaxis": _amounts(found, unit)} for unit in units]
    entries: list[tuple[str, list[Any]]] = [
        (unit, [{"visible": [owner == place for owner in owners]}, axes[place]]) for place, unit in enumerate(units)
    ]
    layout = {**axes[0], "updatemenus": [menu("Counted in", "dropdown", entries)], **_lanes(_names(found))}
    missed = sum(cost.to_target[units[0]].missed for cost in found.costs)
    alt = (
        f"{units[0].capitalize()} to {found.objective.metric} {number(found.target)} by arm; {missed} trials not there."
    )
    return draw(traces, layout, alt)


def tuning_figure(found: Ablation, key: str) -> Figure | None:
    """Draw the scores of the search in which a nuisance hyperparameter was retuned, a line per arm.

    Args:
        found: the ablation.
        key: the hyperparameter.

    Returns:
        The figure; rings are what was chosen, open squares did not halve their training loss, crosses at the foot
        diverged; None where no arm was searched over numbers.
    """
    traces: list[Trace] = []
    styles = _styles(found)
    for tuned in found.nuisance.tuned:
        tried = [(each.params[key], each) for each in tuned.tried if _numeric(each.params.get(key))]
        traces += _searched(tuned, key, sorted(tried, key=lambda pair: pair[0]), *styles.get(tuned.arm, _PLAIN))
    scores = [y for trace in traces for y in trace["y"]]
    if not scores:
        return None
    lost = [
        (each.params[key], tuned.arm)
        for tuned in found.nuisance.tuned
        for each in tuned.tried
        if each.diverged and _numeric(each.params.get(key))
    ]
    traces += _flat(found.nuisance.tuned, key)
    traces += [foot_trace(lost, min(scores), max(scores), label(key))] if lost else []
    legend = {"orientation": "v", "x": 1.01, "y": 1, "xanchor": "left", "yanchor": "top"}
    log = positive_span([x for trace in traces for x in trace["x"]]) > 20
    x = axis_style(label(key), **({"type": "log", "exponentformat": "power", "dtick": 1} if log else {}))
    layout = {"xaxis": x, "yaxis": axis_style(found.objective.metric), "legend": legend, "height": 460}
    told = "; ".join(
        f"{tuned.arm} best at {number(tuned.params[key])}" for tuned in found.nuisance.tuned if key in tuned.params
    )
    alt = f"{found.objective.metric} against {label(key)}, one line per arm: {told}; {len(lost)} settings diverged."
    return draw(traces, layout, alt, min_width=620)


def varied(found: Ablation) -> list[Factor]:
    """Return the factors that have more than one value."""
    return [factor for factor in found.factors if factor.varies]


def _told(arm: Arm, found: Ablation) -> str:
    """Return the hover text of an arm: mean, interval and its method, difference from the reference."""
    lines = [f"<b>{escape(arm.name)}</b>", f"{score(arm.score.mean, arm.score.sd)}, n = {arm.score.n}"]
    shown = arm.score.shown
    if shown is not None:
        ends = interval(shown.low, shown.high, arm.score.mean, arm.score.sd or 0.0)
        lines.append(f"95 % interval {ends}<br>{escape(shown.method)}")
    lines += [escape(settings(arm.nuisance))] if arm.nuisance else []
    lines += [f"{arm.diverged} of {arm.trials} diverged"] if arm.diverged else []
    own = next((each for each in found.differences if each.arm == arm.name and each.difference.n), None)
    lines.append(
        "the reference" if arm is found.reference else f"{_signed(own.difference)}: {own.verdict}" if own else ""
    )
    return "<br>".join(line for line in lines if line)


def _signed(difference: Estimate) -> str:
    shown = difference.shown
    if shown is None or difference.sd is None:
        return f"{difference.mean:+.3g}"
    digits = interval_decimals(shown.low, shown.high)
    mean, low, high = (f"{value:+.{digits}f}" for value in (difference.mean, shown.low, shown.high))
    return f"{mean}, 95 % interval {low} to {high}"


def _in_cell(row: int, column: int, arm: Arm, found: Ablation, low: float, high: float) -> Layout:
    """Return the text in a cell, in the ink that can be read on its colour."""
    place = (arm.score.mean - low) / (high - low) if arm.finished else 0.0
    dark = (place if found.objective.maximize else 1 - place) > 0.55
    text = "diverged" if not arm.finished else score(arm.score.mean, arm.score.sd).replace(" ± ", "<br>± ")
    font = {"color": theme.PAPER if dark and arm.finished else theme.INK, "size": 13}
    return {"x": column, "y": row, "text": text, "showarrow": False, "font": font}


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _places(factor: Factor, side: str) -> Layout:
    texts = [escape(shorten(number(value))) for value in factor.values]
    style = axis_style(factor.name, tickvals=list(range(len(texts))), ticktext=texts, showgrid=False)
    return style | ({} if side == "x" else {"autorange": "reversed"})


def _lane(lane: int, arm: Arm, found: Ablation) -> list[Trace]:
    colour = theme.INK if arm is found.reference else theme.BLUE
    below, above = _halves(arm.score)
    shared = {"type": "scatter", "mode": "markers", "hovertemplate": "%{hovertext}<extra></extra>", "showlegend": False}
    seeds = [f"seed {seed}: {score(value)}" for (seed, _), value in zip(arm.replicates, arm.score.values, strict=True)]
    return [
        {
            **shared,
            "x": list(arm.score.values),
            "y": [lane + 0.24] * arm.score.n,
            "hovertext": seeds,
            "marker": {"color": colour, "size": 6, "opacity": 0.5},
        },
        {
            **shared,
            "x": [arm.score.mean],
            "y": [lane],
            "hovertext": [_told(arm, found)],
            "marker": {"color": colour, "symbol": "diamond" if arm is found.reference else "circle", "size": 11},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [above],
                "arrayminus": [below],
                "color": colour,
                "thickness": 2,
                "width": 6,
            },
        },
    ]


def _halves(found: Estimate) -> tuple[float, float]:
    """Return how far an interval reaches below and above its mean; 0 where there is none."""
    if found.shown is None:
        return 0.0, 0.0
    return found.mean - found.shown.low, found.shown.high - found.mean


def _names(found: Ablation) -> list[str]:
    return [arm.name for arm in found.arms]


def _lanes(names: Sequence[str]) -> Layout:
    texts = [escape(shorten(name, _NAME)) for name in names]
    rows = max(len(names), 2)
    y = axis_style("", tickvals=list(range(len(texts))), ticktext=texts, tickfont={"color": theme.INK})
    return {"yaxis": {**y, "range": [rows - 0.4, -0.6]}, "height": 120 + _LANE * rows}


def _beside(lane: int, text: str) -> Layout:
    font = {"color": theme.RED}
    return {"x": 0.5, "xref": "paper", "y": lane, "text": escape(text), "showarrow": False, "font": font}


def _reference_line(found: Ablation) -> list[Layout]:
    if found.reference is None or not found.reference.finished:
        return []
    at = found.reference.score.mean
    line = {"color": theme.MUTED, "width": 1, "dash": "dot"}
    return [{"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "layer": "below", "line": line}]


def _styles(found: Ablation) -> Mapping[str, tuple[str, str]]:
    """Return colour and dash of each arm: those of its levels of the first factor and of the others."""
    factors = varied(found)
    if not factors:
        return {arm.name: (theme.BLUE, "solid") for arm in found.arms}
    first, rest = factors[0], factors[1:]
    others = list(dict.fromkeys(tuple(arm.levels[factor.key] for factor in rest) for arm in found.arms))
    return {
        arm.name: (
            _level_colour(first, arm.levels[first.key]),
            _DASHES[others.index(tuple(arm.levels[factor.key] for factor in rest)) % len(_DASHES)],
        )
        for arm in found.arms
    }


def _level_colour(factor: Factor, value: Any) -> str:
    place = factor.values.index(value)
    if factor.axis.numeric and len(factor.values) > 1:
        return theme.value_colour(place / (len(factor.values) - 1))
    return theme.CATEGORIES[place % len(theme.CATEGORIES)]


def _arm_curves(found: Ablation, table: TrialTable, metric: str) -> list[Trace]:
    curves = curves_of(table, metric)
    styles, few = _styles(found), len(found.arms) <= _BANDED
    traces: list[Trace] = []
    for arm in found.arms:
        own = [c for c in curves if c.point == arm.point and (c.seed, c.fold) in arm.replicates]
        if own:
            lines = band_traces(own, arm.name, styles[arm.name][0], theme.GREY_WASH, styles[arm.name][1])
            traces += lines if few else lines[-1:]
    return traces


def _curve_axes(metric: str, traces: Sequence[Trace]) -> Layout:
    values = [value for trace in traces if "name" in trace for value in trace["y"]]
    kind = "log" if positive_span(values) > 50 else "linear"
    y = axis_style(metric, type=kind, exponentformat="power")
    return {"xaxis": axis_style("epoch", rangemode="tozero"), "yaxis": y}


def _reached(reaches: Sequence[Reach], unit: str) -> list[Trace]:
    points = [
        (value, lane, there) for lane, r in enumerate(reaches) for value, there in zip(r.values, r.reached, strict=True)
    ]
    medians = [(r.median, lane) for lane, r in enumerate(reaches) if r.median is not None]
    shared = {"type": "scatter", "mode": "markers", "hovertemplate": "%{hovertext}<extra></extra>"}
    amount = duration if unit == "seconds" else number
    groups: list[tuple[str, list[tuple[float, float, str]], Trace]] = [
        (
            "reached it",
            [(v, lane + 0.2, f"{amount(v)}") for v, lane, there in points if there],
            {"color": theme.BLUE, "size": 7, "opacity": 0.55},
        ),
        (
            "stopped before it",
            [(v, lane + 0.2, f"not within {amount(v)}") for v, lane, there in points if not there],
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
            **shared,
            "name": name,
            "x": [x for x, _, _ in marks],
            "y": [y for _, y, _ in marks],
            "hovertext": [text for _, _, text in marks],
            "marker": marker,
        }
        for name, marks, marker in groups
        if marks
    ]


def _amounts(found: Ablation, unit: str) -> Layout:
    known = [value for cost in found.costs for value in cost.to_target[unit].values if math.isfinite(value)]
    kind = {"type": "log"} if positive_span(known) > 20 else {"rangemode": "tozero"}
    return axis_style(f"{unit} to {found.objective.metric} {number(found.target)}", **kind)


def _searched(tuned: Tuned, key: str, tried: Sequence[tuple[float, Tried]], colour: str, dash: str) -> list[Trace]:
    known = [(x, each.mean, each.stable is False) for x, each in tried if each.mean is not None]
    if not known:
        return []
    name = escape(shorten(tuned.arm, _NAME))
    hover = f"<b>{name}</b><br>{escape(label(key))} %{{x:.4g}}: %{{y:.4g}}%{{text}}<extra></extra>"
    line = {
        **{"type": "scatter", "mode": "lines+markers", "name": name, "legendgroup": name, "hovertemplate": hover},
        "x": [x for x, _, _ in known],
        "y": [y for _, y, _ in known],
        "text": ["<br>training loss not halved" if flat else "" for _, _, flat in known],
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "size": 6},
    }
    if key not in tuned.params:
        return [line]
    ring = {"color": "rgba(0,0,0,0)", "size": 15, "line": {"color": theme.INK, "width": 2}}
    best = {"x": [tuned.params[key]], "y": [tuned.mean], "mode": "markers", "marker": ring, "showlegend": False}
    return [line, {"type": "scatter", "legendgroup": name, "hoverinfo": "skip", **best}]


def _flat(tuned: Sequence[Tuned], key: str) -> list[Trace]:
    """Return open squares around the settings that trained without halving their loss."""
    flat = [
        (each.params[key], each.mean)
        for own in tuned
        for each in own.tried
        if each.stable is False and each.mean is not None and _numeric(each.params.get(key))
    ]
    if not flat:
        return []
    mark = {"color": theme.INK, "size": 12, "symbol": "square-open", "line": {"width": 1.5}}
    places = {"x": [x for x, _ in flat], "y": [y for _, y in flat], "hoverinfo": "skip"}
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "training loss not halved",
            "marker": mark,
            "legendrank": 1,
            **places,
        }
    ]


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
