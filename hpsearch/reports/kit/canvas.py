"""What every figure shares: type, axes that follow the scale of a hyperparameter, menus, the strip for lost trials."""

import html
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import hpsearch.reports.kit.theme as theme
from hpsearch.base.digits import Digits
from hpsearch.base.labels import labels
from hpsearch.base.words import bare, number
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.space import Axis

Trace = dict[str, Any]
Layout = dict[str, Any]
Drawn: TypeAlias = tuple[str, str, str, Figure]
"""Name, title, how to read it, and the figure."""
FigureWithAid: TypeAlias = tuple[str, Figure]
"""How to read a figure, and the figure."""
MARKS: Trace = {"type": "scatter", "mode": "markers", "hovertemplate": "%{hovertext}<extra></extra>"}
"""What marks have in common that say on hover each its own text, ``hovertext``."""
_CLEAR = "rgba(0,0,0,0)"
SIDE_LEGEND: Layout = {"orientation": "v", "x": 1.01, "y": 1, "xanchor": "left", "yanchor": "top"}
_FEW = 7
_LISTS = frozenset({"annotations", "shapes", "updatemenus"})


def draw(traces: Sequence[Trace], layout: Layout, alt: str, min_width: int = 0) -> Figure:
    """Return a figure in the house style.

    Args:
        traces: plotly traces.
        layout: what differs from the style.
        alt: what the figure shows, for those who cannot see it; kept in ``layout.meta``.
        min_width: pixels below which a page scrolls the figure rather than squeezing it; kept in ``layout.meta``.

    Returns:
        The figure.
    """
    style: Layout = {
        "template": {"data": {"scatter": [{"type": "scatter"}]}},  # plotly's "none"
        "font": {"family": theme.FONT, "size": 13, "color": theme.INK},
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "margin": {"l": 64, "r": 20, "t": 34, "b": 54},
        "height": 430,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": theme.PAPER,
            "bordercolor": theme.RULE,
            "font": {"family": theme.FONT, "size": 13, "color": theme.INK},
            "align": "left",
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.01,
            "xanchor": "left",
            "yanchor": "bottom",
            "itemsizing": "trace",
        },
        "modebar": {"bgcolor": _CLEAR, "color": theme.MUTED, "activecolor": theme.BLUE},
        "meta": {"alt": alt, "min_width": min_width},
    }
    return Figure({"data": [_given(trace) for trace in traces], "layout": _given({**style, **layout})})


