"""Figures of a recipe's stages, from what each wrote down."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

import hpsearch.report.theme as theme
from hpsearch.analysis.words import label, number, settings
from hpsearch.report.figures.canvas import axis_style, draw, escape

Series = Mapping[str, Any]
_DECADES: dict[str, Any] = {"type": "log", "exponentformat": "power", "dtick": 1}


def stage_figure(name: str, series: Series, handed: Series, metric: str) -> tuple[str, go.Figure] | None:
    """Return how to read a stage's figure, and the figure; None for a stage that has none.

    Args:
        name: of the stage.
        series: what it wrote down for its figure.
        handed: what it handed on.
        metric: what trials are compared by.
    """
    if name == "lr_find" and series.get("lr"):
        return _rates(series, handed)
    if name in ("coarse", "fine") and series.get("scores"):
        return _points(series, metric)
    if name == "confirm" and series.get("scores"):
        return _candidates(series, metric)
    return None


def _rates(series: Series, handed: Series) -> tuple[str, go.Figure]:
    rates, losses = series["lr"], series["loss"]
    runs = losses if losses and isinstance(losses[0], Sequence) else [losses]
    traces = [
        {
            **{"type": "scatter", "mode": "lines+markers", "name": f"initialization {place}", "x": rates, "y": run},
            **{"marker": {"color": theme.MUTED, "size": 5}, "line": {"color": theme.RULE, "width": 1}},
            "showlegend": False,
        }
        for place, run in enumerate(runs, 1)
    ]
    if series.get("fit"):
        fitted = {"x": series.get("fit_lr", rates), "y": series["fit"], "line": {"color": theme.BLUE, "width": 2.5}}
        traces.append({"type": "scatter", "mode": "lines", "name": "fit", "showlegend": False, **fitted})
    shapes = []
    if handed.get("lr_range"):
        low, high = handed["lr_range"]
        band = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "fillcolor": theme.GREEN_WASH, "line": {"width": 0}}
        shapes.append({**band, "x0": low, "x1": high})
    layout = {
        "xaxis": axis_style("learning rate", **_DECADES),
        "yaxis": axis_style("training loss after the probe"),
        "shapes": shapes,
        "height": 360,
    }
    aid = "Each grey line is one initialization, the blue one the fit; the shaded range of rates is handed on."
    return aid, draw(traces, layout, f"Training loss against {len(rates)} learning rates.")


def _points(series: Series, metric: str) -> tuple[str, go.Figure]:
    params, scores = series["params"], series["scores"]
    numeric = [k for k in params[0] if all(_is_number(p.get(k)) for p in params)]
    key = next((k for k in numeric if "log" in str(series["space"].get(k, ""))), numeric[0] if numeric else None)
    x = [p[key] for p in params] if key else list(range(1, len(scores) + 1))
    hover = ["<br>".join(f"{escape(k)} = {escape(number(v))}" for k, v in p.items()) for p in params]
    best = [place == 0 for place in range(len(scores))]
    trace = {
        **{"type": "scatter", "mode": "markers", "x": x, "y": scores, "text": hover, "showlegend": False},
        "marker": {
            "size": [13 if each else 9 for each in best],
            "color": [theme.BLUE if each else theme.MUTED for each in best],
            "line": {"color": theme.PAPER, "width": 1.5},
        },
        "hovertemplate": f"%{{text}}<br>{escape(metric)} %{{y:.4f}}<extra></extra>",
    }
    log = key is not None and "log" in str(series["space"].get(key, ""))
    layout = {
        "xaxis": axis_style(label(key) if key else "point", **(_DECADES if log else {})),
        "yaxis": axis_style(metric),
        "height": 340,
    }
    return "One mark per point; the blue one is the best.", draw([trace], layout, f"{metric} of {len(scores)} points.")


def _candidates(series: Series, metric: str) -> tuple[str, go.Figure]:
    params, scores = series["params"], series["scores"]
    names = [f"{place}. {settings(point)}" for place, point in enumerate(params, 1)]
    traces: list[dict[str, Any]] = []
    for place, (name, each) in enumerate(zip(names, scores, strict=True)):
        colour = theme.BLUE if place == 0 else theme.MUTED
        seeds = {"x": each, "y": [escape(name)] * len(each), "marker": {"color": colour, "size": 8, "opacity": 0.6}}
        mean = {"x": [sum(each) / len(each)], "y": [escape(name)]}
        bar = {"symbol": "line-ns-open", "size": 22, "color": colour, "line": {"width": 3}}
        traces.append({"type": "scatter", "mode": "markers", "name": "seeds", "showlegend": False, **seeds})
        traces.append({
            "type": "scatter",
            "mode": "markers",
            "name": "mean",
            "showlegend": False,
            **mean,
            "marker": bar,
        })
    layout = {
        "xaxis": axis_style(metric),
        "yaxis": axis_style("", autorange="reversed"),
        "height": 130 + 60 * len(names),
        "margin": {"l": 220, "r": 20, "t": 20, "b": 54},
    }
    aid = "One mark per fresh seed, a bar at the mean; the blue candidate is the winner."
    return aid, draw(traces, layout, f"{metric} of {len(names)} candidates over fresh seeds.", 640)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
