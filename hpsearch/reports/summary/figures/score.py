"""The score against a hyperparameter: every seed, the mean, the spread, the values that train, the edge."""

import math
from collections.abc import Sequence
from typing import Any

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialState
from hpsearch.base.words import score
from hpsearch.reports.kit.canvas import (
    MARKS,
    Drawn,
    Layout,
    Trace,
    coordinate,
    draw,
    escape,
    lost_strip,
    menu,
    parameter_axis,
    parameter_ticks,
    switched,
)
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.lines import band
from hpsearch.reports.kit.marks import MANY_POINTS, MOST_POINTS, drawn, hover, score_axis, shown_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.numbers import Findings, Summary
from hpsearch.reports.summary.rates import Rates
from hpsearch.reports.summary.training import edge_text


def figure(found: Findings) -> Drawn:
    """Return the score against each hyperparameter, the main one first."""
    summary = found.summary
    aid = _score_aid(summary) + shown_of(MOST_POINTS, len(summary.points), "points")
    name = summary.main.name if summary.main else "point"
    return "score", f"{summary.objective.metric} against {name}", aid, score_figure(summary)


def score_figure(summary: Summary) -> Figure:
    """Draw the score against the main hyperparameter; with several, a menu chooses which one.

    Args:
        summary: the study's result.

    Returns:
        The figure; without a searched hyperparameter the scores stand over the points' numbers.
    """
    axes = [*([summary.main] if summary.main else []), *(a for a in summary.axes if a is not summary.main)]
    views = [(escape(axis.name), *_view(summary, axis)) for axis in axes or [_numbers(summary)]]
    traces, layout = switched("Against", views)
    menus = [*layout["updatemenus"], *_zoom(summary)]
    return draw(traces, {**_frame(summary), **layout, "updatemenus": menus}, _alt(summary))


def _numbers(summary: Summary) -> Axis:
    return Axis("point", "point", "category", tuple(p.point for p in summary.points))


def _view(summary: Summary, axis: Axis) -> tuple[list[Trace], Layout]:
    shown = drawn(summary, [p for p in summary.points if axis.key in p.params or axis.key == "point"])
    place = {p.point: coordinate(axis, p.params.get(axis.key, p.point)) for p in shown}
    line = len(summary.axes) <= 1 and axis.numeric
    traces = [*_means(summary, shown, place, line), *_partial(summary, shown, place), *_lost(summary, shown, place)]
    layout: Layout = {"xaxis": {**parameter_axis(axis), "anchor": "y2" if _any_lost(summary) else "y"}}
    marks = _marks(summary.rates) if summary.rates and summary.rates.axis is axis else ([], [])
    best = [_best_label(summary, axis)] if summary.best and summary.best.point in place else []
    return traces, {**layout, "shapes": marks[0], "annotations": [*marks[1], *best]}


def _frame(summary: Summary) -> Layout:
    axes = dict(lost_strip(_any_lost(summary)))
    scores = [s for p in summary.points for s in p.scores]
    axes["yaxis"] = score_axis(summary, scores, **axes["yaxis"])
    if axes["yaxis"]["type"] == "linear" and len(scores) > 1:
        axes["yaxis"]["range"] = _roomy(scores)
    return axes


def _roomy(scores: Sequence[float]) -> list[float]:
    """Return a range around scores with room above for the labels of the regions."""
    low, high = min(scores), max(scores)
    size = high - low or 0.02
    return [low - 0.07 * size, high + 0.17 * size]


def _means(summary: Summary, points: Sequence[Point], place: dict[int, float], line: bool) -> list[Trace]:
    done = sorted((p for p in points if p.mean is not None), key=lambda p: place[p.point])
    x, mean = [place[p.point] for p in done], [p.mean for p in done]
    traces: list[Trace] = []
    if line and any(p.sd is not None for p in done):
        traces += _band(done, x)
    if len(summary.points) <= MANY_POINTS and any(p.trials > 1 for p in points):
        traces.append(_seeds(summary, points, place))
    spread = {"type": "data", "array": [p.sd or 0 for p in done], "thickness": 1.2, "width": 3, "visible": not line}
    traces.append({
        **MARKS,
        "name": "mean over seeds" if any(p.n > 1 for p in done) else "one seed per point",
        "mode": "lines+markers" if line else "markers",
        "x": x,
        "y": mean,
        "error_y": spread,
        "line": {"color": theme.BLUE, "width": 2},
        "marker": {"color": theme.BLUE, "size": 8 if len(done) < 200 else 5, "opacity": 1 if line else 0.75},
        "hovertext": [_hover(summary, p) for p in done],
    })
    return traces + _ring(summary, place)