def _given(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part without what is None, and its lists of parts without the empty ones."""
    given = {key: _given(value) if isinstance(value, dict) else value for key, value in part.items()}
    return {key: value for key, value in given.items() if value is not None and not (key in _LISTS and not value)}


def axis_style(title: str, **changes: Any) -> Layout:
    """Return a plain axis with a light grid."""
    return {
        "title": {"text": escape(title), "font": {"color": theme.MUTED, "size": 13}, "standoff": 10},
        "gridcolor": theme.GRID,
        "linecolor": theme.RULE,
        "tickcolor": theme.RULE,
        "tickfont": {"color": theme.MUTED},
        "ticks": "outside",
        "ticklen": 4,
        "ticklabeloverflow": "allow",  # where all were hidden Plotly would place the title at infinity
        "showline": True,
        "zeroline": False,
        "automargin": True,
        **changes,
    }


def parameter_axis(axis: Axis) -> Layout:
    """Return the plotly axis of a hyperparameter: logarithmic, linear, or one place per category.

    Args:
        axis: the hyperparameter.

    Returns:
        An x axis whose range leaves a margin around the values tried.
    """
    places = [axis.place(value) for value in axis.values] or [0.0]
    pad = 0.045 * (places[-1] - places[0]) or 0.5
    ticks = parameter_ticks(axis)
    title = axis.name if axis.name == bare(axis.key) else f"{axis.name} ({axis.key})"
    return axis_style(
        title,
        type="log" if axis.scale == "log" else "linear",
        range=[min(places) - pad, max(places) + pad],
        tickmode="array",
        tickvals=[value for value, _ in ticks],
        ticktext=[escape(text) for _, text in ticks],
    )


def parameter_ticks(axis: Axis) -> list[tuple[float, str]]:
    """Return positions and texts of ticks: every value when they are few, round numbers otherwise."""
    if axis.scale == "category":
        return [(float(i), text) for i, text in enumerate(labels([axis.write(value) for value in axis.values]))]
    if len(axis.values) <= _FEW:
        return [(float(value), axis.write(value)) for value in axis.values]
    return written_ticks(round_ticks(axis.scale == "log", axis.values[0], axis.values[-1]))


def written_ticks(ticks: Sequence[float]) -> list[tuple[float, str]]:
    """Return ticks with their texts, no two of them equal."""
    digits = Digits.of(ticks)
    return [(tick, number(tick, digits)) for tick in ticks]


def round_ticks(log: bool, low: float, high: float) -> list[float]:
    """Return about five round numbers between two values, whole decades on a wide log scale."""
    if log:
        exponents = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        if len(exponents) >= 3:
            return [10.0**e for e in exponents][:: math.ceil(len(exponents) / 7)]
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        grid = (float(f"{d}e{e}") for e in decades for d in (1, 2, 5))
        return [tick for tick in grid if low <= tick <= high] or [low, high]
    if high == low:
        return [low]
    raw = high / 5 - low / 5
    if raw < sys.float_info.min:
        return [low, high]
    size = 10.0 ** math.floor(math.log10(raw))
    step = min((m * size for m in (1, 2, 5, 10)), key=lambda s: abs(s - raw))
    first = math.ceil(low / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, math.floor(high / step + 1e-9) + 1)]


def log_axis(title: str, values: Sequence[float]) -> dict[str, Any]:
    """Return a logarithmic axis with round numbers at its ticks, however few decades it has.

    Args:
        title: of the axis.
        values: what is drawn along it; what has no logarithm counts for nothing.

    Returns:
        Options of a plotly axis.
    """
    shown = [value for value in values if math.isfinite(value) and value > 0]
    low, high = (min(shown), max(shown)) if shown else (1.0, 1.0)
    ticks = round_ticks(True, low, high)
    ticks = ticks if len(ticks) > 1 else [low, math.sqrt(low) * math.sqrt(high), high]
    texts = [text for _, text in written_ticks(ticks)]
    return axis_style(title, type="log", tickvals=ticks, ticktext=texts)


def coordinate(axis: Axis, value: Any) -> float:
    """Return a value's data coordinate: itself, or the index of a category."""
    return axis.place(value) if axis.scale == "category" else float(value)


def positive_span(values: Sequence[float]) -> float:
    """Return the largest over the smallest value when all are positive and finite, else 1."""
    finite = [v for v in values if math.isfinite(v)]
    return max(finite) / min(finite) if finite and min(finite) > 0 else 1.0


def menu(name: str, kind: str, buttons: Sequence[tuple[str, list[Any]]], active: int = 0) -> Layout:
    """Return one plotly menu whose entries call ``Plotly.update``.

    Args:
        name: what is chosen; a page shows it beside the control.
        kind: ``dropdown`` or ``buttons``.
        buttons: label and arguments (trace changes, layout changes) of each entry.
        active: the entry that is on.

    Returns:
        An entry of ``layout.updatemenus``; a report draws it as a control of the page.
    """
    return {
        "name": name,
        "type": kind,
        "direction": "down" if kind == "dropdown" else "right",
        "active": active,
        "x": 1 if kind == "dropdown" else 0,
        "xanchor": "right" if kind == "dropdown" else "left",
        "y": 1.02,
        "yanchor": "bottom",
        "showactive": True,
        "buttons": [{"label": text, "method": "update", "args": args} for text, args in buttons],
    }


def switched(name: str, views: Sequence[tuple[str, Sequence[Trace], Layout]]) -> tuple[list[Trace], Layout]:
    """Return the traces of several views, the first of them seen, and the layout with the menu that chooses another.

    Args:
        name: what is chosen.
        views: label, traces and axes of each.

    Returns:
        All traces, and the axes of the first view with the menu; of a single view there is nothing to choose.
    """
    owners = [index for index, (_, traces, _) in enumerate(views) for _ in traces]
    every = [trace | {"visible": index == 0} for index, (_, traces, _) in enumerate(views) for trace in traces]
    entries: list[tuple[str, list[Any]]] = [
        (label, [{"visible": [owner == index for owner in owners]}, axes])
        for index, (label, _, axes) in enumerate(views)
    ]
    return every, {**views[0][2], "updatemenus": [menu(name, "dropdown", entries)] if len(views) > 1 else []}


def lost_strip(present: bool) -> Mapping[str, Layout]:
    """Return the y axes of a figure with a strip below for trials without a score; without such, the main axis only."""
    if not present:
        return {"yaxis": {"domain": [0, 1]}}
    strip = axis_style("", domain=[0, 0.09], range=[-1, 1], tickvals=[0], ticktext=["no score"], fixedrange=True)
    return {"yaxis": {"domain": [0.13, 1]}, "yaxis2": {**strip, "showgrid": False, "showline": False, "ticks": ""}}


def foot_trace(lost: Sequence[tuple[float, str]], low: float, high: float, name: str, digits: Digits) -> Trace:
    """Return crosses below all scores for settings that diverged, which have none.

    Args:
        lost: where each lies along the x axis, and what it belongs to.
        low: the lowest score drawn.
        high: the highest.
        name: of what the x axis shows.
        digits: how its values are written.

    Returns:
        One trace, named ``diverged``.
    """
    return {
        **{**MARKS, "name": "diverged", "legendrank": 1},
        "x": [x for x, _ in lost],
        "y": [low - 0.07 * ((high - low) or 0.1)] * len(lost),
        "hovertext": [f"<b>{escape(of)}</b><br>{escape(name)} {number(x, digits)}: diverged" for x, of in lost],
        "marker": {"color": theme.RED, "symbol": "x", "size": 9},
    }


def escape(text: Any) -> str:
    """Return text that plotly shows as it is: it would read tags in it."""
    return html.escape(str(text), quote=False)


def plane_axis(axis: Axis) -> Layout:
    """Return the axis of a hyperparameter in a plane of points, with room for those of a category to spread."""
    style = parameter_axis(axis)
    return style if axis.numeric else {**style, "range": [-0.5, len(axis.values) - 0.5]}


def colour_bar(title: str, **changes: Any) -> Layout:
    """Return a colour bar to the right of a figure."""
    style = {"thickness": 12, "outlinewidth": 0, "len": 1, "x": 1.01, "xpad": 4, "tickfont": {"color": theme.MUTED}}
    text = {"text": escape(title), "side": "right", "font": {"color": theme.MUTED, "size": 13}}
    return {"title": text, **style, **changes}
