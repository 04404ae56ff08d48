"""The layers of the arms: each quantity from the inputs to the loss, at the first step and at the end."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hpsearch.reports.ablation.figures.style import ArmLook, arm_looks, dash_key, label_title
from hpsearch.reports.ablation.layers import ArmLayers, layers_of
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import SIDE_LEGEND, Drawn, Layout, Trace, axis_style, draw, escape, log_axis, switched
from hpsearch.reports.kit.layers import QUANTITIES, LayerCourse, reading_aid

MARKS = 10
"""Marks along a line, by which it is told from others without colours."""


def layers(found: Ablation) -> Iterator[Drawn]:
    """Draw the layers of the arms.

    Args:
        found: the ablation.

    Yields:
        The figure with a menu for the quantity: a line per arm over its layers, solid at the last look and dashed at
        the first step; nothing where no layer was watched.
    """
    known, looks = layers_of(found), arm_looks(found)
    keys = [key for key in QUANTITIES if any(key in each.courses for each in known)]
    if not keys:
        return
    views = [(QUANTITIES[key].title, _lines(known, key, looks), _axes(known, key)) for key in keys]
    traces, layout = switched("Shown", views)
    legend = {**SIDE_LEGEND, "title": {"text": escape(label_title(found)), "font": {"color": theme.MUTED}}}
    aid = (
        "Medians over the trials of an arm, one mark per layer, from the inputs to the loss: solid at the end of "
        f"training, dashed at the first step. {reading_aid(keys)}"
    )
    alt = f"Line chart of the {QUANTITIES[keys[0]].title} over layers, two lines per arm."
    figure = draw(
        traces,
        {**layout, "legend": legend, "height": 440, "margin": {"l": 84, "r": 20, "t": 20, "b": 54}},
        alt,
        min_width=620,
    )
    yield "layers", "Layers of the arms", aid, figure


def _lines(known: Sequence[ArmLayers], key: str, looks: Mapping[str, ArmLook]) -> list[Trace]:
    traces: list[Trace] = []
    for each in known:
        if (course := each.courses.get(key)) is not None:
            look = looks[each.arm]
            traces.append(_line(course, -1, look, "solid"))
            if course.epochs[0] == 1 and len(course.epochs) > 1 and key in ("gradient", "update"):
                traces.append({**_line(course, 0, look, "dash"), "showlegend": False})
    early = any(trace["line"]["dash"] == "dash" for trace in traces)
    return [*traces, *(dash_key("at the end", "first step") if early else ())]


def _line(course: LayerCourse, place: int, look: ArmLook, dash: str) -> Trace:
    y = course.values[:, place]
    if QUANTITIES[course.quantity].log:
        y = np.where(y > 0, y, np.nan)
    when = "first step" if course.epochs[place] == 1 else f"epoch {course.epochs[place]}"
    return {
        **{"type": "scatter", "mode": "lines+markers", "name": escape(look.label), "legendgroup": look.label},
        "x": list(range(1, len(course.layers) + 1)),
        "y": [float(value) if np.isfinite(value) else None for value in y],
        "line": {"color": look.colour, "width": 2, "dash": dash},
        "marker": {
            "symbol": f"{look.symbol}{'-open' if dash == 'dash' else ''}",
            **{"size": 7, "color": look.colour, "maxdisplayed": MARKS},
        },
        "customdata": [escape(name) for name in course.layers],
        "hovertemplate": f"<b>{escape(look.label)}</b>, {when}<br>%{{customdata}}: %{{y:.3g}}<extra></extra>",
    }


def _axes(known: Sequence[ArmLayers], key: str) -> Layout:
    quantity = QUANTITIES[key]
    courses = [each.courses[key] for each in known if key in each.courses]
    values = [value for course in courses for value in course.values[:, [0, -1]].ravel().tolist()]
    most = max(len(course.layers) for course in courses)
    ticks = list(range(1, most + 1)) if most <= 12 else None
    x = axis_style(
        "activation, from the inputs" if quantity.part == "outputs" else "layer, from the inputs", tickvals=ticks
    )
    if quantity.log:
        return {"xaxis": x, "yaxis": log_axis(quantity.title, values)}
    top = max(1.08 * max((value for value in values if np.isfinite(value)), default=0.0), 0.1)
    return {"xaxis": x, "yaxis": axis_style(quantity.title, tickformat=".0%", range=[-0.02 * top, top])}
