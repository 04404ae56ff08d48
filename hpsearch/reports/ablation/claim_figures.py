"""The claims of an ablation in figures: best and breaking rates, updates to a target, times, epochs of the best."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

import hpsearch.reports.kit.theme as theme
from hpsearch.base.words import count, duration, number
from hpsearch.reports.ablation.claim import Claim
from hpsearch.reports.kit.canvas import Layout, Trace, axis_style, draw, escape, round_ticks, shorten

_MARKS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star")
_DASHES = ("solid", "dash", "dot", "dashdot")
_PANE, _LANE, _TITLE, _GAP, _MARGIN = 210, 22, 34, 12, 94  # pixels; the margin is that around all panes
_FEWEST = 3  # ticks of a scale
_FEW = 8  # values beside an axis that names each of them
_NAME = 40
_FAR = 8.0  # times the largest batch size; a corner further out is not drawn
_SCALING = {"color": theme.MUTED, "dash": "dot", "width": 1.5}
_EFFECTIVE = "effective rate lr / (1 − m), m the momentum"


def rates_figure(claim: Claim, metric: str) -> Figure:
    """Draw the scores over effective rates, a pane per group and a line per momentum, and which rates are best.

    Args:
        claim: the first one.
        metric: of the objective.

    Returns:
        Below each pane a lane per momentum: a ring at the best rate, a bar over those not told apart from it, a cross
        where training diverged and an open square where it did not halve its loss.
    """
    groups: Mapping[str, Sequence[Mapping[str, Any]]] = claim.series["groups"]
    momenta = sorted({line["momentum"] for lines in groups.values() for line in lines})
    heights = [size for lines in groups.values() for size in ((_TITLE, _PANE), (_GAP, _LANE * len(lines) + 10))]
    height, domains = _stack(heights)
    traces: list[Trace] = []
    lanes: list[Trace] = []
    layout: Layout = {"height": height + _MARGIN, "annotations": []}
    for place, (name, lines) in enumerate(groups.items()):
        upper, lower = _y(2 * place), _y(2 * place + 1)
        layout[_key(upper)] = axis_style(metric, domain=domains[2 * place])
        layout[_key(lower)] = _momentum_lanes(lines, domains[2 * place + 1])
        layout["annotations"] += _heading(name, upper)
        for lane, line in enumerate(lines):
            colour, dash, mark = _look(momenta.index(line["momentum"]), len(momenta))
            text = f"momentum {line['momentum']:g}"
            traces.append({
                **{"type": "scatter", "mode": "lines+markers", "yaxis": upper, "legendgroup": text},
                **{"name": text, "x": line["x"], "y": line["y"]},
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "symbol": mark, "size": 7},
                "hovertemplate": f"<b>{text}</b><br>rate %{{x:.4g}}: %{{y:.4g}}<extra></extra>",
            })
            lanes += _lane(line, lane, lower, colour)
    tried = [x for lines in groups.values() for line in lines for x in (*line["x"], *line["diverged"])]
    layout["xaxis"] = _log(_EFFECTIVE, tried, anchor=_y(2 * len(groups) - 1))
    told = "; ".join(
        f"{name + ': ' if name else ''}"
        + ", ".join(f"{line['best']:.3g} at momentum {line['momentum']:g}" for line in lines)
        for name, lines in groups.items()
    )
    return draw(_once([*traces, *lanes]), layout, f"{metric} against the effective rate, best at {told}.")


def best_rates_figure(claim: Claim) -> Figure:
    """Draw the best rate of every batch size, the fitted slope and the slope of 1, on logarithmic axes.

    Args:
        claim: the third one.

    Returns:
        A line and its own mark per group of the other factors.
    """
    groups: Mapping[str, Mapping[str, Any]] = claim.series["groups"]
    traces: list[Trace] = []
    slope = claim.series["exponent"]
    for place, (name, line) in enumerate(groups.items()):
        colour, dash, mark = _look(place, len(groups))
        x, logs = np.array(line["x"]), np.log(line["y"])
        centre = np.log(x) - np.log(x).mean()
        text = escape(shorten(name, _NAME)) or "best rate"
        points: Trace = {"mode": "markers", "name": text, "y": line["y"]}
        points |= {"marker": {"color": colour, "symbol": mark, "size": 10}}
        points |= {"hovertemplate": f"<b>{text}</b><br>batch size %{{x}}: %{{y:.4g}}<extra></extra>"}
        fit: Trace = {
            "mode": "lines",
            "name": f"{text}: power {slope:.2f}",
            "y": np.exp(logs.mean() + slope * centre).tolist(),
        }
        fit |= {"line": {"color": colour, "dash": dash, "width": 2}, "hoverinfo": "skip", "showlegend": len(groups) < 2}
        whole: Trace = {"mode": "lines", "name": "in proportion", "y": np.exp(logs.mean() + centre).tolist()}
        whole |= {"line": _SCALING, "hoverinfo": "skip"}
        traces += [{"type": "scatter", "x": line["x"], **each} for each in (whole, fit, points)]
    sizes = [x for line in groups.values() for x in line["x"]]
    rates = [y for trace in traces for y in trace["y"]]
    axes = {"xaxis": _log("batch size", sizes), "yaxis": _log(claim.series["rate"], rates)}
    told = f"grows as batch size to the power {slope:.2f}"
    return draw(_once(traces), {**axes, "height": 400}, f"The {claim.series['rate']} {told}.")


def updates_figure(claim: Claim, corner: Claim | None) -> Figure:
    """Draw the updates to the target against batch size on logarithmic axes, a pane per group.

    Args:
        claim: the fourth one.
        corner: the fifth one, whose curve and critical batch size are drawn too.

    Returns:
        Trials, their medians, what perfect scaling from the smallest batch would need, the fitted curve and its corner.
    """
    groups = {name: line for name, line in claim.series["groups"].items() if line["x"]}
    fits: Mapping[str, Any] = corner.series["groups"] if corner is not None else {}
    height, domains = _stack([(_TITLE, _PANE + 30)] * len(groups))
    traces: list[Trace] = []
    layout: Layout = {"height": height + _MARGIN, "annotations": []}
    for place, (name, line) in enumerate(groups.items()):
        own = _updates(line, fits.get(name))
        traces += [{"type": "scatter", "yaxis": _y(place), **trace} for trace in own]
        values = [y for trace in own for y in trace["y"]]
        layout[_key(_y(place))] = _log("updates to the target", values, domain=domains[place])
        layout["annotations"] += _heading(name, _y(place))
    sizes = [x for trace in traces for x in trace["x"]]
    named = [x for line in groups.values() for x in line["x"]]
    layout["xaxis"] = _log("batch size", sizes, named, anchor=_y(len(groups) - 1))
    told = "; ".join(
        f"{name + ': ' if name else ''}{line['y'][0]:.0f} at {line['x'][0]:g}, {line['y'][-1]:.0f} at {line['x'][-1]:g}"
        for name, line in groups.items()
    )
    return draw(_once(traces), layout, f"Median updates to the target against batch size: {told}.")


def times_figure(claim: Claim) -> Figure:
    """Draw the time of an epoch and of an update against batch size on logarithmic axes.

    Args:
        claim: the sixth one.

    Returns:
        Two panes, a line per group of the other factors in each.
    """
    groups: Mapping[str, Mapping[str, Any]] = claim.series["groups"]
    height, domains = _stack([(0, _PANE), (_GAP + 8, _PANE)])
    traces: list[Trace] = []
    layout: Layout = {"height": height + _MARGIN}
    for pane, (key, title) in enumerate((("epoch_sec", "time per epoch"), ("update_sec", "time per update"))):
        for place, (name, line) in enumerate(groups.items()):
            colour, dash, mark = _look(place, len(groups))
            text = escape(shorten(name, _NAME)) or "mean over seeds"
            traces.append({
                **{"type": "scatter", "mode": "lines+markers", "yaxis": _y(pane), "name": text, "legendgroup": text},
                **{"x": line["x"], "y": line[key], "text": [duration(value) for value in line[key]]},
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "symbol": mark, "size": 8},
                "hovertemplate": f"<b>{text}</b><br>batch size %{{x}}: %{{text}}<extra></extra>",
            })
        values = [value for line in groups.values() for value in line[key]]
        layout[_key(_y(pane))] = _log(title, values, domain=domains[pane], texts=duration)
    layout["xaxis"] = _log("batch size", [x for line in groups.values() for x in line["x"]], anchor=_y(1))
    told = "; ".join(
        f"{name + ': ' if name else ''}{duration(line['epoch_sec'][0])} an epoch at {line['x'][0]:g}, "
        f"{duration(line['epoch_sec'][-1])} at {line['x'][-1]:g}"
        for name, line in groups.items()
    )
    return draw(_once(traces), layout, f"Time per epoch and per update against batch size: {told}.")


def epochs_figure(claim: Claim) -> Figure:
    """Draw for every trial the epoch of the highest accuracy against that of the lowest loss.

    Args:
        claim: the seventh one.

    Returns:
        Marks that grow with the number of trials there, and the line on which both agree.
    """
    places = Counter(zip(claim.series["x"], claim.series["y"], strict=True))
    last = claim.numbers["epochs"]
    same: Trace = {"mode": "lines", "name": "the same epoch", "x": [0, last], "y": [0, last], "line": _SCALING}
    marks: Trace = {
        **{"mode": "markers", "name": "trials, the larger the more"},
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "hovertext": [
            f"{count(trials, 'trial')}: loss lowest at epoch {x:g}, accuracy highest at {y:g}"
            for (x, y), trials in places.items()
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": theme.BLUE, "opacity": 0.7, "size": [6 + 3 * trials**0.5 for trials in places.values()]},
    }
    layout = {
        "xaxis": axis_style("epoch of the lowest validation loss", range=[0, 1.04 * last]),
        "yaxis": axis_style("epoch of the highest accuracy", range=[0, 1.04 * last]),
        "height": 400,
    }
    later = sum(trials for (x, y), trials in places.items() if y > x)
    alt = f"Accuracy is highest after the loss is lowest in {later} of {places.total()} trials."
    return draw([{"type": "scatter", **each} for each in (same, marks)], layout, alt)


def claim_figures(claims: Sequence[Claim], metric: str) -> Iterator[tuple[str, str, str, Figure]]:
    """Yield the figures of the claims that an ablation can speak of.

    Args:
        claims: what it found of them.
        metric: of the objective.

    Yields:
        Name, title, how to read it, figure.
    """
    by_number = {claim.number: claim for claim in claims if claim.series}
    if 1 in by_number:
        aid = (
            "A line per momentum. In the lanes below: a ring at the best rate, a bar over the rates not told apart "
            "from it, open squares where the training loss did not fall below half of its first value, crosses where "
            "training diverged. If claim 1 holds the rings stand above each other; training breaks at the first square "
            "or cross to the right of a ring (claim 2)."
        )
        yield (
            "claim-rates",
            f"Claims 1 and 2: {metric} against the effective rate",
            aid,
            rates_figure(by_number[1], metric),
        )
    if 3 in by_number:
        aid = "Dotted: in proportion to the batch size, as the noise scale would have it; the other line is fitted."
        yield "claim-best-rates", "Claim 3: the best rate of every batch size", aid, best_rates_figure(by_number[3])
    if 4 in by_number and any(line["x"] for line in by_number[4].series["groups"].values()):
        aid = (
            "Small marks are trials that reached the target, large ones medians. Dotted: twice the batch, half the "
            "updates. Dashed: the curve of claim 5; the diamond is its corner, the critical batch size."
        )
        figure = updates_figure(by_number[4], by_number.get(5))
        yield "claim-updates", "Claims 4 and 5: updates to the target against batch size", aid, figure
    if 6 in by_number:
        aid = "Means over seeds, training alone; both axes are logarithmic, so a power of the batch size is a line."
        yield "claim-times", "Claim 6: time per epoch and per update", aid, times_figure(by_number[6])
    if 7 in by_number:
        aid = "Trials above the dotted line reach their highest accuracy after their lowest loss."
        yield "claim-epochs", "Claim 7: where loss and accuracy are at their best", aid, epochs_figure(by_number[7])


def _updates(line: Mapping[str, Any], fit: Mapping[str, Any] | None) -> list[Trace]:
    x, y = line["x"], line["y"]
    said = "<br>batch size %{x}: %{y:.0f} updates<extra></extra>"
    perfect: Trace = {"mode": "lines", "name": "perfect scaling", "x": x, "y": [y[0] * x[0] / size for size in x]}
    perfect |= {"line": _SCALING, "hoverinfo": "skip"}
    trials: Trace = {"mode": "markers", "name": "trials", "x": line["trial_x"], "y": line["trial_y"]}
    trials |= {"marker": {"color": theme.BLUE, "size": 5, "opacity": 0.5}, "hovertemplate": f"trial{said}"}
    medians: Trace = {"mode": "markers", "name": "median", "x": x, "y": y}
    medians |= {"marker": {"color": theme.BLUE, "size": 10}, "hovertemplate": f"<b>median</b>{said}"}
    if fit is None:
        return [perfect, trials, medians]
    corner = fit.get("critical", 0.0)
    near = x[0] / _FAR <= corner <= x[-1] * _FAR
    ends = [*x, corner] if near else x
    grid = np.geomspace(min(ends), max(ends) * (1.5 if max(ends) == corner else 1), 60)
    curve = fit["s_min"] + fit["e_min"] / grid
    drawn: Trace = {
        "mode": "lines",
        "name": "fitted curve",
        "x": grid[curve > 0].tolist(),
        "y": curve[curve > 0].tolist(),
    }
    drawn |= {"line": {"color": theme.GREEN, "dash": "dash", "width": 2}, "hoverinfo": "skip"}
    if not near:
        return [perfect, drawn, trials, medians]
    diamond: Trace = {"mode": "markers+text", "name": "critical batch size", "x": [corner], "y": [2 * fit["s_min"]]}
    diamond |= {"text": [f"{corner:.0f}"], "textposition": "top center", "textfont": {"color": theme.INK}}
    diamond |= {"marker": {"color": theme.GREEN, "symbol": "diamond", "size": 13}}
    diamond |= {"hovertemplate": "<b>critical batch size</b> %{x:.0f}<extra></extra>"}
    return [perfect, drawn, trials, medians, diamond]


def _lane(line: Mapping[str, Any], lane: int, axis: str, colour: str) -> list[Trace]:
    """Return what stands in the lane of one momentum: the range, the best rate, the rates that broke."""
    flat = [x for x, stable in zip(line["x"], line["stable"], strict=True) if stable is False]
    shared = {"type": "scatter", "yaxis": axis}
    bar: Trace = {
        "mode": "lines",
        "name": "not told apart from it",
        "x": [line["low"], line["high"]],
        "y": [lane, lane],
    }
    bar |= {"line": {"color": theme.RULE, "width": 9}, "hoverinfo": "skip"}
    marks = (
        ("best rate", [line["best"]], {"color": "rgba(0,0,0,0)", "size": 13, "line": {"color": theme.INK, "width": 2}}),
        ("loss not halved", flat, {"color": colour, "symbol": "square-open", "size": 10, "line": {"width": 2}}),
        ("diverged", line["diverged"], {"color": theme.RED, "symbol": "x", "size": 9}),
    )
    return [
        {**shared, **bar},
        *(
            {
                **{**shared, "mode": "markers", "name": name, "x": x, "y": [lane] * len(x), "marker": marker},
                "hovertemplate": f"momentum {line['momentum']:g}: {name} %{{x:.4g}}<extra></extra>",
            }
            for name, x, marker in marks
            if x
        ),
    ]


def _momentum_lanes(lines: Sequence[Mapping[str, Any]], domain: list[float]) -> Layout:
    texts = [f"m = {line['momentum']:g}" for line in lines]
    ticks = {"tickvals": list(range(len(lines))), "ticktext": texts, "range": [len(lines) - 0.4, -0.6]}
    return axis_style("", domain=domain, showgrid=False, **ticks)


def _look(place: int, of: int) -> tuple[str, str, str]:
    """Return colour, dash and symbol of one line of several, so that none is told by colour alone."""
    return theme.value_colour(place / max(of - 1, 1)), _DASHES[place % len(_DASHES)], _MARKS[place % len(_MARKS)]


def _stack(parts: Sequence[tuple[int, int]]) -> tuple[int, list[list[float]]]:
    """Return the height of panes below each other, each with a gap above, and their shares of it from the foot up."""
    whole = sum(gap + size for gap, size in parts)
    top, domains = whole, []
    for gap, size in parts:
        top -= gap + size
        domains.append([top / whole, (top + size) / whole])
    return whole, domains


def _y(place: int) -> str:
    return f"y{place + 1}" if place else "y"


def _key(axis: str) -> str:
    return f"yaxis{axis[1:]}"


def _heading(name: str, axis: str) -> list[Layout]:
    """Return the name of a group above its pane; nothing for the only group."""
    place = {"x": 0, "xref": "x domain", "y": 1, "yref": f"{axis} domain", "xanchor": "left", "yanchor": "bottom"}
    font = {"color": theme.INK, "size": 13}
    return [{**place, "text": escape(shorten(name, _NAME)), "showarrow": False, "font": font}] if name else []


def _log(
    title: str, values: Sequence[float], named: Sequence[float] = (), texts: Any = number, **changes: Any
) -> Layout:
    """Return a logarithmic axis around values, with a tick at each named one or, of many, at round numbers."""
    known = sorted(set(named or values))
    low, high = np.log10(min(values)), np.log10(max(values))
    pad = 0.05 * (high - low) or 0.2
    ends = float(10 ** (low - pad)), float(10 ** (high + pad))
    each = title == "batch size" and len(known) <= _FEW
    ticks = known if each else round_ticks(True, *ends)
    if not each and len(ticks) < _FEWEST:
        decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])))
        fine = (digit * 10.0**decade for decade in decades for digit in (1, 1.5, 2, 3, 4, 5, 6, 8))
        ticks = [tick for tick in fine if ends[0] <= tick <= ends[1]] or ticks
    style = {"type": "log", "range": [float(low - pad), float(high + pad)], "tickmode": "array", "tickvals": ticks}
    return axis_style(title, **style, ticktext=[texts(tick) for tick in ticks], **changes)


def _once(traces: Sequence[Trace]) -> list[Trace]:
    """Return traces of which each name stands in the legend once, and is switched with all that share it."""
    seen: set[str] = set()
    kept = []
    for trace in traces:
        name = trace["name"]
        shown = trace.get("showlegend", True) and name not in seen
        kept.append({**trace, "legendgroup": name, "showlegend": shown})
        seen.add(name)
    return kept
