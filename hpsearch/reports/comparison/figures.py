"""Two studies in one figure: their best points seed by seed, their scores along a hyperparameter, their curves."""

from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.base.types import TrialTable
from hpsearch.base.words import score, settings
from hpsearch.reports.kit.canvas import (
    MARKS,
    Trace,
    axis_style,
    coordinate,
    draw,
    escape,
    parameter_axis,
    switched,
)
from hpsearch.reports.kit.curves import STEP_LOSSES, curves_of, metrics_of
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.lanes import lane_traces
from hpsearch.reports.kit.lines import Spot, curve_axes, lost_trace, mean_traces
from hpsearch.reports.kit.marks import hover, score_axis
from hpsearch.reports.kit.points import Results
from hpsearch.reports.kit.space import Axis

STYLES = ((theme.BLUE, theme.BLUE_WASH, "solid", "circle"), (theme.RED, theme.RED_WASH, "dash", "square"))
"""Colour, its wash, dash and symbol of each study: none is told by colour alone."""
_METRICS = 8


def best_figure(studies: Sequence[Results]) -> Figure:
    """Draw each study's best point: every seed, the mean and its interval.

    Args:
        studies: of two studies with the same objective, by the names that tell them apart.

    Returns:
        The figure, a lane per study.
    """
    traces: list[Trace] = []
    for lane, (study, (colour, _, _, symbol)) in enumerate(zip(studies, STYLES, strict=True)):
        if study.quoted is not None:
            best, mean = study.quoted, study.quoted.mean or 0.0
            hover_text = f"<b>{escape(study.name)}</b><br>{score(mean, best.sd)}<br>{escape(settings(best.params))}"
            traces += lane_traces(
                lane, best.scores, best.replicates, mean, best.interval, hover_text, colour, (symbol, symbol), size=13
            )
    y = axis_style(
        "",
        tickvals=[0, 1],
        ticktext=[escape(study.name) for study in studies],
        range=[1.6, -0.6],
        tickfont={"color": theme.INK},
    )
    layout = {"xaxis": axis_style(studies[0].objective.metric), "yaxis": y, "height": 280}
    told = "; ".join(f"{s.name} {score(s.best.mean, s.best.sd)}" for s in studies if s.best is not None)
    return draw(traces, layout, f"Dot plot of the best point of each study, seed by seed: {told}.")


def overlay_figure(studies: Sequence[Results], axis: Axis) -> Figure:
    """Draw the scores of both studies along a hyperparameter that both searched.

    Args:
        studies: of two studies with the same objective, by the names that tell them apart.
        axis: the hyperparameter, with the values of both.

    Returns:
        The figure: means over seeds with bars of one sd.
    """
    traces: list[Trace] = []
    for study, (colour, _, dash, symbol) in zip(studies, STYLES, strict=True):
        done = [p for p in study.points if p.mean is not None and axis.key in p.params]
        done.sort(key=lambda p: coordinate(axis, p.params[axis.key]))
        line = len(study.axes) == 1 and axis.numeric
        traces.append({
            **MARKS,
            "name": escape(study.name),
            "mode": "lines+markers" if line else "markers",
            "x": [coordinate(axis, p.params[axis.key]) for p in done],
            "y": [p.mean for p in done],
            "error_y": {"type": "data", "array": [p.sd or 0.0 for p in done], "thickness": 1.2, "width": 3},
            "line": {"color": colour, "dash": dash, "width": 2},
            "marker": {"color": colour, "symbol": symbol, "size": 8},
            "hovertext": [hover(study, p, f"{escape(study.name)} {score(p.mean, p.sd)}") for p in done],
        })
    scores = [s for study in studies for p in study.points for s in p.scores]
    layout = {"xaxis": parameter_axis(axis), "yaxis": score_axis(studies[0], scores)}
    told = " and ".join(study.name for study in studies)
    return draw(traces, layout, f"{studies[0].objective.metric} against {axis.name} of {told}.")


def best_curves_figure(tables: Sequence[TrialTable], studies: Sequence[Results]) -> Figure | None:
    """Draw the learning curves of both best points, the mean over seeds with a band of one sd.

    Args:
        tables: of the two studies.
        studies: their results, by the names that tell them apart.

    Returns:
        The figure with a menu for the metric; None where they share none.
    """
    first, second = (metrics_of(t, s.objective) for t, s in zip(tables, studies, strict=True))
    metrics = [m for m in first if m in second and m not in STEP_LOSSES][:_METRICS]
    if not metrics:
        return None
    by_metric = [(metric, _metric_traces(metric, tables, studies)) for metric in metrics]
    views = [(escape(metric), traces, curve_axes(metric, traces)) for metric, traces in by_metric]
    traces, layout = switched("Metric", views)
    told = " and ".join(study.name for study in studies)
    return draw(traces, layout, f"Line chart of {metrics[0]} over epochs of the best points of {told}.")


def _metric_traces(metric: str, tables: Sequence[TrialTable], studies: Sequence[Results]) -> list[Trace]:
    traces: list[Trace] = []
    spots: list[Spot] = []
    for table, study, style in zip(tables, studies, STYLES, strict=True):
        curves = [c for c in curves_of(table, metric) if study.quoted and c.point == study.quoted.point]
        if curves:
            found = mean_traces(curves, study.name, *style[:3])
            traces += [*found.band, found.line, *found.dots]
            spots += found.spots
    return [*traces, *lost_trace(spots)]