def _band(done: Sequence[Point], x: Sequence[float]) -> list[Trace]:
    low = [p.mean - (p.sd or 0.0) for p in done if p.mean is not None]
    high = [p.mean + (p.sd or 0.0) for p in done if p.mean is not None]
    return band(list(x), low, high, theme.BLUE_WASH, "sd", "± 1 sd")


def _seeds(summary: Summary, points: Sequence[Point], place: dict[int, float]) -> Trace:
    rows = [(place[p.point], s, who, p) for p in points for who, s in zip(p.replicates, p.scores, strict=True)]
    return {
        **MARKS,
        "name": "each seed",
        "x": [row[0] for row in rows],
        "y": [row[1] for row in rows],
        "hovertext": [hover(summary, p, f"{score(s)} with seed {who[0]}") for _, s, who, p in rows],
        "marker": {"color": theme.BLUE, "size": 6, "opacity": 0.45, "line": {"width": 0}},
    }


def _ring(summary: Summary, place: dict[int, float]) -> list[Trace]:
    best = summary.best
    if best is None or best.point not in place:
        return []
    ring = {"color": "rgba(0,0,0,0)", "size": 16, "line": {"color": theme.INK, "width": 2}}
    place_of_best = {"x": [place[best.point]], "y": [best.mean], "hoverinfo": "skip"}
    return [{"type": "scatter", "mode": "markers", "showlegend": False, "marker": ring, **place_of_best}]


def _partial(summary: Summary, points: Sequence[Point], place: dict[int, float]) -> list[Trace]:
    stopped = [p for p in points if p.mean is None and p.partial is not None]
    if not stopped:
        return []
    colour, symbol = theme.STATES[TrialState.PRUNED]
    return [
        {
            **MARKS,
            "name": "stopped early",
            "x": [place[p.point] for p in stopped],
            "y": [p.partial for p in stopped],
            "hovertext": [_hover(summary, p) for p in stopped],
            "marker": {"color": colour, "symbol": symbol, "size": 8, "opacity": 0.8},
        }
    ]


def _lost(summary: Summary, points: Sequence[Point], place: dict[int, float]) -> list[Trace]:
    traces = []
    parted = [p for p in points if p.parted and p.state is TrialState.COMPLETE]
    kinds = [
        ("diverged", TrialState.INFEASIBLE, [p for p in points if p.state is TrialState.INFEASIBLE]),
        ("some at chance", TrialState.INFEASIBLE, parted),
        ("failed", TrialState.FAILED, [p for p in points if p.state is TrialState.FAILED]),
    ]
    for name, state, lost in kinds:
        colour, symbol = theme.STATES[state]
        if lost:
            traces.append({
                **MARKS,
                "name": name,
                "yaxis": "y2",
                "x": [place[p.point] for p in lost],
                "y": [0] * len(lost),
                "hovertext": [_lost_hover(summary, p) for p in lost],
                "marker": {"color": colour, "symbol": symbol, "size": 9},
            })
    return traces


def _any_lost(summary: Summary) -> bool:
    return any(p.parted or p.state in (TrialState.INFEASIBLE, TrialState.FAILED) for p in summary.points)


def _marks(rates: Rates) -> tuple[list[Layout], list[Layout]]:
    """Return the shapes and annotations of the values that train, those that are too slow, and the edge."""
    axis, shapes, texts = rates.axis, [], []
    low, high = parameter_axis(axis)["range"]
    if rates.trains is not None:
        inside = rates.trains
        shapes.append(_region(inside.low, inside.high, theme.GREEN_WASH))
        middle = (axis.place(inside.low) + axis.place(inside.high)) / 2
        text = f"trains {axis.write(inside.low)} to {axis.write(inside.high)}" if inside.low < inside.high else "trains"
        texts.append(_label(middle, text, theme.GREEN))
    if rates.slow is not None:
        texts.append({**_label(low, "too slow", theme.MUTED), "xanchor": "left", "xshift": 4})
    for edge in rates.edges:
        place, anchor = (high, "right") if edge.side == "above" else (low, "left")
        ends = sorted((edge.estimate, axis.unplace(place)))
        shapes += [_region(ends[0], ends[1], theme.RED_WASH), _line(edge.estimate)]
        label = _label(place, f"fails<br>edge ≈ {axis.write(edge.estimate)}", theme.RED)
        texts.append({**label, "xanchor": anchor, "align": anchor, "xshift": -4 if anchor == "right" else 4})
    return shapes, texts


