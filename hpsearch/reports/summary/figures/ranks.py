"""The measured points over pairs of hyperparameters, by the rank of their score."""

import itertools
from collections.abc import Sequence

import hpsearch.reports.kit.theme as theme
from hpsearch.reports.kit.canvas import Drawn, Trace, colour_bar, draw, escape, switched
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.marks import drawn, outcome, ranks, shown_of
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.figures.plane import MOST_PAIRED, lost_marks, marks_at, plane_axes, ring_mark
from hpsearch.reports.summary.importance import Importance, leading, mappable
from hpsearch.reports.summary.numbers import Findings, Summary

_PAIRED = 4  # hyperparameters whose pairs a menu offers


def figure(found: Findings) -> Drawn | None:
    """Return the ranks over pairs of hyperparameters, where there are points enough to see a pattern."""
    summary = found.summary
    if not mappable(summary, found.importance):
        return None
    aid = "One mark per point, the stronger its colour the better it ranks; the ring is the best."
    aid += shown_of(MOST_PAIRED, len(summary.points), "points")
    return "ranks", "Ranks over pairs of hyperparameters", aid, rank_figure(summary, found.importance)


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
    views = [
        (escape(f"{x.name} – {y.name}"), _ranked(summary, points, share, x, y), plane_axes(x, y)) for x, y in pairs
    ]
    traces, layout = switched("Pair", views)
    x, y = pairs[0]
    alt = f"Scatter chart of {len(points)} points over {x.name} and {y.name}, the darker the better they rank."
    return draw(traces, {**layout, "height": 460, "margin": {"l": 64, "r": 72, "t": 34, "b": 54}}, alt)


def _ranked(summary: Summary, points: Sequence[Point], share: dict[int, float], x: Axis, y: Axis) -> list[Trace]:
    inside = [p for p in points if x.key in p.params and y.key in p.params]
    done = [p for p in inside if p.mean is not None]
    bar = colour_bar("rank", tickvals=[0, 1], ticktext=["worst", "best"])
    mark = {
        **{"color": [round(share[p.point], 3) for p in done], "cmin": 0, "cmax": 1, "colorbar": bar},
        **{"colorscale": theme.score_scale(), "line": {"color": theme.MUTED, "width": 0.6}},
        "size": 10 if len(done) < 200 else 6,
    }
    marks = {**marks_at("complete", done, x, y), "marker": mark, "hovertext": [outcome(summary, p) for p in done]}
    return [marks, *lost_marks(summary, inside, x, y), *ring_mark(summary, x, y)]
