"""Where training fails over two hyperparameters."""

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialState
from hpsearch.reports.kit.canvas import Drawn, Layout, draw, parameter_axis
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.marks import drawn, outcome, states_of
from hpsearch.reports.summary.boundary import Frontier
from hpsearch.reports.summary.figures.plane import MOST_PAIRED, marks_at, plane_axes
from hpsearch.reports.summary.importance import Importance, leading
from hpsearch.reports.summary.numbers import Findings, Summary


def figure(found: Findings) -> Drawn | None:
    """Return where training fails, of a search over several hyperparameters in which some point did."""
    summary, importance = found.summary, found.importance
    if len(leading(summary, importance)) < 2 or all(p.state is not TrialState.INFEASIBLE for p in summary.points):
        return None
    return "diverged", "Where training fails", _diverged_aid(summary), diverged_figure(summary, importance)


def diverged_figure(summary: Summary, importance: Importance | None) -> Figure:
    """Draw where training failed over two hyperparameters, with the estimated edge.

    Args:
        summary: the study's result.
        importance: which hyperparameter the edge is drawn against.

    Returns:
        The figure; the region beyond the edge is shaded where one hyperparameter tells failed points apart.
    """
    order = leading(summary, importance)
    x = summary.frontier.axis if summary.frontier else next((a for a in order if a.numeric), order[0])
    y = next(axis for axis in order if axis.key != x.key)
    points = drawn(summary, [p for p in summary.points if x.key in p.params and y.key in p.params], MOST_PAIRED)
    traces = []
    for name, (state, members) in states_of(points).items():
        colour, symbol = theme.STATES[state]
        mark = {"color": colour, "symbol": symbol, "size": 8, "opacity": 0.85}
        traces.append({**marks_at(name, members, x, y), "marker": mark})
        traces[-1]["hovertext"] = [outcome(summary, p) for p in members]
    layout: Layout = {**plane_axes(x, y), "height": 440}
    if summary.frontier:
        layout |= _region(summary.frontier)
    lost = sum(p.state is TrialState.INFEASIBLE for p in points)
    alt = f"Map of {len(points)} points over {x.name} and {y.name}; {lost} did not train."
    edge = summary.frontier
    alt += f" The estimated edge lies at {x.name} {x.write(edge.edge)}." if edge else ""
    return draw(traces, layout, alt)


def _region(frontier: Frontier) -> Layout:
    low, high = (frontier.axis.unplace(place) for place in parameter_axis(frontier.axis)["range"])
    above = frontier.side == "above"
    beyond = (frontier.edge, high) if above else (low, frontier.edge)
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": frontier.edge, "x1": frontier.edge}
    zone = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0}}
    label = {
        **{"x": frontier.axis.place(frontier.edge), "y": 0.99, "yref": "paper", "yanchor": "top", "showarrow": False},
        **{"text": f"edge ≈ {frontier.axis.write(frontier.edge)}", "font": {"color": theme.RED, "size": 12}},
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


def _diverged_aid(summary: Summary) -> str:
    edge = summary.frontier
    if edge is None:
        return "Crosses did not train. No single hyperparameter tells them from those that did."
    zone = f"between {edge.axis.write(edge.low)} and {edge.axis.write(edge.high)} (grey)"
    if edge.accuracy == 1:
        where = f"halfway between those that did and those that did not; {zone} there are none"
    else:
        where = f"where it tells most of them from those that did, {100 * edge.accuracy:.0f} %; {zone} are both kinds"
    return f"Crosses did not train. The dashed line divides {edge.axis.name} {where}."
