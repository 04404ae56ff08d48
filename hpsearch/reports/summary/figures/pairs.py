"""Points over two hyperparameters: predicted score, measured rank, and where training diverges."""

import itertools
from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Figure

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialState
from hpsearch.base.words import number, score
from hpsearch.reports.kit.canvas import Layout, Trace, colour_bar, draw, escape, menu, parameter_axis, plane_axis
from hpsearch.reports.kit.marks import drawn, outcome, ranks, spread_out, states_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.boundary import Frontier
from hpsearch.reports.summary.figures.parallel import strongest
from hpsearch.reports.summary.importance import Importance, Surface
from hpsearch.reports.summary.sweep import Summary

_PAIRED = 4  # hyperparameters whose pairs a menu offers
MOST_PAIRED = 800  # points drawn per pair


def leading(summary: Summary, importance: Importance | None) -> tuple[Axis, ...]:
    """Return the hyperparameters in the order of their importance, those without one last.

    Args:
        summary: the study's result.
        importance: what was found, if anything.

    Returns:
        The axes with at least two values; without importances, those that go most with the score first.
    """
    axes = [axis for axis in strongest(summary) if len(axis.values) > 1]
    if importance is None:
        return tuple(axes)
    first = importance.surface.keys if importance.surface else ()
    ranked = [*first, *(s.keys[0] for r in (importance.fanova, importance.ped) for s in r.shares)]
    order = {key: i for i, key in reversed(list(enumerate(ranked)))}
    return tuple(sorted(axes, key=lambda axis: order.get(axis.key, len(ranked))))


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
        **_markers("complete", done, x, y),
        "hovertext": [outcome(summary, p) for p in done],
        "marker": {
            **{"color": [p.mean for p in done], "cmin": low, "cmax": high, "colorscale": colours},
            **{"size": 9, "line": {"color": theme.PAPER, "width": 1.5}},
        },
    }
    area = {**_area(surface, x, y), "zmin": low, "zmax": high, "colorscale": colours, "colorbar": bar}
    traces = [area, marks, *_lost(summary, points, x, y), *_ring(summary, x, y)]
    alt = (
        f"Map of the predicted {summary.objective.metric} over {x.name} and {y.name}, from {score(low)} to "
        f"{score(high)}, with {len(done)} measured points."
    )
    return draw(traces, {**_plane(x, y), "height": 480, "margin": {"l": 64, "r": 72, "t": 34, "b": 54}}, alt)


def rank_figure(summary: Summary, importance: Importance | None) -> Figure:
    """Draw every point over pairs of the leading hyperparameters, coloured by the rank of its score.

    Args:
        summary: the study's result.
        importance: which hyperparameters lead.

    Returns:
        The figure, with a menu of the pairs.
    """
    pairs = list(itertools.combinations(leading(summary, importance)[:_PAIRED], 2))
    points = drawn(summary, summary.points, MOST_PAIRED)
    share = dict(zip((p.point for p in points), ranks(summary, points), strict=True))
    views = [_ranked(summary, points, share, x, y) for x, y in pairs]
    owners = [i for i, view in enumerate(views) for _ in view]
    traces = [{**trace, "visible": owner == 0} for owner, trace in zip(owners, itertools.chain(*views), strict=True)]
    entries: list[tuple[str, list[Any]]] = [
        (escape(f"{x.name} – {y.name}"), [{"visible": [owner == i for owner in owners]}, _plane(x, y)])
        for i, (x, y) in enumerate(pairs)
    ]
    menus = [menu("Pair", "dropdown", entries)] if len(pairs) > 1 else []
    x, y = pairs[0]
    alt = f"Scatter chart of {len(points)} points over {x.name} and {y.name}, the darker the better they rank."
    layout = {**_plane(x, y), "updatemenus": menus, "height": 460, "margin": {"l": 64, "r": 72, "t": 34, "b": 54}}
    return draw(traces, layout, alt)


