"""The layers of a trial over training as heat maps: one row per layer, one column per epoch that was measured."""

import math
from collections.abc import Mapping

import numpy as np

import hpsearch.reports.kit.theme as theme
from hpsearch.base.labels import labels
from hpsearch.base.words import number
from hpsearch.reports.kit.canvas import Layout, Trace, axis_style, colour_bar, draw, escape, switched, written_ticks
from hpsearch.reports.kit.curves import thin
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.layers import QUANTITIES, LayerCourse

MOST_NAMES = 24
"""Layers beyond which not every one is named."""
_NAME = 28
_ROW_PX, _LEAST_PX, _MOST_PX = 24, 250, 1000


def layer_map(courses: Mapping[str, LayerCourse], alt: str) -> Figure:
    """Draw what layers did over training, with a menu for the quantity.

    Args:
        courses: of one trial, or the medians of several; not empty.
        alt: whose layers these are.

    Returns:
        A heat map of each quantity, the layer nearest the inputs on top; the colour is the decimal logarithm of what
        spans decades. A cell is empty where nothing finite is known, or nothing above 0 where logarithms are drawn.
    """
    views = [(QUANTITIES[key].title, [_heat(course)], _axes(course)) for key, course in courses.items()]
    traces, layout = switched("Shown", views)
    layers = max(len(course.layers) for course in courses.values())
    height = min(max(110 + _ROW_PX * layers, _LEAST_PX), _MOST_PX)
    return draw(traces, {**layout, "height": height, "margin": {"l": 64, "r": 90, "t": 20, "b": 54}}, alt)


def _heat(course: LayerCourse) -> Trace:
    quantity = QUANTITIES[course.quantity]
    z = course.values
    if quantity.log:
        z = np.log10(np.where(z > 0, z, math.nan))
    low, high = (0.0, 1.0) if not quantity.log else _ends(z)
    ticks = _decades(low, high) if quantity.log else [(0.0, "0"), (0.5, "50 %"), (1.0, "100 %")]
    bar = colour_bar(quantity.title, tickvals=[at for at, _ in ticks], ticktext=[text for _, text in ticks])
    texts = [
        [
            f"<b>{number(value)}</b><br>{escape(name)}, epoch {epoch}" if math.isfinite(value) else ""
            for epoch, value in zip(course.epochs, row, strict=True)
        ]
        for name, row in zip(course.layers, course.values.tolist(), strict=True)
    ]
    return {
        "type": "heatmap",
        "x": list(range(len(course.epochs))),
        "y": list(range(len(course.layers))),
        "z": [[value if math.isfinite(value) else None for value in row] for row in z.tolist()],
        **{"zmin": low, "zmax": high, "colorscale": theme.score_scale(), "colorbar": bar},
        **{
            "hovertext": texts,
            "hovertemplate": "%{hovertext}<extra></extra>",
            "hoverongaps": False,
            "xgap": 1,
            "ygap": 1,
        },
    }


def _ends(z: "np.typing.NDArray[np.float64]") -> tuple[float, float]:
    """Return the smallest and the largest logarithm, half a decade more on either side where they are the same."""
    known = z[np.isfinite(z)]
    if not len(known):
        return -1.0, 0.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Return ticks at whole decades, at both ends where there are fewer than two."""
    whole = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
    kept = [whole[place] for place in thin(len(whole), 7)] if len(whole) > 1 else [low, high]
    return [(float(at), text) for at, (_, text) in zip(kept, written_ticks([10.0**at for at in kept]), strict=True)]


def _axes(course: LayerCourse) -> Layout:
    names = labels(course.layers, _NAME)
    named = list(range(0, len(course.layers), math.ceil(len(course.layers) / MOST_NAMES)))
    x = axis_style(
        "epoch",
        tickvals=list(range(len(course.epochs))),
        ticktext=["1, first step" if epoch == 1 else str(epoch) for epoch in course.epochs],
        showgrid=False,
    )
    y = axis_style(
        "",
        tickvals=named,
        ticktext=[escape(names[place]) for place in named],
        range=[len(course.layers) - 0.5, -0.5],
        showgrid=False,
    )
    return {"xaxis": x, "yaxis": y}
