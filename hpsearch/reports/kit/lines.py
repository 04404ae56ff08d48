"""Curves as lines: broken where values were lost, with a mark there; means over trials with a band around them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import hpsearch.reports.kit.theme as theme
from hpsearch.base.words import epoch_text
from hpsearch.reports.kit.canvas import MARKS, Layout, Trace, axis_style, escape, positive_span
from hpsearch.reports.kit.curves import Array, Curve, mean_curve
from hpsearch.reports.kit.lost import Lost, lost_stretches

VALUE = "%{y:.6g}"
"""How a hover text writes a measured value."""
LOST = "not measured"
_LOST_MARK: Layout = {"symbol": "x-thin-open", "size": 8, "color": theme.MUTED, "line": {"width": 1.5}}


class Spot(NamedTuple):
    """Where a mark for a lost stretch stands, and what it says."""

    x: float
    y: float
    text: str


def breaks(places: NDArray[np.intp], cuts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return before which of some kept places a line is broken.

    Args:
        places: of the values that are drawn, ascending.
        cuts: places of values behind which others are lost.
    """
    return np.flatnonzero(np.diff(np.searchsorted(cuts, places))) + 1


def lone(values: Array) -> NDArray[np.bool_]:
    """Return which values of a line with nan for breaks have no neighbour, so that no line shows them."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    return np.asarray(known[1:-1] & ~known[:-2] & ~known[2:])


def lost_spots(curve: Curve, who: str, along: str = "epoch") -> list[Spot]:
    """Return the marks of what a curve has lost: in the middle of each stretch, at its end where it has only one.

    Args:
        curve: drawn as it is.
        who: whose it is, escaped.
        along: what x counts.
    """
    spots = []
    for stretch in curve.lost:
        ends = [curve.y[np.searchsorted(curve.x, at)] for at in (stretch.low, stretch.high) if at in curve.x]
        spots.append(_spot(stretch, ends, (float(curve.x[0]), float(curve.x[-1])), who, along))
    return spots


def _spot(stretch: Lost, ends: Sequence[float], inside: tuple[float, float], who: str, along: str) -> Spot:
    low, high = epoch_text(stretch.low), epoch_text(stretch.high)
    where = f"between {along} {low} and {high}"
    if stretch.low < inside[0]:
        where = f"before {along} {high}"
    elif stretch.high > inside[1]:
        where = f"after {along} {low}"
    return Spot((stretch.low + stretch.high) / 2, float(np.mean(ends)), f"{LOST} {where}<br>{who}")


def parted(x: Sequence[float], y: Sequence[float], who: str, along: str = "epoch") -> tuple[Layout, list[Spot]]:
    """Return a line's ``x`` and ``y`` with nan where it is broken, and the marks of what was lost there.

    Args:
        x: where its values were measured, ascending; what lies between is lost where they are usually closer.
        y: the values.
        who: whose they are, escaped.
        along: what x counts.
    """
    places, values = (np.asarray(each, dtype=np.float64) for each in (x, y))
    curve = Curve(0, 0, 0, places, values, lost_stretches(places, np.isfinite(places)))
    at = curve.cuts + 1
    line = {axis: np.insert(each, at, np.nan).tolist() for axis, each in (("x", places), ("y", values))}
    return line, lost_spots(curve, who, along)


def lost_trace(spots: Sequence[Spot]) -> list[Trace]:
    """Return the trace with the marks of lost stretches; none where there are none."""
    if not spots:
        return []
    x, y, texts = (list(column) for column in zip(*spots, strict=True))
    return [{**MARKS, "name": LOST, "x": x, "y": y, "hovertext": texts, "marker": _LOST_MARK, "legendrank": 2000}]


def lone_trace(x: Array, y: Array, line: Trace, **changes: Any) -> list[Trace]:
    """Return the trace with the dots of values that a broken line does not show; none where there are none.

    Args:
        x: of the line.
        y: of the line, with nan for breaks.
        line: the trace of the line.
        changes: of the trace.
    """
    alone = lone(y)
    if not alone.any():
        return []
    marker = {"color": line["line"]["color"], "symbol": "circle", "size": 5}
    dots = {**line, "mode": "markers", "showlegend": False, "x": x[alone], "y": y[alone], "marker": marker}
    return [
        {**dots, **({"customdata": np.asarray(line["customdata"])[alone]} if "customdata" in line else {}), **changes}
    ]


@dataclass(frozen=True, slots=True)
class MeanTraces:
    """The mean of curves as traces that share a legend group.

    Attributes:
        band: one sample sd around the mean, of two or more curves.
        line: the mean, broken where a trial lost values.
        dots: values that the line does not show.
        spots: where marks of lost stretches stand.
    """

    band: tuple[Trace, ...]
    line: Trace
    dots: tuple[Trace, ...]
    spots: tuple[Spot, ...]


def mean_traces(
    curves: Sequence[Curve], name: str, colour: str, wash: str, dash: str = "solid", along: str = "epoch"
) -> MeanTraces:
    """Draw the mean of curves and, of two or more, a band of one sample sd around it.

    Args:
        curves: one metric of trials that belong together.
        name: of the group.
        colour: of the line.
        wash: of the band.
        dash: of the line.
        along: what x counts.

    Returns:
        Each place is over the trials that got that far; where one of these lost its value nothing is drawn.
    """
    found = mean_curve(curves)
    label = escape(name)
    line = {
        **{"type": "scatter", "mode": "lines", "x": found.x.tolist(), "y": found.mean.tolist()},
        **{"name": label, "legendgroup": name, "customdata": found.n.tolist()},
        "line": {"color": colour, "dash": dash, "width": 2.2},
        "hovertemplate": f"<b>{label}</b><br>{VALUE} at %{{x}}, mean of %{{customdata}}<extra></extra>",
    }
    bands = [
        trace
        for part in np.split(np.arange(len(found.x)), np.flatnonzero(np.isnan(found.mean)))
        if len(kept := part[np.isfinite(found.mean[part])]) and len(curves) > 1
        for trace in band(found.x[kept], (found.mean - found.sd)[kept], (found.mean + found.sd)[kept], wash, name)
    ]
    dots = lone_trace(found.x, found.mean, line, hoverinfo="skip", hovertemplate=None)
    return MeanTraces(tuple(bands), line, tuple(dots), tuple(_mean_spots(curves, found.x, found.mean, label, along)))


def _mean_spots(curves: Sequence[Curve], x: Array, mean: Array, label: str, along: str) -> list[Spot]:
    """Return one mark for each stretch in which some curves have lost values, however many they are."""
    known = np.isfinite(mean)
    if not known.any():
        return []
    first, last = float(x[known][0]), float(x[known][-1])
    spots = []
    for low, high in _joined([(stretch.low, stretch.high) for curve in curves for stretch in curve.lost]):
        ends = [float(mean[known & side][at]) for side, at in ((x <= low, -1), (x >= high, 0)) if (known & side).any()]
        many = sum(any(s.low < high and low < s.high for s in curve.lost) for curve in curves)
        who = label if len(curves) == 1 else f"{label}, {many} of {len(curves)} trials"
        spots.append(_spot(Lost(low, high), ends, (first, last), who, along))
    return spots


def _joined(stretches: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return stretches with those that overlap as one."""
    joined: list[tuple[float, float]] = []
    for low, high in sorted(stretches):
        if joined and low < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def band(x: Any, low: Any, high: Any, wash: str, group: str, name: str | None = None) -> list[Trace]:
    """Return the area between two lines.

    Args:
        x: of both.
        low: the lower one.
        high: the upper one.
        wash: colour of the area.
        group: what a legend shows and hides it with.
        name: in the legend; None: it is not in it.

    Returns:
        Both lines, unseen, the second filled down to the first.
    """
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": group}
    told = {"showlegend": False} if name is None else {"name": name}
    return [
        {**edge, "y": low, "showlegend": False},
        {**edge, "y": high, "fill": "tonexty", "fillcolor": wash, **told},
    ]


def curve_axes(metric: str, traces: Sequence[Trace], along: str = "epoch") -> Layout:
    """Return the axes of learning curves: logarithmic where the lines span more than a factor of 50."""
    values = [float(value) for trace in traces if "name" in trace for value in trace["y"]]
    kind = "log" if positive_span([value for value in values if math.isfinite(value)]) > 50 else "linear"
    y = axis_style(metric, type=kind, exponentformat="power")
    return {"xaxis": axis_style(along, rangemode="tozero"), "yaxis": y}
