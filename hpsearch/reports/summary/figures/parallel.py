"""Parallel coordinates: one line per point through its hyperparameters and results, coloured by score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import hpsearch.reports.kit.theme as theme
from hpsearch.base.columns import metric_column
from hpsearch.base.labels import labels
from hpsearch.base.types import TrialTable
from hpsearch.base.words import score
from hpsearch.reports.kit.canvas import (
    Drawn,
    Layout,
    Trace,
    axis_style,
    draw,
    escape,
    parameter_ticks,
    positive_span,
    round_ticks,
    written_ticks,
)
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.losses import several_losses
from hpsearch.reports.kit.marks import drawn, hover, ranks, shown_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis, floats
from hpsearch.reports.summary.importance import strongest
from hpsearch.reports.summary.numbers import Findings, Summary

MOST_LINES = 1000
_BINS = 16
_MANY, _TOP = 150, 20  # beyond so many lines all but the best fade
_GAP = -0.13  # where a line passes an axis it has no value on


@dataclass(frozen=True, slots=True)
class _Column:
    """One vertical axis: a place between 0 and 1 for every point (NaN: none), and its ticks."""

    title: str
    places: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]


def figure(found: Findings) -> Drawn:
    """Return hyperparameters and results side by side."""
    summary = found.summary
    aid = "One line per point, the stronger its colour the better it ranks; dotted red lines diverged."
    aid += shown_of(MOST_LINES, sum(p.mean is not None or p.diverged > 0 for p in summary.points), "points")
    return "parallel", "Hyperparameters and results side by side", aid, parallel_figure(found.table, summary)


def parallel_figure(table: TrialTable, summary: Summary) -> Figure:
    """Draw one line per point; points without a score are grey and end in the gap below the last axis.

    Args:
        table: the study.
        summary: its result.

    Returns:
        The figure, with at most 8 hyperparameters: those with the strongest rank correlation with the score.
    """
    points = drawn(summary, [p for p in summary.points if p.mean is not None or p.diverged], MOST_LINES)
    columns = [_parameter(axis, points) for axis in strongest(summary)]
    columns += [_result(name, _means(table, name, points)) for name in _results(table, summary)]
    columns.append(_result(summary.objective.metric, [p.mean for p in points]))
    traces = _lines(summary, points, columns)
    titles = list(map(escape, labels([c.title for c in columns], 20)))
    x = axis_style(
        "", range=[-0.18, len(columns) - 0.72], tickvals=list(range(len(columns))), ticktext=titles, side="top"
    )
    x |= {"tickangle": 0, "tickfont": {"color": theme.INK}, "fixedrange": True}
    x |= {"showgrid": False, "showline": False, "ticks": ""}
    y: Layout = {"visible": False, "range": [_GAP - 0.06, 1.06], "fixedrange": True}
    layout = {"xaxis": x, "yaxis": y, "shapes": _rules(columns), "annotations": _ticks(columns), "showlegend": False}
    alt = f"Parallel coordinates of {len(points)} points over {', '.join(c.title for c in columns)}."
    return draw(traces, {**layout, "margin": {"l": 24, "r": 56, "t": 44, "b": 16}}, alt, min_width=120 * len(columns))


def _results(table: TrialTable, summary: Summary) -> list[str]:
    """Return the other results to show, fewer beside many hyperparameters."""
    losses = () if several_losses(table) else ("train/loss", "valid/loss")
    wanted = (*losses, "valid/acc", "duration_sec")
    room = max(0, 5 - len(summary.axes))
    known = (c for c in wanted if c in table.trials and c != metric_column(summary.objective.metric))
    return [c for c in known if table.trials[c].notna().any()][:room]


def _means(table: TrialTable, name: str, points: Sequence[Point]) -> list[float | None]:
    means = table.trials.assign(**{name: floats(table.trials[name])}).groupby("point")[name].mean().to_dict()
    return [means.get(p.point) for p in points]


def _parameter(axis: Axis, points: Sequence[Point]) -> _Column:
    ends = axis.place(axis.values[0]), axis.place(axis.values[-1])
    places = tuple(_share(axis.place_in(p.params), *ends) for p in points)
    ticks = ((_share(math.log10(v) if axis.scale == "log" else v, *ends), text) for v, text in parameter_ticks(axis))
    return _Column(axis.name, places, tuple((place, escape(text)) for place, text in ticks))


def _result(name: str, values: Sequence[float | None]) -> _Column:
    finite = [v for v in values if v is not None and math.isfinite(v)]
    if not finite:
        return _Column(name, tuple(math.nan for _ in values), ())
    log = "loss" in name and positive_span(finite) > 20
    ends = (math.log10(min(finite)), math.log10(max(finite))) if log else (min(finite), max(finite))
    ticks = round_ticks(log, min(finite), max(finite))
    title = "seconds" if name == "duration_sec" else name
    return _Column(
        title,
        tuple(_share(_scaled(v, log), *ends) for v in values),
        tuple((_share(_scaled(t, log), *ends), text) for t, text in written_ticks(ticks)),
    )


def _scaled(value: float | None, log: bool) -> float:
    if value is None or not math.isfinite(value):
        return math.nan
    return math.log10(value) if log else value


def _share(place: float, low: float, high: float) -> float:
    return (place - low) / (high - low) if high > low else 0.5 + 0 * place


def _lines(summary: Summary, points: Sequence[Point], columns: Sequence[_Column]) -> list[Trace]:
    """Return one trace per bin of the score, the best drawn last, each with gaps between its lines."""
    shares = ranks(summary, points)
    top = 1 - _TOP / max(len(points), 1)
    bins: dict[int, list[int]] = {}
    for i, share in enumerate(shares):
        lost, best = math.isnan(share), len(points) > _MANY and share >= top
        bins.setdefault(-1 if lost else _BINS if best else min(int(share * _BINS), _BINS - 1), []).append(i)
    return [_bin(summary, points, columns, bins[b], b) for b in sorted(bins)]


def _bin(
    summary: Summary, points: Sequence[Point], columns: Sequence[_Column], members: Sequence[int], share: int
) -> Trace:
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for i in members:
        x += [*range(len(columns)), None]
        y += [*(_GAP if math.isnan(c.places[i]) else round(c.places[i], 4) for c in columns), None]
        text += [_hover(summary, points[i])] * (len(columns) + 1)
    lost = share < 0
    line = {
        "color": theme.RED if lost else theme.score_colour((share + 1) / _BINS),
        "width": 1.2 + 1.6 * max(share, 0) / _BINS,
    }
    return {
        **{"type": "scatter", "mode": "lines", "x": x, "y": y, "line": {**line, "dash": "dot" if lost else "solid"}},
        "opacity": 0.9 if len(points) <= _MANY or share == _BINS else max(0.07, 40 / len(points)),
        "hovertext": text,
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _hover(summary: Summary, p: Point) -> str:
    result = "diverged" if p.mean is None else f"{escape(summary.objective.metric)} {score(p.mean, p.sd)}"
    return hover(summary, p, result)


def _rules(columns: Sequence[_Column]) -> list[Layout]:
    rule: Layout = {"type": "line", "y0": 0, "y1": 1, "layer": "below", "line": {"color": theme.RULE, "width": 1.5}}
    return [{**rule, "x0": i, "x1": i} for i in range(len(columns))]


def _ticks(columns: Sequence[_Column]) -> list[Layout]:
    style: Layout = {"showarrow": False, "xanchor": "left", "xshift": 5, "font": {"size": 11, "color": theme.MUTED}}
    style |= {"bgcolor": theme.PAPER, "opacity": 0.85, "borderpad": 1}
    marks = [
        {**style, "x": i, "y": y, "text": text} for i, c in enumerate(columns) for y, text in c.ticks if 0 <= y <= 1
    ]
    gaps = [i for i, c in enumerate(columns) if any(math.isnan(place) for place in c.places)]
    return marks + [{**style, "x": i, "y": _GAP, "text": "none"} for i in gaps]
