"""What regressions of one input have fitted: the points, and a curve for each setting."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import hpsearch.reports.kit.theme as theme
from hpsearch.base import words
from hpsearch.base.intake import json_value
from hpsearch.base.media import FIGURE, FIT, FIT_CURVE, FIT_TRAIN, FIT_VALID
from hpsearch.base.types import TrialId
from hpsearch.reports.kit.canvas import Drawn, Trace, axis_style, draw, escape
from hpsearch.reports.kit.points import Point
from hpsearch.reports.summary.numbers import Findings

MOST = 6
"""Curves drawn: of the best point, the worst and others evenly between them."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARGIN = 0.15
"""Room above and below the points, as a share of their height; a curve may leave it."""


def figure(found: Findings) -> Drawn | None:
    """Return the fits of a study's points, of the first trial of each.

    Returns:
        None where no trial logged what it fitted.
    """
    sign = -1 if found.summary.objective.maximize else 1
    ranked = sorted(found.summary.eligible, key=lambda point: (sign * (point.mean or 0.0), point.point))
    fitted = [point for point in ranked if point.replicates and _has_fit(found, _trial(point))]
    fits = [(point, fit) for point in _spread(fitted) if (fit := _fit(found, _trial(point))) is not None]
    if not fits:
        return None
    first = fits[0][1]
    traces: list[Trace] = []
    for name, symbol, colour in ((FIT_TRAIN, "circle", theme.INK), (FIT_VALID, "x", theme.MUTED)):
        x, y = first[name]
        mark = {"color": colour, "symbol": symbol, "size": 7}
        hover = f"{name}<br>%{{x:.3g}}, %{{y:.3g}}<extra></extra>"
        traces.append({
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": x,
            "y": y,
            "marker": mark,
            "hovertemplate": hover,
        })
    for place, (point, fit) in enumerate(fits):
        x, y = fit[FIT_CURVE]
        line = {"color": theme.CATEGORIES[place], "dash": DASHES[place], "width": 2}
        name = f"{words.settings(point.params) or 'fit'}: {words.score(point.mean, point.sd)}"
        traces.append({"type": "scatter", "mode": "lines", "name": escape(name), "x": x, "y": y, "line": line})
    heights = [*first[FIT_TRAIN][1], *first[FIT_VALID][1]]
    room = MARGIN * (max(heights) - min(heights) or 1.0)
    axes = {
        "xaxis": axis_style("input, as scaled"),
        "yaxis": axis_style("target", range=[min(heights) - room, max(heights) + room]),
    }
    alt = f"Training and validation points, and the curves of {words.count(len(fits), 'setting')}."
    others = (
        ""
        if len(fits) == len(fitted)
        else f" {len(fits)} of {len(fitted)} are drawn, the best and the worst among them."
    )
    aid = f"Each curve is what the first trial of a setting had fitted at its end, the best setting first.{others}"
    return "fit", "What was fitted", aid, draw(traces, {**axes, "height": 480}, alt)


def _trial(point: Point) -> TrialId:
    return TrialId(point.point, *point.replicates[0])


def _has_fit(found: Findings, trial: TrialId) -> bool:
    media = found.table.media.get(trial, {})
    return any(medium.name == FIT and medium.kind == FIGURE for medium in media)


def _spread(points: Sequence[Point]) -> list[Point]:
    """Return some points evenly over their ranking, its ends among them."""
    if len(points) <= MOST:
        return list(points)
    return [points[round(place * (len(points) - 1) / (MOST - 1))] for place in range(MOST)]


def _fit(found: Findings, trial: TrialId) -> Mapping[str, tuple[list[float], list[float]]] | None:
    """Return what a trial logged last, by name; None for what is no such figure."""
    media = found.table.media[trial]
    last = max((each for each in media if each.name == FIT and each.kind == FIGURE), key=lambda each: each.epoch)
    try:
        read = json_value(media[last].decode("utf-8", errors="replace"))
        traces = {str(trace["name"]): (_numbers(trace["x"]), _numbers(trace["y"])) for trace in read["data"]}
    except (ValueError, TypeError, KeyError):
        return None
    names = (FIT_TRAIN, FIT_VALID, FIT_CURVE)
    whole = all(name in traces and len(traces[name][0]) == len(traces[name][1]) > 0 for name in names)
    return traces if whole else None


def _numbers(values: Sequence[Any]) -> list[float]:
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("not finite")
    return numbers
