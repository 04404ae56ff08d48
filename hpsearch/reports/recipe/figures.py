"""Figures of a recipe's stages, from what each wrote down."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

import hpsearch.reports.kit.theme as theme
from hpsearch.base.words import label, number, settings
from hpsearch.reports.kit.canvas import axis_style, draw, escape, round_ticks

Series = Mapping[str, Any]


def stage_figure(name: str, series: Series, handed: Series, metric: str) -> tuple[str, go.Figure] | None:
    """Return how to read a stage's figure, and the figure; None for a stage that has none.

    Args:
        name: of the stage.
        series: what it wrote down for its figure.
        handed: what it handed on.
        metric: what trials are compared by.
    """
    if name == "overfit_small" and series.get("losses"):
        return _by_heart(series)
    if name == "lr_find" and series.get("curves"):
        return _rates(series, handed)
    if name in ("coarse", "fine") and series.get("scores"):
        return _points(series, metric)
    if name == "curves" and series.get("train"):
        return _curves(series)
    if name == "confirm" and series.get("scores"):
        return _candidates(series, metric)
    return None


def _by_heart(series: Series) -> tuple[str, go.Figure]:
    traces = [
        {
            **{"type": "scatter", "mode": "lines", "name": f"rate {rate}", "y": losses},
            **{"x": list(range(1, len(losses) + 1)), "line": {"color": theme.BLUE if place == 0 else theme.MUTED}},
        }
        for place, (rate, losses) in enumerate(series["losses"].items())
    ]
    layout = {"xaxis": axis_style("step"), "yaxis": axis_style("training loss"), "height": 280}
    aid = "Loss on the small sample, by step, for each learning rate that was tried."
    return aid, draw(traces, layout, f"Training loss on a small sample for {len(traces)} learning rates.")


def _rates(series: Series, handed: Series) -> tuple[str, go.Figure]:
    line: dict[str, Any] = {"type": "scatter", "showlegend": False}
    traces: list[dict[str, Any]] = []
    for curves in series["curves"]:
        for losses in curves["losses"]:
            grey = {"marker": {"color": theme.MUTED, "size": 5}, "line": {"color": theme.RULE, "width": 1}}
            run = {"x": curves["rates"][: len(losses)], "y": losses, **grey}
            traces.append({**line, "mode": "lines+markers", "name": "one initialization", **run})
        fit = {"x": curves["fit_rates"], "y": curves["fit"], "line": {"color": theme.BLUE, "width": 2.5}}
        traces.append({**line, "mode": "lines", "name": "fit", **fit})
    shapes = []
    if handed.get("lr_range"):
        low, high = handed["lr_range"]
        band = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "fillcolor": theme.GREEN_WASH, "line": {"width": 0}}
        shapes.append({**band, "x0": low, "x1": high})
    layout = {
        "xaxis": _log_axis("learning rate", [rate for curves in series["curves"] for rate in curves["rates"]]),
        "yaxis": axis_style("training loss"),
        "shapes": shapes,
        "height": 360,
    }
    aid = "Grey: one initialization each; blue: the fit. The shaded range of rates is handed on."
    return aid, draw(traces, layout, f"Training loss against learning rate, {len(traces)} lines.")


def _curves(series: Series) -> tuple[str, go.Figure]:
    traces: list[dict[str, Any]] = []
    for place, (train, valid, labels) in enumerate(
        zip(series["train"], series["valid"], series["labels"], strict=True)
    ):
        colour = theme.BLUE if place == 0 else theme.MUTED
        said = f"{settings(series['params'][place])}<br>{', '.join(labels) or 'no fault'}"
        for name, losses, dash in (("training", train, "dot"), ("validation", valid, "solid")):
            line = {"color": colour, "width": 2.5 if place == 0 else 1, "dash": dash}
            shown = {"name": name, "showlegend": place == 0, "opacity": 1 if place == 0 else 0.5, "line": line}
            data = {
                "x": list(range(1, len(losses) + 1)),
                "y": losses,
                "hovertext": escape(said).replace("&lt;br&gt;", "<br>"),
            }
            traces.append({"type": "scatter", "mode": "lines", **shown, **data, "hoverinfo": "text+y"})
    losses = [loss for curves in (*series["train"], *series["valid"]) for loss in curves]
    layout = {"xaxis": axis_style("epoch"), "yaxis": _log_axis("loss", losses), "height": 340}
    aid = "Blue: the best trial; dotted: training, solid: validation. Hover over a line for what was found."
    return aid, draw(traces, layout, f"Loss by epoch of {len(series['train'])} trials.")


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
        "xaxis": _log_axis(label(key), x) if key is not None and log else axis_style(label(key) if key else "point"),
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


def _log_axis(title: str, values: Sequence[float]) -> dict[str, Any]:
    """Return a logarithmic axis with round numbers at its ticks, however few decades it has."""
    shown = [value for value in values if math.isfinite(value) and value > 0]
    low, high = (min(shown), max(shown)) if shown else (1.0, 1.0)
    ticks = round_ticks(True, low, high)
    ticks = ticks if len(ticks) > 1 else [low, math.sqrt(low * high), high]
    return axis_style(title, type="log", tickvals=ticks, ticktext=[number(tick) for tick in ticks])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