def diverged_figure(summary: Summary, importance: Importance | None) -> Figure:
    """Draw where training diverged over two hyperparameters, with the estimated edge of stability.

    Args:
        summary: the study's result.
        importance: which hyperparameter the edge is drawn against.

    Returns:
        The figure; the region beyond the edge is shaded where one hyperparameter tells diverged points apart.
    """
    order = leading(summary, importance)
    x = summary.frontier.axis if summary.frontier else next((a for a in order if a.numeric), order[0])
    y = next(axis for axis in order if axis.key != x.key)
    points = drawn(summary, [p for p in summary.points if x.key in p.params and y.key in p.params], MOST_PAIRED)
    traces = []
    for name, (state, members) in states_of(points).items():
        colour, symbol = theme.STATES[state]
        mark = {"color": colour, "symbol": symbol, "size": 8, "opacity": 0.85}
        traces.append({**_markers(name, members, x, y), "marker": mark})
        traces[-1]["hovertext"] = [outcome(summary, p) for p in members]
    layout: Layout = {**_plane(x, y), "height": 440}
    if summary.frontier:
        layout |= _region(summary.frontier)
    lost = sum(p.state is TrialState.INFEASIBLE for p in points)
    alt = f"Map of {len(points)} points over {x.name} and {y.name}; {lost} did not train."
    edge = summary.frontier
    alt += f" The estimated edge of stability lies at {x.name} {number(edge.edge)}." if edge else ""
    return draw(traces, layout, alt)


def _ranked(summary: Summary, points: Sequence[Point], share: dict[int, float], x: Axis, y: Axis) -> list[Trace]:
    inside = [p for p in points if x.key in p.params and y.key in p.params]
    done = [p for p in inside if p.mean is not None]
    bar = colour_bar("rank", tickvals=[0, 1], ticktext=["worst", "best"])
    mark = {
        **{"color": [round(share[p.point], 3) for p in done], "cmin": 0, "cmax": 1, "colorbar": bar},
        **{"colorscale": theme.score_scale(), "line": {"color": theme.MUTED, "width": 0.6}},
        "size": 10 if len(done) < 200 else 6,
    }
    marks = {**_markers("complete", done, x, y), "marker": mark, "hovertext": [outcome(summary, p) for p in done]}
    return [marks, *_lost(summary, inside, x, y), *_ring(summary, x, y)]


def _markers(name: str, points: Sequence[Point], x: Axis, y: Axis) -> Trace:
    return {
        **{"type": "scatter", "mode": "markers", "name": name, "x": spread_out(x, points), "y": spread_out(y, points)},
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _lost(summary: Summary, points: Sequence[Point], x: Axis, y: Axis) -> list[Trace]:
    traces = []
    for name, (state, members) in states_of(points).items():
        if state is not TrialState.COMPLETE:
            colour, symbol = theme.STATES[state]
            mark = {"color": colour, "symbol": symbol, "size": 8, "line": {"color": theme.PAPER, "width": 1}}
            texts = [outcome(summary, p) for p in members]
            traces.append({**_markers(name, members, x, y), "marker": mark, "hovertext": texts})
    return traces


def _ring(summary: Summary, x: Axis, y: Axis) -> list[Trace]:
    best = summary.best
    if best is None or x.key not in best.params or y.key not in best.params:
        return []
    ring = {"color": "rgba(0,0,0,0)", "size": 17, "line": {"color": theme.RED, "width": 2.5}}
    return [{**_markers("best", [best], x, y), "marker": ring, "hoverinfo": "skip", "hovertemplate": None}]


def _plane(x: Axis, y: Axis) -> Layout:
    return {"xaxis": plane_axis(x), "yaxis": plane_axis(y)}


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


def _region(frontier: Frontier) -> Layout:
    low, high = (frontier.axis.unplace(place) for place in parameter_axis(frontier.axis)["range"])
    above = frontier.side == "above"
    beyond = (frontier.edge, high) if above else (low, frontier.edge)
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": frontier.edge, "x1": frontier.edge}
    zone = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0}}
    label = {
        **{"x": frontier.axis.place(frontier.edge), "y": 0.99, "yref": "paper", "yanchor": "top", "showarrow": False},
        **{"text": f"edge ≈ {number(frontier.edge)}", "font": {"color": theme.RED, "size": 12}},
        **{
            "xanchor": "right" if above else "left",
            "xshift": -5 if above else 5,
            "bgcolor": theme.PAPER,
            "opacity": 0.9,
        },
    }
    return {
        "shapes": [
            {**zone, "x0": beyond[0], "x1": beyond[1], "fillcolor": theme.RED_WASH},
            {**zone, "x0": frontier.low, "x1": frontier.high, "fillcolor": theme.GREY_WASH},
            {**line, "line": {"color": theme.RED, "width": 1.5, "dash": "dash"}},
        ],
        "annotations": [label],
    }


def _reversed(scale: Sequence[list[float | str]]) -> list[list[float | str]]:
    return [[1 - float(place), colour] for place, colour in reversed(scale)]
