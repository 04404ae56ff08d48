"""The predicted score over two hyperparameters, with the measured points on top."""

from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.base.words import score
from hpsearch.reports.kit.canvas import Drawn, Trace, colour_bar, draw, escape
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.marks import drawn, outcome, shown_of
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.figures.plane import MOST_PAIRED, lost_marks, marks_at, plane_axes, ring_mark
from hpsearch.reports.summary.importance import Surface
from hpsearch.reports.summary.numbers import Findings, Summary


def figure(found: Findings) -> Drawn | None:
    """Return the predicted score over the two hyperparameters that matter most, where a forest predicts it."""
    summary, importance = found.summary, found.importance
    if importance is None or importance.surface is None:
        return None
    surface = importance.surface
    names = {axis.key: axis.name for axis in summary.axes}
    first, second = (names[key] for key in surface.keys)
    aid = (
        f"The {summary.objective.metric} that a forest of trees predicts, averaged over all other hyperparameters; "
        "dots are measured, in the same colours; the ring is the best."
    )
    title = f"{summary.objective.metric} over {first} and {second}"
    aid += shown_of(MOST_PAIRED, len(summary.points), "points")
    return "contour", title, aid, contour_figure(summary, surface)


def contour_figure(summary: Summary, surface: Surface) -> Figure:
    """Draw the score that the forest predicts over two hyperparameters, with the measured points on top.

    Args:
        summary: the study's result.
        surface: the prediction.

    Returns:
        The figure: contours over two numeric axes, cells when one is a category.
    """
    axes = {axis.key: axis for axis in summary.axes}
    x, y = (axes[key] for key in surface.keys)
    points = drawn(summary, [p for p in summary.points if x.key in p.params and y.key in p.params], MOST_PAIRED)
    done = [p for p in points if p.mean is not None]
    values = [value for row in surface.z for value in row]
    low, high = min(values), max(values)
    colours = theme.score_scale() if summary.objective.maximize else _reversed(theme.score_scale())
    bar = colour_bar(f"predicted {summary.objective.metric}")
    marks: Trace = {
        **marks_at("complete", done, x, y),
        "hovertext": [outcome(summary, p) for p in done],
        "marker": {
            **{"color": [p.mean for p in done], "cmin": low, "cmax": high, "colorscale": colours},
            **{"size": 9, "line": {"color": theme.PAPER, "width": 1.5}},
        },
    }
    area = {**_area(surface, x, y), "zmin": low, "zmax": high, "colorscale": colours, "colorbar": bar}
    traces = [area, marks, *lost_marks(summary, points, x, y), *ring_mark(summary, x, y)]
    alt = (
        f"Map of the predicted {summary.objective.metric} over {x.name} and {y.name}, from {score(low)} to "
        f"{score(high)}, with {len(done)} measured points."
    )
    return draw(traces, {**plane_axes(x, y), "height": 480, "margin": {"l": 64, "r": 72, "t": 34, "b": 54}}, alt)


def _area(surface: Surface, x: Axis, y: Axis) -> Trace:
    z = [[float(f"{value:.4g}") for value in row] for row in surface.z]
    hover = f"{escape(x.name)} %{{x:.3g}}<br>{escape(y.name)} %{{y:.3g}}<br>predicted %{{z:.4g}}<extra></extra>"
    if x.numeric and y.numeric:
        at = {name: [float(f"{axis.unplace(v):.4g}") for v in where] for name, axis, where in _sides(surface, x, y)}
        return {**at, "type": "contour", "z": z, "ncontours": 14, "line": {"width": 0}, "hovertemplate": hover}
    at = {name: _edges(axis, where) for name, axis, where in _sides(surface, x, y)}
    return {**at, "type": "heatmap", "z": z, "hoverinfo": "skip"}


def _sides(surface: Surface, x: Axis, y: Axis) -> tuple[tuple[str, Axis, tuple[float, ...]], ...]:
    return ("x", x, surface.x), ("y", y, surface.y)


def _edges(axis: Axis, middles: Sequence[float]) -> list[float]:
    """Return the ends of cells: plotly takes them as they are, also on a log scale."""
    step = middles[1] - middles[0]
    ends = [middles[0] - step / 2, *(m + step / 2 for m in middles)]
    return [float(f"{axis.unplace(end):.6g}") if axis.numeric else end for end in ends]


def _reversed(scale: Sequence[list[float | str]]) -> list[list[float | str]]:
    return [[1 - float(place), colour] for place, colour in reversed(scale)]