def _region(low: float, high: float, colour: str) -> Layout:
    where = {"x0": low, "x1": high, "y0": 0, "y1": 1, "yref": "paper"}
    return {"type": "rect", "layer": "below", "fillcolor": colour, "line": {"width": 0}, **where}


def _line(x: float) -> Layout:
    style = {"color": theme.RED, "width": 1.5, "dash": "dash"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": style}


def _label(x: float, text: str, colour: str) -> Layout:
    where = {"x": x, "y": 0.99, "yref": "paper", "yanchor": "top", "xanchor": "center", "showarrow": False}
    return {"text": text, "font": {"color": colour, "size": 12}, **where}


def _best_label(summary: Summary, axis: Axis) -> Layout:
    best = summary.best
    assert best is not None
    log = dict(_frame(summary)["yaxis"])["type"] == "log"
    y = math.log10(best.mean or 1.0) if log else best.mean
    value = best.params.get(axis.key, best.point)
    ticks = dict(parameter_ticks(axis)) if not axis.numeric else {}
    text = f"best {escape(ticks.get(axis.place(value)) or axis.write(value))}"
    return {
        **{"x": axis.place(value), "y": y, "text": text, "ay": 34 if summary.objective.maximize else -34, "ax": 0},
        **{"arrowcolor": theme.INK, "arrowwidth": 1, "arrowhead": 0, "standoff": 9, "showarrow": True},
        **{"font": {"size": 13, "color": theme.INK}, "bgcolor": theme.PAPER, "borderpad": 2, "opacity": 0.95},
    }


def _zoom(summary: Summary) -> list[Layout]:
    """Return the menu that shows all scores or the best ones: a plateau is flat beside a rate that does not train."""
    whole, best = dict(_frame(summary)["yaxis"]).get("range"), summary.best
    if whole is None or best is None:
        return []
    ranked = sorted(summary.eligible, key=lambda p: abs((p.mean or 0.0) - (best.mean or 0.0)))
    near = _roomy([s for p in ranked[: max(3, len(ranked) // 2)] for s in p.scores])
    if near[1] - near[0] > 0.6 * (whole[1] - whole[0]):
        return []
    entries: list[tuple[str, list[Any]]] = [
        ("all", [{}, {"yaxis.range": whole}]),
        ("near the best", [{}, {"yaxis.range": near}]),
    ]
    return [menu("Scores", "buttons", entries)]


def _hover(summary: Summary, p: Point) -> str:
    if p.mean is None:
        return hover(summary, p, f"stopped at {score(p.partial)}")
    return hover(summary, p, f"{escape(summary.objective.metric)} {score(p.mean, p.sd)} (n = {p.n})")


def _lost_hover(summary: Summary, p: Point) -> str:
    told = {"diverged": p.diverged, "at chance": p.dead}
    lost = [f"{k} of {p.trials} trials {how}" for how, k in told.items() if k]
    return hover(summary, p, ", ".join(lost) or p.state.lower())


def _alt(summary: Summary) -> str:
    name = summary.main.name if summary.main else "point"
    text = f"Scatter and line chart of {summary.objective.metric} against {name} for {len(summary.points)} points."
    if (best := summary.quoted) is not None:
        over = f" over {len(summary.fresh.seeds)} fresh seeds" if summary.fresh and summary.fresh.points else ""
        text += f" The best score{over} is {score(best.mean, best.sd)}."
    for edge in summary.rates.edges if summary.rates else ():
        text += f" Half of the seeds fail {edge_text(edge)}."
    return text


def _score_aid(summary: Summary) -> str:
    several = summary.replicates > 1
    text = "Each dot is one seed; the line is their mean, the band one sd." if several else "Each dot is one point."
    if several and len(summary.axes) > 1:
        text = "Each large dot is the mean of a point, its bar one sd; small dots are single seeds."
    if summary.rates is not None and summary.rates.trains is not None:
        text += " Green: every trial trains, its training loss falling by half or more of the largest fall here."
    if summary.rates is not None and summary.rates.edges:
        text += " Red: trials fail, that is, diverge or stay at chance; half of them at the dashed edge."
    return text
